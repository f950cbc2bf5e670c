/*
 * base/error.h: the closed set of errors, and what each is called in each protocol.
 *
 * Shape    functions return 0 or a negative error, E_NOMEM and so on; out-parameters are
 *          written on success only.
 * Layers   lower floors return errors; only serve/, queue/ and main/ log or answer.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum error_index {
	ERROR_INDEX_OK,
#define E(name, ...) ERROR_INDEX_##name,
#include "base/error.def"
#undef E
	ERROR_COUNT
};

enum error {
#define E(name, ...) E_##name = -ERROR_INDEX_##name,
#include "base/error.def"
#undef E
};

struct error_row {
	const char *name;          /* "NOMEM" */
	int         smtp_code;     /* 451 */
	const char *smtp_enhanced; /* "4.3.0" */
	const char *imap_code;     /* "UNAVAILABLE"; "BAD" asks for a tagged BAD; "" for none */
	const char *pop3_code;     /* "SYS/TEMP", or "" */
	int         http_status;
	const char *jmap_type;
	const char *text;
};

/* The row of an error that a function returned (err < 0); never NULL. */
const struct error_row *error_row(int err);

/* Maps errno of a failed system call: ENOSPC and EDQUOT, ENOMEM, the rest is E_IO. */
int error_from_errno(int errno_value);

#endif
