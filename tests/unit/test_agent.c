/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real agent (its path is in VTAX_AGENT), spoken to through real links: what it answers, that it goes on
 * after a bad request, and that nothing keeps it alive once its controller is gone. Traffic is on loopback.
 */
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "link/link.h"
#include "stats/hist.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define LATE (30 * NS_PER_S)

struct agent {
	struct child child;
	struct link l;
	struct vt_err err;
	int in, out; /* our ends, until the link has them */
};

struct request {
	uint8_t body[1024];
	struct wire_writer w;
};

static const char *path;

static void start(struct agent *a)
{
	const char *const argv[] = { path, NULL };
	int in[2], out[2];
	struct child_spec spec = { .argv = argv, .errout = CHILD_INHERIT, .die_with_parent = true };

	*a = (struct agent){ .child = CHILD_INIT, .l = LINK_INIT };
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	spec.in = in[0];
	spec.out = out[1];
	if (child_start(&a->child, &spec, &a->err) < 0)
		fail_msg("%s", a->err.msg);
	close(in[0]);
	close(out[1]);
	a->in = in[1];
	a->out = out[0];
}

static void open_agent(struct agent *a, const char *name)
{
	start(a);
	if (link_open(&a->l, a->in, a->out, name, false, clock_deadline_ns(LATE), &a->err) < 0)
		fail_msg("%s", a->err.msg);
}

/* Its exit status, once it has been left alone. */
static int status_of(struct agent *a)
{
	int status;

	if (child_wait(&a->child, clock_deadline_ns(LATE), &status, &a->err) < 0)
		fail_msg("%s", a->err.msg);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void close_agent(struct agent *a)
{
	link_close(&a->l);
	assert_int_equal(status_of(a), 0);
}

static struct request *ask(struct request *r, const char *kernel, uint16_t port)
{
	wire_writer_init(&r->w, r->body, sizeof r->body);
	wire_text(&r->w, ABI_K_KERNEL, kernel);
	wire_text(&r->w, ABI_K_ADDRESS, "127.0.0.1");
	wire_u64(&r->w, ABI_K_PORT, port);
	wire_u64(&r->w, ABI_K_NODELAY, 1);
	return r;
}

static int call(struct agent *a, uint16_t type, const struct request *r, uint16_t want)
{
	return link_call(
		&a->l, type, r ? r->body : NULL, r ? r->w.len : 0, want, clock_deadline_ns(LATE), &a->err);
}

static void send_request(struct agent *a, uint16_t type, const struct request *r)
{
	if (link_send(&a->l, type, r->body, r->w.len, clock_deadline_ns(LATE), &a->err) < 0)
		fail_msg("%s", a->err.msg);
}

static int receive(struct agent *a)
{
	int type = link_receive(&a->l, clock_deadline_ns(LATE), NULL, &a->err);

	if (type < 0)
		print_message("%s\n", a->err.msg);
	return type;
}

static uint64_t number(const struct agent *a, uint16_t key)
{
	struct wire_field f;

	assert_int_equal(wire_find(a->l.body, a->l.body_len, key, ABI_U64, &f), 1);
	return f.u64;
}

static void assert_refused(
	struct agent *a, uint16_t type, const struct request *r, int code, const char *says)
{
	assert_int_equal(call(a, type, r, ABI_RESULT), code);
	if (!strstr(a->err.msg, says))
		fail_msg("\"%s\" is not in \"%s\"", says, a->err.msg);
}

/* The field of `key` that a NAME field of this text precedes. */
static bool named(const struct agent *a, const char *name, uint16_t key, struct wire_field *f)
{
	struct wire_reader r;
	char last[64] = "";

	wire_reader_init(&r, a->l.body, a->l.body_len);
	while (wire_next(&r, f) > 0) {
		if (f->key == ABI_K_NAME)
			wire_get_text(f, last, sizeof last);
		else if (f->key == key && strcmp(last, name) == 0)
			return true;
	}
	return false;
}

static void hello(void **state)
{
	struct agent a;

	open_agent(&a, "agent");
	assert_string_equal(a.l.build, VTAX_VERSION);
	assert_int_equal(a.l.pid, a.child.pid);
	assert_memory_equal(a.l.uname, "Linux ", 6);
	assert_true(a.l.cpus[0] >= '0' && a.l.cpus[0] <= '9');
	assert_true(a.l.nofile > 0);
	close_agent(&a);
}

/* Serves and loads a kernel for a fifth of a second; leaves the RESULT in the client's link. */
static void measure(struct agent *client, struct agent *sut, const char *kernel)
{
	struct request r;

	if (call(sut, ABI_SERVE, ask(&r, kernel, 0), ABI_READY) < 0)
		fail_msg("%s", sut->err.msg);
	ask(&r, kernel, (uint16_t)number(sut, ABI_K_PORT));
	wire_u64(&r.w, ABI_K_DURATION_NS, 200 * NS_PER_MS);
	wire_u64(&r.w, ABI_K_WARMUP_NS, 20 * NS_PER_MS);
	wire_u64(&r.w, ABI_K_TICK_NS, 20 * NS_PER_MS);
	wire_u64(&r.w, 60000, 1); /* a key of a later version */
	send_request(client, ABI_LOAD, &r);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(receive(client), ABI_MARK);
		assert_int_equal(number(client, ABI_K_MARK), i);
	}
	assert_int_equal(receive(client), ABI_RESULT);
}

static void every_kernel(void **state)
{
	static const char *const kernels[] = { "tcp_stream", "tcp_maerts", "tcp_crr", "udp_stream",
		"udp_rr" };
	struct agent client, sut;
	struct wire_field f;

	open_agent(&client, "client agent");
	open_agent(&sut, "SUT agent");
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		measure(&client, &sut, kernels[i]);
		assert_int_equal(wire_find(client.l.body, client.l.body_len, ABI_K_NAME, ABI_TEXT, &f), 1);
		assert_int_equal(call(&sut, ABI_STOP, NULL, ABI_RESULT), 0);
	}
	close_agent(&client);
	close_agent(&sut);
}

static void tcp_rr_end_to_end(void **state)
{
	_cleanup_free_ struct hist *h = malloc(sizeof *h);
	struct agent client, sut;
	struct request r;
	struct wire_field f;

	open_agent(&client, "client agent");
	open_agent(&sut, "SUT agent");
	measure(&client, &sut, "tcp_rr");
	assert_true(number(&client, ABI_K_OPS) > 0);
	assert_true(named(&client, "latency", ABI_K_HIST, &f));
	assert_int_equal(hist_decode(h, f.data, f.length), 0);
	assert_int_equal(h->n, number(&client, ABI_K_OPS));
	assert_true(named(&client, "transactions_per_s", ABI_K_VALUE, &f));
	assert_true(isfinite(f.f64) && f.f64 > 0);
	assert_int_equal(wire_find(client.l.body, client.l.body_len, ABI_K_CPUS_ALLOWED, ABI_TEXT, &f), 1);

	assert_int_equal(call(&sut, ABI_STOP, NULL, ABI_RESULT), 0);
	/* Stopped is stopped; and another one may follow. */
	assert_refused(&sut, ABI_STOP, NULL, -ESRCH, "no server runs here");
	assert_int_equal(call(&sut, ABI_SERVE, ask(&r, "tcp_rr", 0), ABI_READY), 0);
	close_agent(&client);
	close_agent(&sut);
}

static void bad_requests(void **state)
{
	static const struct {
		uint16_t key;
		uint64_t v;
		const char *says;
	} rows[] = {
		{ ABI_K_PORT, 65536, "port is 65536" },
		{ ABI_K_DURATION_NS, UINT64_MAX, "duration" },
		{ ABI_K_WARMUP_NS, UINT64_C(86400000000001), "warm-up" },
		{ ABI_K_MESSAGE_BYTES, (UINT64_C(64) << 20) + 1, "message size" },
		{ ABI_K_REQUEST_BYTES, UINT64_C(1) << 32, "request size" }, /* 0 in 32 bits */
		{ ABI_K_STREAMS, 1025, "streams" },
		{ ABI_K_NODELAY, 2, "nodelay" },
	};
	struct agent a;
	struct request r;

	open_agent(&a, "agent");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ask(&r, "tcp_rr", 1);
		wire_u64(&r.w, rows[i].key, rows[i].v);
		assert_refused(&a, ABI_LOAD, &r, -ERANGE, rows[i].says);
	}
	ask(&r, "tcp_rr", 1);
	wire_u64(&r.w, ABI_K_STREAMS, 0);
	assert_refused(&a, ABI_LOAD, &r, -ERANGE, "streams");
	ask(&r, "tcp_rr", 1);
	wire_u64(&r.w, ABI_K_DURATION_NS, NS_PER_S);
	wire_u64(&r.w, ABI_K_TICK_NS, 1);
	assert_refused(&a, ABI_LOAD, &r, -ERANGE, "ticks");
	assert_refused(&a, ABI_SERVE, ask(&r, "tcp_\x1b[2J", 1), -ENOENT, "no kernel \"tcp_");
	assert_refused(
		&a, ABI_SERVE, ask(&r, "a name that is longer than any kernel's", 1), -EREMOTEIO, "kernel");
	ask(&r, "tcp_rr", 1);
	wire_text(&r.w, ABI_K_PORT, "1");
	assert_refused(&a, ABI_SERVE, &r, -EREMOTEIO, "port is not a number");
	ask(&r, "tcp_rr", 1);
	wire_text(&r.w, ABI_K_ADDRESS, "localhost");
	assert_refused(&a, ABI_SERVE, &r, -EINVAL, "\"localhost\" is no numeric address");
	assert_refused(&a, ABI_LOAD, NULL, -EINVAL, "no kernel");
	assert_refused(&a, 77, NULL, -EOPNOTSUPP, "type 77");
	memset(r.body, 0xff, 16);
	r.w.len = 16;
	assert_refused(&a, ABI_SERVE, &r, -EREMOTEIO, "malformed at byte 0 of 16");
	assert_refused(&a, ABI_SERVE, ask(&r, "ping", 1), -EINVAL, "has no server");
	/* After all that it still works. */
	assert_int_equal(call(&a, ABI_SERVE, ask(&r, "tcp_rr", 0), ABI_READY), 0);
	assert_refused(&a, ABI_SERVE, ask(&r, "tcp_rr", 0), -EBUSY, "a server runs here already");
	close_agent(&a);
}

static void nobody_there(void **state)
{
	struct agent a;
	struct request r;

	open_agent(&a, "agent");
	ask(&r, "tcp_rr", 1); /* tcpmux: nothing listens there */
	wire_u64(&r.w, ABI_K_DURATION_NS, NS_PER_S);
	assert_true(call(&a, ABI_LOAD, &r, ABI_RESULT) < 0);
	assert_int_equal(a.err.kind, VT_ERR_HOST); /* it said so itself */
	close_agent(&a);
}

/* An agent in the middle of an hour's load against its own server. */
static void open_busy(struct agent *a)
{
	struct request r;

	open_agent(a, "agent");
	assert_int_equal(call(a, ABI_SERVE, ask(&r, "tcp_rr", 0), ABI_READY), 0);
	ask(&r, "tcp_rr", (uint16_t)number(a, ABI_K_PORT));
	wire_u64(&r.w, ABI_K_DURATION_NS, 3600 * NS_PER_S);
	send_request(a, ABI_LOAD, &r);
	assert_int_equal(receive(a), ABI_MARK);
}

static void stop_cuts_a_load_short(void **state)
{
	struct agent a;
	struct request r;

	open_busy(&a);
	assert_refused(&a, ABI_LOAD, ask(&r, "tcp_rr", 1), -EBUSY, "still being worked on");
	/* What the load still says carries its own, stale serial; the answer is the server's result. */
	assert_int_equal(call(&a, ABI_STOP, NULL, ABI_RESULT), 0);
	assert_refused(&a, ABI_STOP, NULL, -ESRCH, "no server");
	close_agent(&a);
}

static void end_of_input_ends_a_load(void **state)
{
	struct agent a;

	open_busy(&a);
	close(a.l.in);
	a.l.in = -1;
	assert_int_equal(status_of(&a), 0);
	link_close(&a.l);
}

static void bye_ends_a_load(void **state)
{
	struct agent a;

	open_busy(&a);
	assert_int_equal(link_send(&a.l, ABI_BYE, NULL, 0, clock_deadline_ns(LATE), &a.err), 0);
	assert_int_equal(status_of(&a), 0);
	link_close(&a.l);
}

static void termination_ends_a_load(void **state)
{
	struct agent a;

	open_busy(&a);
	kill(a.child.pid, SIGTERM);
	assert_int_equal(status_of(&a), 0);
	link_close(&a.l);
}

static void closed_output_ends_it(void **state)
{
	struct agent a;
	struct request r;

	open_agent(&a, "agent");
	close(a.l.out);
	a.l.out = -1;
	ask(&r, "none", 1);
	send_request(&a, ABI_SERVE, &r);
	assert_int_equal(status_of(&a), 0);
	link_close(&a.l);
}

static void nonsense_ends_it(void **state)
{
	static const struct {
		struct abi_head head;
		const char *says;
	} rows[] = {
		{ { 0x6f6c6c65, 1, ABI_SERVE, 0, 1 }, "what came is no message" },
		{ { ABI_MAGIC, 9, ABI_SERVE, 0, 1 }, "version 1 of the protocol, not 9" },
		{ { ABI_MAGIC, 1, ABI_SERVE, 65544, 1 }, "65544 bytes" },
		{ { ABI_MAGIC, 1, ABI_SERVE, UINT32_MAX, 1 }, "what came is no message" },
	};
	struct agent a;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		open_agent(&a, "agent");
		a.l.serial =
			rows[i].head.length == 65544 ? 1 : 0; /* where a serial can be believed, it is used */
		assert_int_equal(write(a.l.in, &rows[i].head, sizeof rows[i].head), sizeof rows[i].head);
		assert_true(receive(&a) < 0);
		assert_non_null(strstr(a.err.msg, rows[i].says));
		assert_int_equal(status_of(&a), 1);
		link_close(&a.l);
	}
}

static void request_in_pieces(void **state)
{
	uint8_t frame[1024];
	struct abi_head h;
	struct agent a;
	struct request r;

	open_agent(&a, "agent");
	ask(&r, "nothing_like_it", 1);
	wire_head(&h, ABI_SERVE, (uint32_t)r.w.len, 1);
	memcpy(frame, &h, sizeof h);
	memcpy(frame + sizeof h, r.body, r.w.len);
	a.l.serial = 1;
	for (size_t i = 0; i < sizeof h + r.w.len; i++)
		assert_int_equal(write(a.l.in, frame + i, 1), 1);
	assert_int_equal(link_receive(&a.l, clock_deadline_ns(LATE), NULL, &a.err), -ENOENT);
	close_agent(&a);
}

static int run(const char *const *argv, const char *says)
{
	struct child_spec spec = { .argv = argv };
	_cleanup_buf_ struct buf out = BUF_INIT(4096);
	struct vt_err err = { 0 };
	int r = child_run(&spec, LATE, &out, &err);

	if (!strstr(r < 0 ? err.msg : buf_str(&out), says))
		fail_msg("\"%s\" is not in \"%s\"", says, r < 0 ? err.msg : buf_str(&out));
	return r;
}

static void command_line(void **state)
{
	const char *const version[] = { path, "--version", NULL };
	const char *const help[] = { path, "--help", NULL };
	const char *const unknown[] = { path, "--frobnicate", NULL };
	const char *const no_target[] = { path, "relay", "--listen", "127.0.0.1", "5000", NULL };
	const char *const no_port[] = { path, "relay", "--listen", "127.0.0.1", "--target", "127.0.0.2",
		NULL };
	const char *const bad_port[] = { path, "relay", "--listen", "127.0.0.1", "--target", "127.0.0.2",
		"0x10", NULL };
	const char *const bad_name[] = { path, "relay", "--listen", "localhost", "5000", NULL };

	assert_int_equal(run(version, "vtax-agent " VTAX_VERSION), 0);
	assert_int_equal(run(help, "relay --listen"), 0);
	assert_true(run(unknown, "--frobnicate") < 0);
	assert_true(run(no_target, "relay needs \"--target\"") < 0);
	assert_true(run(no_port, "relay needs \"PORT\"") < 0);
	assert_true(run(bad_port, "no port: \"0x10\"") < 0);
	assert_true(run(bad_name, "no numeric address: \"localhost\"") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello),
		cmocka_unit_test(tcp_rr_end_to_end),
		cmocka_unit_test(every_kernel),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(stop_cuts_a_load_short),
		cmocka_unit_test(end_of_input_ends_a_load),
		cmocka_unit_test(bye_ends_a_load),
		cmocka_unit_test(termination_ends_a_load),
		cmocka_unit_test(closed_output_ends_it),
		cmocka_unit_test(nonsense_ends_it),
		cmocka_unit_test(request_in_pieces),
		cmocka_unit_test(command_line),
	};

	path = getenv("VTAX_AGENT");
	if (!path) {
		fputs("VTAX_AGENT does not name the agent\n", stderr);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
