/*
 * tests/unit/store/model.h: the naive model of a store, for model.c, which changes it, and
 * model_check.c, which compares it with the store.
 */
#ifndef STORE_MODEL_H
#define STORE_MODEL_H

#include "devices.h"

enum { BOXES = 40, MESSAGES = 400, KEYWORDS = 5, DEVICES = 3, EMAILS = 20000 };

struct model_message {
	uint32_t uid;
	email_id email;
	uint64_t thread;
	unsigned system;
	uint64_t keywords;
	uint64_t size;
	unsigned body; /* number of its text */
};

struct model_box {
	bool                 used, no_select, subscribed;
	char                 name[64];
	mailbox_id           id;
	uint32_t             uidvalidity, uidnext, recent_from;
	struct model_message m[MESSAGES];
	size_t               n;
	struct ranges        client; /* UIDs as the change log tells them */
};

struct model_gone {
	struct model_message m;
	mailbox_id           box;
};

struct model {
	struct env       *e;
	uint64_t          rand;
	struct model_box  boxes[BOXES];
	struct model_gone gone[4 * MESSAGES];
	size_t            n_gone;
	unsigned          n_keywords;
	email_id          last_email;
	uint32_t          last_uidvalidity;
	uint64_t          client_modseq;
	unsigned          next_body;
	bool              hidden[DEVICES][EMAILS];
	bool              left[EMAILS]; /* INBOX, by POP3 */
};

extern const char *const MODEL_DEVICES[DEVICES];

unsigned          model_pick(struct model *, unsigned n); /* 0 to n - 1 */
struct model_box *model_named(struct model *, const char *name);
size_t            model_box_count(struct model *);
bool              model_has_children(struct model *, const char *name);
void              model_body(unsigned body, char text[200]);
bool              model_sees(struct model *, unsigned device, email_id);

/* Fails the test when store and model differ. */
void model_check(struct model *);

#endif
