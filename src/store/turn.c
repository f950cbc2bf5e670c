/* Who has heavy work to do on an account takes turns with the others. */
#include "store/state.h"

bool
account_turn_take(struct account *a, struct account_turn *t)
{
	LOCK_SCOPE(&a->watch_lock);

	if (a->turn == NULL)
		a->turn = t;
	if (a->turn != t && !t->waits) {
		list_push(&a->turns, &t->link);
		t->waits = true;
	}
	return a->turn == t;
}

void
account_turn_leave(struct account *a, struct account_turn *t)
{
	LOCK_SCOPE(&a->watch_lock);

	if (t->waits)
		list_remove(&t->link);
	t->waits = false;
	if (a->turn != t)
		return;
	a->turn = NULL;
	if (list_empty(&a->turns))
		return;
	a->turn = CONTAINER_OF(list_pop(&a->turns), struct account_turn, link);
	a->turn->waits = false;
	a->turn->go(a->turn);
}
