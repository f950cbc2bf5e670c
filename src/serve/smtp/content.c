/*
 * DATA and BDAT: the bytes of a message stream through the checks and the header's edit into the
 * store. What is wrong is remembered and said at the end, when all bytes are read: the connection
 * stays in step.
 */
#include "base/clock.h"
#include "base/error.h"
#include "serve/smtp/session.h"

static int
put_ingest(void *arg, struct str bytes)
{
	return ingest_write(arg, bytes);
}

/* Opens the ingest and writes the trace fields first. */
static int
begin(struct smtp_session *s)
{
	struct smtp_tx    *tx = &s->tx;
	OWN_BUF struct buf trace = BUF_INIT(SMTP_TRACE_MAX);
	OWN(ingest)        in = NULL;
	int                r = smtp_trace_begin(s);

	if (r < 0)
		return r;
	r = ingest_new(s->server->store, s->server->limits.message_max + 2 * SMTP_TRACE_MAX, &in);
	if (r < 0)
		return r;
	smtp_trace_put(s, &trace);
	r = trace.err < 0 ? trace.err : ingest_write(in, buf_view(&trace));
	if (r < 0)
		return r;
	tx->ingest = TAKE(in);
	tx->data = (struct smtp_data){ 0 };
	tx->begun_ms = clock_mono_ms();
	smtp_header_init(&tx->header, &tx->edit, put_ingest, tx->ingest);
	return 0;
}

/* The first thing that is wrong counts; the rest of the message is read and thrown away. */
static void
spoil(struct smtp_tx *tx, int err)
{
	if (tx->err < 0 || err == 0)
		return;
	tx->err = err;
	if (tx->ingest != NULL)
		ingest_drop(TAKE(tx->ingest));
}

static void
take(struct smtp_session *s, struct str bytes)
{
	struct smtp_tx *tx = &s->tx;

	tx->got += bytes.n;
	if (tx->err < 0)
		return;
	if (tx->got > s->server->limits.message_max)
		spoil(tx, E_TOO_BIG);
	else
		spoil(tx, smtp_header_feed(&tx->header, bytes));
	if (tx->header.received > s->server->limits.received_max)
		spoil(tx, E_LOOP);
}

/* --- DATA, RFC 5321 s4.1.1.4 --- */

enum step
smtp_data_begin(struct smtp_session *s, const union smtp_args *a)
{
	int r = begin(s);

	(void)a;
	if (r < 0)
		return smtp_fail(s, r);
	smtp_reply(s, 354, NULL, "send the message, end with CRLF.CRLF");
	smtp_set_state(s, SMTP_IN_DATA);
	return STEP_DONE;
}

enum step
smtp_data_read(struct smtp_session *s)
{
	struct str in = conn_input(s->conn), left = in;

	if (in.n == 0)
		return STEP_NEED;
	while (left.n > 0 && s->tx.data.at != SMTP_DATA_END)
		take(s, smtp_data_next(&s->tx.data, &left));
	conn_consume(s->conn, in.n - left.n);
	/* Said once it is known: bare line ends are worse than size, and give no bytes to count. */
	if (s->tx.data.bare)
		spoil(&s->tx, E_BARE_LINE_END);
	return s->tx.data.at == SMTP_DATA_END ? smtp_deliver(s) : STEP_DONE;
}

/* --- BDAT, RFC 3030 s2 --- */

static enum step
chunk_expect(struct smtp_session *s, const struct smtp_bdat *b, int refused)
{
	s->chunk = (struct smtp_chunk){
		.left = b->size,
		.size = b->size,
		.last = b->last,
		.refused = refused,
		.back = s->state,
	};
	smtp_set_state(s, SMTP_IN_CHUNK);
	return STEP_DONE;
}

enum step
smtp_chunk_begin(struct smtp_session *s, const union smtp_args *a)
{
	/* A failure is answered behind the chunk, and again for each that follows. */
	if (s->state == SMTP_RCPT)
		spoil(&s->tx, begin(s));
	return chunk_expect(s, &a->bdat, 0);
}

enum step
smtp_chunk_refuse(struct smtp_session *s, const union smtp_args *a, int err)
{
	s->tx.begun_ms = clock_mono_ms();
	return chunk_expect(s, &a->bdat, err);
}

static enum step
chunk_end(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;

	if (s->chunk.refused < 0) {
		smtp_set_state(s, s->chunk.back);
		return smtp_fail(s, s->chunk.refused);
	}
	if (tx->data.bare || (s->chunk.last && tx->data.at == SMTP_DATA_TEXT_CR))
		spoil(tx, E_BARE_LINE_END);
	if (s->chunk.last)
		return smtp_deliver(s);
	smtp_set_state(s, SMTP_BDAT);
	if (tx->err < 0)
		return smtp_fail(s, tx->err);
	buf_str(conn_output(s->conn), STR("250 2.0.0 "));
	buf_u64(conn_output(s->conn), s->chunk.size);
	buf_str(conn_output(s->conn), STR(" bytes\r\n"));
	return STEP_DONE;
}

enum step
smtp_chunk_read(struct smtp_session *s)
{
	struct str in = conn_input(s->conn);

	if (s->chunk.left == 0)
		return chunk_end(s);
	if (in.n == 0)
		return STEP_NEED;
	if (in.n > s->chunk.left)
		in.n = (size_t)s->chunk.left;
	if (s->chunk.refused == 0) {
		smtp_data_scan(&s->tx.data, in);
		take(s, in);
	}
	s->chunk.left -= in.n;
	conn_consume(s->conn, in.n);
	return STEP_DONE;
}
