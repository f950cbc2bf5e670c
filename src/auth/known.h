/*
 * auth/known.h: what was found in the directory lately, so that the same question is not asked of
 * the storage, and the same address not parsed, for each message and login.
 *
 * Shape    from a question (a byte for its kind, and the text as it came) to one small answer. Only
 *          what was found is kept, so unknown names cannot push it out.
 * Truth    every change of the directory forgets everything (known_forget, after its commit and
 *          before it is told of); so does a new generation of the storage. An answer that was read
 *          before a change is not put in after it: known_put compares the mark.
 * Limits   KNOWN_MAX answers, then all are forgotten; longer questions or answers are not kept.
 * Errors   without memory an answer is not kept.
 * Threads  any; LOCK_AUTH_KNOWN.
 */
#ifndef AUTH_KNOWN_H
#define AUTH_KNOWN_H

#include "base/arena.h"
#include "base/lock.h"
#include "base/map.h"

enum { KNOWN_MAX = 16384, KNOWN_TEXT_MAX = 320, KNOWN_ANSWER_MAX = 1024 };

struct known {
	struct lock lock;
	struct map  answers;
	uint64_t    changes;
	uint64_t    generation;
};

struct known_question {
	char       kind;
	struct str text;
};

struct known_answer {
	uint64_t   id;
	int64_t    created_ms;
	bool       enabled;
	struct str name; /* an address, or a tag */
	struct str hash;
};

/* Stands for the state of the directory before a question is asked. */
struct known_mark {
	uint64_t changes;
	uint64_t generation; /* kv_generation */
};

void known_init(struct known *);
void known_done(struct known *);
/* 0 and the answer, copied into the arena; else E_NOT_FOUND or E_NOMEM, and the mark for known_put;
 * mark->generation is set by the caller. */
int  known_get(struct known *, const struct known_question *, struct arena *, struct known_mark *,
     struct known_answer *ret);
void known_put(struct known *, const struct known_question *, const struct known_mark *,
    const struct known_answer *);
void known_forget(struct known *);

#endif
