/*
 * auth/keys.h: every key and value of the directory, the partition {KV_DIRECTORY, 0}.
 *
 *   key                           value
 *   'D' domain                    u8 1, u64 created_ms
 *   'A' domain 00 local           u8 1, u8 'A', u64 id, u8 enabled, u64 created_ms, str hash
 *                                 u8 1, u8 'L', var n, n times str target
 *   'I' be64 id                   u8 1, str address: the account with this id
 *   'R' target 00 alias           u8 1: the alias names the target
 *   'N'                           u8 1, u64: the id that the next account gets
 *   'P' be64 id, 16 bytes         u8 1, 16 bytes, u64 number, str name, u8 protocols,
 *                                 u64 created_ms, then stored and server key of SHA-256 (32 bytes
 *                                 each) and of SHA-1 (20 each): an app password of the account. The
 *                                 twice 16 bytes are the hash of its secret (auth/app_password.h)
 *   'U' be64 id, be64 number      u8 1, u64: when that app password was used last, ms
 *   'S' be64 id                   u8 1, u64 number of the next app password, var iterations,
 *                                 str salt, u8 has; if it has: 16 bytes, stored and server key of
 *                                 SHA-256: those of the password whose stored hash has these first
 *                                 bytes of its hash (auth/scram_store.h)
 *   'K'                           u8 1, str: 32 random bytes that salts are made with
 *
 * Shape    u8 1 is the form of the value. Integers of values are little-endian, str is var length
 *          and bytes. Domains, addresses and aliases are normalised names (auth/address.h); local
 *          is empty for a domain's catch-all. Targets keep the letter case of their local part.
 * Order    'A' keys of one domain lie together: in use or not is one look.
 * Limits   a key is at most 1 + 2 x ADDRESS_MAX + 1 bytes.
 */
#ifndef AUTH_KEYS_H
#define AUTH_KEYS_H

#include "auth/address.h"
#include "auth/directory.h"
#include "base/pack.h"
#include "proto/scram.h"

struct dir_key {
	size_t n;
	char   b[2 * ADDRESS_MAX + 2];
};

static inline struct str
dir_key_str(const struct dir_key *k)
{
	return str_of(k->b, k->n);
}

void dir_key_domain(struct dir_key *, struct str domain);
void dir_key_address(struct dir_key *, struct str name);
void dir_key_id(struct dir_key *, uint64_t id);
/* Without an alias: the beginning of all keys with this target. */
void dir_key_reverse(struct dir_key *, struct str target, struct str alias);
void dir_key_next_id(struct dir_key *);
/* Without a hash: the beginning of all app passwords of the account. */
void dir_key_app(struct dir_key *, uint64_t id, struct str secret_hash);
void dir_key_app_used(struct dir_key *, uint64_t id, uint64_t number);
void dir_key_scram(struct dir_key *, uint64_t id);
void dir_key_salting(struct dir_key *);
/* The smallest key behind all that begin with this one. */
void dir_key_end(const struct dir_key *, struct dir_key *ret);

/* What an 'A' key says, and what follows the 00 of an 'R' key, back to names in the arena. */
int dir_key_to_name(struct str key, struct arena *, struct str *ret);
struct str dir_key_to_alias(struct str key);

enum dir_kind { DIR_ACCOUNT = 'A', DIR_ALIAS = 'L' };

struct dir_entry {
	enum dir_kind kind;
	/* account */
	uint64_t   id;
	bool       enabled;
	int64_t    created_ms;
	struct str hash;
	/* alias */
	struct str *targets;
	size_t      n_targets;
};

void dir_entry_pack(const struct dir_entry *, struct buf *to);
/* Slices point into the value, the list of targets is in the arena. E_CORRUPT, E_NOMEM. */
int  dir_entry_unpack(struct str value, struct arena *, struct dir_entry *ret);

enum { DIR_HASH_N = 16 };

struct dir_app {
	struct str        check; /* DIR_HASH_N bytes */
	uint64_t          number;
	struct str        name;
	uint8_t           protocols;
	int64_t           created_ms;
	struct scram_keys keys[SCRAM_HASHES];
};

void dir_app_pack(const struct dir_app *, struct buf *to);
int  dir_app_unpack(struct str value, struct dir_app *ret); /* slices point into the value */

struct dir_scram {
	uint64_t          next_number;
	struct scram_salt salt;
	bool              has;
	unsigned char     mark[DIR_HASH_N];
	struct scram_keys keys;
};

void dir_scram_pack(const struct dir_scram *, struct buf *to);
int  dir_scram_unpack(struct str value, struct dir_scram *ret);

/* The values that hold one number or string behind their form. */
void dir_value_u64(uint64_t, struct buf *to);
int  dir_value_to_u64(struct str value, uint64_t *ret);
void dir_value_str(struct str, struct buf *to);
int  dir_value_to_str(struct str value, struct str *ret);

#endif
