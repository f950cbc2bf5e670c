#include "serve/pop3/lock.h"

#include "base/lock.h"

enum { SLOTS = 1024 };

static struct lock table_lock = { PTHREAD_MUTEX_INITIALIZER, LOCK_POP3_ACCOUNTS };
static struct list table[SLOTS]; /* next NULL: empty */

bool
pop3_lock_take(struct pop3_lock *l, account_id account)
{
	struct list *slot = &table[account % SLOTS];

	LOCK_SCOPE(&table_lock);
	if (slot->next == NULL)
		list_init(slot);
	LIST_EACH(it, slot)
		if (CONTAINER_OF(it, struct pop3_lock, link)->account == account)
			return false;
	l->account = account;
	list_push(slot, &l->link);
	return true;
}

void
pop3_lock_give(struct pop3_lock *l)
{
	if (l->link.next == NULL)
		return;
	lock_take(&table_lock);
	list_remove(&l->link);
	lock_give(&table_lock);
	*l = (struct pop3_lock){ 0 };
}
