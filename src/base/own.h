/*
 * base/own.h: a handle has one owner. Leaving the scope drops it; T_drop(NULL) does nothing.
 *
 *   OWN_DEFINE(blob)            in the header of a type with `void blob_drop(struct blob *)`
 *   OWN(blob) b = NULL;         dropped at the end of the scope
 *   return keep(TAKE(b));       moves it out: b is NULL afterwards
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include <stddef.h>

#define OWN_DEFINE(T)                                                                            \
	static inline void T##_dropp(struct T **p)                                               \
	{                                                                                        \
		if (*p != NULL)                                                                  \
			T##_drop(*p);                                                            \
	}

#define OWN(T) __attribute__((cleanup(T##_dropp))) struct T *
#define TAKE(p)                                                                                  \
	({                                                                                       \
		__typeof__(p) took_ = (p);                                                       \
		(p) = NULL;                                                                      \
		took_;                                                                           \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
