/*
 * auth/change.h: how the directory's own files read an entry and commit a change.
 *
 * Change   build() reads what it needs and fills the batch; the commit holds only when nothing was
 *          changed since before the first read, else build() is called again. So a change rests on
 *          one state of the directory, without a lock, from any thread or node.
 * Taken    what a change takes back build() notes in `taken`; the sessions that this concerns are
 *          told when it is on disk, or may be there.
 */
#ifndef AUTH_CHANGE_H
#define AUTH_CHANGE_H

#include "auth/keys.h"
#include "auth/known.h"
#include "auth/pass.h"

struct directory {
	struct kv   *kv;
	struct known known; /* for readers; a change reads the storage itself */
	struct passes passes; /* of the sessions that are logged in */
};

#define DIR_PART ((struct kv_part){ KV_DIRECTORY, 0 })
enum { DIR_VALUE_MAX = KV_VALUE_MAX };

struct dir_change {
	struct directory *d;
	struct kv_batch   batch;
	struct arena      arena; /* empty at each call of build */
	struct taken      taken; /* nothing at each call of build */
};

/* Durable when it returns 0. What build() returns below 0 ends it. E_BUSY: always overtaken. */
int dir_change(struct directory *, int (*build)(struct dir_change *, void *arg), void *arg);
/* The same for what may get lost in a crash and is in no known answer: durable with a later one. */
int dir_note(struct directory *, int (*build)(struct dir_change *, void *arg), void *arg);

void dir_put(struct dir_change *, const struct dir_key *, const struct buf *value);
void dir_del(struct dir_change *, const struct dir_key *);
void dir_put_entry(struct dir_change *, struct str name, const struct dir_entry *);

/* Takes out the app passwords of an account that goes, and what SCRAM kept of it. */
void app_password_forget_all(struct dir_change *, uint64_t account);

/* The entry of a normalised name. E_NOT_FOUND, E_CORRUPT and the storage's. */
int dir_get(struct directory *, struct str name, struct arena *, struct dir_entry *ret);
int dir_has(struct directory *, const struct dir_key *, bool *ret);
int dir_is_local(struct directory *, struct str domain, bool *ret);

/* Lists the keys that begin with `space` (keys.h): take() makes an item of `width` bytes of each,
 * or says that it is none. *ret is an array of *ret_n items in the arena. */
struct dir_lister {
	char   space;
	size_t width;
	int (*take)(struct str key, struct str value, struct arena *, void *item, bool *ret_is);
};
int dir_list(struct directory *, const struct dir_lister *, struct arena *, void **ret,
    size_t *ret_n);

#endif
