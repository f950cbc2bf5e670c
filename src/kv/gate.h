/*
 * kv/gate.h: counts who is inside an engine, and keeps all out while its handle is replaced.
 *
 * Enter    any number, at any time, more than once by one thread: an open gate costs one atomic
 *          addition. While the gate is closed gate_enter waits.
 * Close    waits for a moment when nobody is inside; when none comes nobody is let in for a tenth
 *          of a second more. Who is inside and enters again makes it give up: no deadlock.
 */
#ifndef KV_GATE_H
#define KV_GATE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/lock.h"

struct gate {
	atomic_long    inside; /* far below 0 while closed */
	struct lock    lock;   /* KV_GATE */
	pthread_cond_t opened;
};

void gate_init(struct gate *);
void gate_done(struct gate *);
void gate_enter(struct gate *);
void gate_leave(struct gate *);
/* 0 when the caller is alone, or E_BUSY when somebody did not leave. */
int  gate_close(struct gate *, int64_t patience_ms);
void gate_open(struct gate *);

static inline void
gate_leave_scope(struct gate **g)
{
	gate_leave(*g);
}
/* Inside until the end of the scope. */
#define GATE_SCOPE(g)                                                                            \
	__attribute__((cleanup(gate_leave_scope))) struct gate *scope_gate_ = (g);               \
	gate_enter(scope_gate_)

#endif
