/*
 * bench/load/task_place.h: leaving one stack for another.
 *
 * Shape    a place is where a task, or the loop, goes on. task_place_begin goes to a context that
 *          makecontext made, task_place_switch to where another call here left.
 * Cost     no system call with gcc on x86-64; swapcontext makes two, for the signal mask.
 * Threads  a place belongs to one thread.
 */
#ifndef LOAD_TASK_PLACE_H
#define LOAD_TASK_PLACE_H

#include <ucontext.h>

enum { TASK_PLACE_WORDS = 5 }; /* what __builtin_setjmp wants */

struct task_place {
	void      *words[TASK_PLACE_WORDS];
	ucontext_t context;
};

/* Both return when somebody switches to `from`. */
void task_place_begin(struct task_place *from, struct task_place *to);
void task_place_switch(struct task_place *from, struct task_place *to);

#endif
