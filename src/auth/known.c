#include "auth/known.h"

#include "base/error.h"
#include "base/mem.h"

struct entry {
	struct known_answer answer; /* its text lies behind it */
	char                text[];
};

void
known_init(struct known *k)
{
	*k = (struct known){ 0 };
	lock_init(&k->lock, LOCK_AUTH_KNOWN);
	map_init(&k->answers);
}

/* With the lock held. */
static void
forget(struct known *k)
{
	for (struct map_at at = { 0 }; map_next(&k->answers, &at);)
		mem_free(at.value);
	map_done(&k->answers);
	map_init(&k->answers);
}

void
known_done(struct known *k)
{
	forget(k);
	lock_done(&k->lock);
}

void
known_forget(struct known *k)
{
	LOCK_SCOPE(&k->lock);

	k->changes++;
	forget(k);
}

struct question_key {
	size_t n; /* 0: too long to be kept */
	char   b[1 + KNOWN_TEXT_MAX];
};

static struct str
key_of(const struct known_question *q, struct question_key *k)
{
	k->n = q->text.n <= KNOWN_TEXT_MAX ? 1 + q->text.n : 0;
	k->b[0] = q->kind;
	if (k->n > 1)
		memcpy(k->b + 1, q->text.p, q->text.n);
	return str_of(k->b, k->n);
}

int
known_get(struct known *k, const struct known_question *q, struct arena *a,
    struct known_mark *mark, struct known_answer *ret)
{
	struct question_key  key;
	struct str           text = key_of(q, &key);
	const struct entry  *e;
	struct known_answer  got;

	LOCK_SCOPE(&k->lock);
	mark->changes = k->changes;
	if (k->generation != mark->generation) {
		forget(k);
		k->generation = mark->generation;
	}
	e = text.n != 0 ? map_get(&k->answers, text) : NULL;
	if (e == NULL)
		return E_NOT_FOUND;
	got = e->answer;
	if (arena_dup(a, got.name, &got.name) < 0 || arena_dup(a, got.hash, &got.hash) < 0)
		return E_NOMEM;
	*ret = got;
	return 0;
}

static struct entry *
entry_new(const struct known_answer *answer)
{
	size_t        n = answer->name.n + answer->hash.n;
	struct entry *e = n <= KNOWN_ANSWER_MAX ? mem_alloc(sizeof(*e) + n) : NULL;

	if (e == NULL)
		return NULL;
	e->answer = *answer;
	e->answer.name.p = e->text;
	e->answer.hash.p = e->text + answer->name.n;
	if (answer->name.n != 0)
		memcpy(e->text, answer->name.p, answer->name.n);
	if (answer->hash.n != 0)
		memcpy(e->text + answer->name.n, answer->hash.p, answer->hash.n);
	return e;
}

/* With the lock held. */
static void
replace(struct known *k, struct str text, struct entry *e)
{
	struct entry *old = map_get(&k->answers, text);

	if (old == NULL && k->answers.n >= KNOWN_MAX)
		forget(k);
	if (map_put(&k->answers, text, e) < 0)
		mem_free(e);
	else
		mem_free(old);
}

void
known_put(struct known *k, const struct known_question *q, const struct known_mark *mark,
    const struct known_answer *answer)
{
	struct question_key key;
	struct str          text = key_of(q, &key);
	struct entry       *e = text.n != 0 ? entry_new(answer) : NULL;

	if (e == NULL)
		return;
	LOCK_SCOPE(&k->lock);
	if (k->changes == mark->changes && k->generation == mark->generation)
		replace(k, text, e);
	else
		mem_free(e);
}
