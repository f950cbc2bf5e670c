/*
 * Leaving one stack for another. In a file of its own: a compiler that sees a caller and this
 * together takes registers for kept that the other stack has used.
 */
#include "load/task_place.h"

/* Sanitizers know of stacks by swapcontext only, and clang's builtins do not keep all registers. */
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)

static _Noreturn __attribute__((noinline)) void
go(struct task_place *to)
{
	__builtin_longjmp(to->words, 1);
}

void
task_place_switch(struct task_place *from, struct task_place *to)
{
	if (__builtin_setjmp(from->words) == 0)
		go(to);
}

void
task_place_begin(struct task_place *from, struct task_place *to)
{
	if (__builtin_setjmp(from->words) == 0)
		setcontext(&to->context);
}

#else

void
task_place_switch(struct task_place *from, struct task_place *to)
{
	swapcontext(&from->context, &to->context);
}

void
task_place_begin(struct task_place *from, struct task_place *to)
{
	swapcontext(&from->context, &to->context);
}

#endif
