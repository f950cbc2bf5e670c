/*
 * base/list.h: a doubly linked ring with its links inside the members.
 *
 * Owner    the list owns nothing. A member is in at most one list per link.
 * Threads  the caller's lock.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>

#include "base/own.h"

struct list {
	struct list *next, *prev;
};

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_push(struct list *head, struct list *item) /* at the end */
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

static inline void
list_remove(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

static inline struct list *
list_pop(struct list *head) /* the first, or NULL */
{
	struct list *item = head->next;

	if (item == head)
		return NULL;
	list_remove(item);
	return item;
}

#define LIST_EACH(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
/* The loop body may remove `it`. */
#define LIST_EACH_SAFE(it, head)                                                                 \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                \
	     it = it##_next, it##_next = it->next)

#endif
