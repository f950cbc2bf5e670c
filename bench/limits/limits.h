/*
 * bench/limits/limits.h: what the machine itself can do, to put a server's figures beside.
 *
 *   bench-limits [--seconds S (2)] [--dir FOLDER (.)] [NAME...]
 *
 * Output   one JSON object a line: {"limit": name, ...}. With names only those limits are measured.
 *   group-commit      threads 1, 8, 32, 64 append records of 5 KiB to one file in FOLDER and wait
 *                     for an fdatasync that they share: "per_second", "cpu_us" each, "syncs" a
 *                     second
 *   loopback-copy     "connections" 1, 64: "mb_per_second" through TCP on loopback, "cpu_ns_per_kb"
 *   round-trips       "connections" 1, 64: requests of 64 bytes and their answers, one outstanding
 *                     a connection: "per_second", "cpu_us" each of both sides
 *   sessions          "kind" login, phone, "at_a_time" 16: connect, accept, requests and answers of
 *                     the sizes of IMAP, close, between a bare server and a bare client of one
 *                     thread each: "per_second", "server_cpu_us", "client_cpu_us" each
 *   aes-gcm           "bits" 128, 256: EVP, records of 16 KiB: "mb_per_second"
 *   handshakes        TLS 1.3, "key" ecdsa-p256, rsa-2048, "resumed" or not, in memory, one thread:
 *                     "per_second" of both sides together, "server_per_cpu_second",
 *                     "both_per_cpu_second"
 *   memcpy            "mb_per_second" of 64 MiB
 * Units    mb: 10^6 bytes. cpu: of the whole process, user and system.
 * Errors   a limit that cannot be measured has "failed" with the reason; exit status 1.
 */
#ifndef LIMITS_LIMITS_H
#define LIMITS_LIMITS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct limits_options {
	double      seconds;
	const char *dir;
};

/* Each prints its lines; 0, or a negative error after limits_failed. */
int limit_group_commit(const struct limits_options *);
int limit_loopback_copy(const struct limits_options *);
int limit_round_trips(const struct limits_options *);
int limit_sessions(const struct limits_options *);
int limit_aes_gcm(const struct limits_options *);
int limit_handshakes(const struct limits_options *);
int limit_memcpy(const struct limits_options *);

/* Time and processor time since limits_begin. */
struct limits_span {
	double seconds;
	double cpu_us;
};
struct limits_span limits_begin(void);
struct limits_span limits_since(struct limits_span begin);
double             limits_thread_cpu_us(void);

/* Prints the object as a line and releases it. */
void limits_print(json_t *);
int  limits_failed(const char *limit, const char *why);

#endif
