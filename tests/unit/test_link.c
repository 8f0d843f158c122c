/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * src/link against agents of every kind of badness. Most are bytes put into a pipe before the link reads it:
 * nothing has to be timed. An agent that must act later is a forked child.
 */
#include "link/link.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SOON (20 * NS_PER_MS) /* for what must run out */
#define LATE (20 * NS_PER_S)  /* for what must not */

struct rig {
	struct link l;
	struct vt_err err;
	int say;     /* the agent's stdout: what is written here, the link reads */
	int hear;    /* the agent's stdin */
	int in, out; /* the link's ends, until it has them */
};

static void rig_init(struct rig *g)
{
	int a[2], b[2];

	*g = (struct rig){ .l = LINK_INIT };
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	g->out = a[0];
	g->say = a[1];
	g->hear = b[0];
	g->in = b[1];
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void rig_release(struct rig *g)
{
	link_close(&g->l);
	shut(&g->say);
	shut(&g->hear);
}

static void say_bytes(struct rig *g, const void *data, size_t len)
{
	assert_int_equal(write(g->say, data, len), (ssize_t)len);
}

static void say(struct rig *g, uint16_t type, uint32_t serial, const void *body, size_t len)
{
	struct abi_head h;

	wire_head(&h, type, (uint32_t)len, serial);
	say_bytes(g, &h, sizeof h);
	if (len)
		say_bytes(g, body, len);
}

static void say_hello(struct rig *g)
{
	uint8_t body[512];
	struct wire_writer w;

	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, ABI_K_BUILD, "9.9");
	wire_u64(&w, 4242, 1); /* a key of a later version */
	wire_u64(&w, ABI_K_PID, 77);
	wire_text(&w, ABI_K_UNAME, "Linux \033[31m6");
	wire_text(&w, ABI_K_CPUS_ALLOWED, "0,2-3");
	wire_text(&w, ABI_K_CLOCKSOURCE, "tsc");
	wire_u64(&w, ABI_K_NOFILE, 1024);
	say(g, ABI_HELLO, 0, body, w.len);
}

static int rig_open(struct rig *g, bool skip_noise, uint64_t timeout_ns)
{
	return link_open(
		&g->l, g->in, g->out, "test agent", skip_noise, clock_deadline_ns(timeout_ns), &g->err);
}

/* A rig whose agent has said hello and was sent request 1. */
static void rig_ready(struct rig *g)
{
	rig_init(g);
	say_hello(g);
	assert_int_equal(rig_open(g, false, LATE), 0);
	assert_int_equal(link_send(&g->l, ABI_LOAD, NULL, 0, clock_deadline_ns(LATE), &g->err), 0);
	assert_int_equal(g->l.serial, 1);
}

static int receive(struct rig *g, uint64_t timeout_ns)
{
	return link_receive(&g->l, clock_deadline_ns(timeout_ns), NULL, &g->err);
}

static void assert_says(const struct rig *g, const char *part)
{
	if (!strstr(g->err.msg, part))
		fail_msg("\"%s\" is not in \"%s\"", part, g->err.msg);
	assert_non_null(strstr(g->err.msg, "test agent"));
	for (const char *p = g->err.msg; *p; p++)
		assert_true(*p >= 0x20 && *p <= 0x7e);
}

/* For failed opens: both descriptors are the link's to close, and nothing is left in it. */
static void assert_not_open(struct rig *g)
{
	assert_int_equal(fcntl(g->in, F_GETFD), -1);
	assert_int_equal(fcntl(g->out, F_GETFD), -1);
	assert_int_equal(g->l.in, -1);
	assert_int_equal(g->l.out, -1);
	assert_null(g->l.body);
	assert_int_equal(g->err.kind, VT_ERR_INVALID);
	rig_release(g);
}

static void hello(void **state)
{
	struct rig g;

	rig_init(&g);
	say_hello(&g);
	assert_int_equal(rig_open(&g, false, LATE), 0);
	assert_string_equal(g.l.build, "9.9");
	assert_string_equal(g.l.uname, "Linux ?[31m6");
	assert_string_equal(g.l.cpus, "0,2-3");
	assert_string_equal(g.l.clocksource, "tsc");
	assert_int_equal(g.l.pid, 77);
	assert_int_equal(g.l.nofile, 1024);
	rig_release(&g);
}

static void what_is_sent(void **state)
{
	const uint8_t body[8] = { 1, 2, 3 };
	struct abi_head h;
	uint8_t got[64];
	struct rig g;

	rig_init(&g);
	say_hello(&g);
	assert_int_equal(rig_open(&g, false, LATE), 0);
	assert_int_equal(link_send(&g.l, ABI_SERVE, body, sizeof body, clock_deadline_ns(LATE), &g.err), 0);
	assert_int_equal(read(g.hear, got, sizeof got), 24);
	wire_head(&h, ABI_SERVE, 8, 1);
	assert_memory_equal(got, &h, 16);
	assert_memory_equal(got + 16, body, 8);
	assert_int_equal(link_send(&g.l, ABI_SERVE, body, 7, clock_deadline_ns(LATE), &g.err), -EMSGSIZE);
	link_close(&g.l);
	link_close(&g.l);
	assert_int_equal(read(g.hear, got, sizeof got), 16);
	wire_head(&h, ABI_BYE, 0, 2);
	assert_memory_equal(got, &h, 16);
	assert_int_equal(read(g.hear, got, sizeof got), 0);
	rig_release(&g);
}

static void call(void **state)
{
	uint8_t body[16];
	struct wire_writer w;
	struct wire_field f;
	struct rig g;

	rig_init(&g);
	say_hello(&g);
	assert_int_equal(rig_open(&g, false, LATE), 0);
	wire_writer_init(&w, body, sizeof body);
	wire_u64(&w, ABI_K_PORT, 5201);
	say(&g, ABI_READY, 1, body, w.len);
	assert_int_equal(link_call(&g.l, ABI_SERVE, NULL, 0, ABI_READY, clock_deadline_ns(LATE), &g.err), 0);
	assert_int_equal(wire_find(g.l.body, g.l.body_len, ABI_K_PORT, ABI_U64, &f), 1);
	assert_int_equal(f.u64, 5201);
	say(&g, ABI_RESULT, 2, NULL, 0);
	assert_int_equal(
		link_call(&g.l, ABI_SERVE, NULL, 0, ABI_READY, clock_deadline_ns(LATE), &g.err), -EBADMSG);
	assert_says(&g, "answered SERVE with RESULT instead of READY");
	rig_release(&g);
}

static void silent_from_the_start(void **state)
{
	struct rig g;

	rig_init(&g);
	assert_int_equal(rig_open(&g, false, SOON), -ETIMEDOUT);
	assert_says(&g, "did not say hello");
	assert_not_open(&g);
}

static void dead_from_the_start(void **state)
{
	struct rig g;

	rig_init(&g);
	shut(&g.say);
	assert_int_equal(rig_open(&g, false, LATE), -EPIPE);
	assert_says(&g, "ended before it said hello");
	assert_not_open(&g);
}

static void babbling_from_the_start(void **state)
{
	struct rig g;

	rig_init(&g);
	say_bytes(&g, "exec failed\033[2J\n!", 17);
	assert_int_equal(rig_open(&g, false, LATE), -EBADMSG);
	assert_says(&g, "sent 17 bytes that are no message: \"exec failed.[2J.!\"");
	assert_not_open(&g);
}

static void babbling_less_than_a_head(void **state)
{
	struct rig g;

	rig_init(&g);
	say_bytes(&g, "no\n", 3); /* need not wait for 16 bytes to know */
	assert_int_equal(rig_open(&g, false, LATE), -EBADMSG);
	assert_says(&g, "sent 3 bytes that are no message: \"no.\"");
	assert_not_open(&g);
}

static void other_version(void **state)
{
	struct abi_head h;
	struct rig g;

	rig_init(&g);
	wire_head(&h, ABI_HELLO, 0, 0);
	h.version = 7;
	say_bytes(&g, &h, sizeof h);
	assert_int_equal(rig_open(&g, false, LATE), -EPROTONOSUPPORT);
	assert_says(&g, "speaks version 7 of the protocol, not 1");
	assert_not_open(&g);
}

static void result_before_hello(void **state)
{
	struct rig g;

	rig_init(&g);
	say(&g, ABI_RESULT, 0, NULL, 0);
	assert_int_equal(rig_open(&g, false, LATE), -EBADMSG);
	assert_says(&g, "before it said hello");
	assert_not_open(&g);
}

static void error_instead_of_hello(void **state)
{
	uint8_t body[64];
	struct wire_writer w;
	struct rig g;

	rig_init(&g);
	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, ABI_K_TEXT, "no memory for results");
	wire_u64(&w, ABI_K_ERRNO, ENOMEM);
	say(&g, ABI_ERROR, 0, body, w.len);
	assert_int_equal(rig_open(&g, false, LATE), -ENOMEM);
	assert_string_equal(g.err.msg, "test agent: no memory for results");
	rig_release(&g);
}

static void noise_is_skipped(void **state)
{
	struct rig g;

	rig_init(&g);
	/* Also noise that looks like a beginning, or like all of the magic. */
	say_bytes(&g, "[ 0.1] Linux\r\nVTVTA VTAX and more boot chatter\r\nV", 50);
	say_hello(&g);
	say(&g, ABI_READY, 1, NULL, 0);
	assert_int_equal(rig_open(&g, true, LATE), 0);
	assert_string_equal(g.l.build, "9.9");
	assert_int_equal(link_call(&g.l, ABI_SERVE, NULL, 0, ABI_READY, clock_deadline_ns(LATE), &g.err), 0);
	/* After hello nothing is skipped any more. */
	say_bytes(&g, "panic", 5);
	assert_int_equal(receive(&g, LATE), -EBADMSG);
	assert_says(&g, "sent 5 bytes that are no message: \"panic\"");
	rig_release(&g);
}

static void noise_and_no_hello(void **state)
{
	struct rig g;

	rig_init(&g);
	say_bytes(&g, "Kernel panic - not syncing", 26);
	shut(&g.say);
	assert_int_equal(rig_open(&g, true, LATE), -EPIPE);
	assert_says(&g, "the last it said was \"Kernel panic - not syncing\"");
	assert_not_open(&g);
	rig_init(&g);
	say_bytes(&g, "waiting for root device", 23);
	assert_int_equal(rig_open(&g, true, SOON), -ETIMEDOUT);
	assert_says(&g, "the last it said was \"waiting for root device\"");
	assert_not_open(&g);
}

/* A child that acts as the agent; the link's ends are closed in it. */
static pid_t agent(struct rig *g, void (*act)(struct rig *g))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		shut(&g->say);
		return pid;
	}
	signal(SIGPIPE, SIG_DFL);
	close(g->l.in >= 0 ? g->l.in : g->in);
	close(g->l.out >= 0 ? g->l.out : g->out);
	act(g);
	_exit(0);
}

static void reap(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void act_noise(struct rig *g)
{
	char line[4096];

	memset(line, '.', sizeof line);
	for (;;)
		if (write(g->say, line, sizeof line) < 0)
			_exit(1);
}

static void endless_noise(void **state)
{
	struct rig g;
	pid_t pid;

	rig_init(&g);
	pid = agent(&g, act_noise);
	assert_int_equal(rig_open(&g, true, LATE), -EBADMSG);
	assert_says(&g, "sent more than 1048576 bytes without a hello");
	assert_not_open(&g);
	reap(pid);
}

static void marks_then_result(void **state)
{
	uint8_t body[16];
	struct wire_writer w;
	struct wire_field f;
	struct rig g;

	rig_ready(&g);
	for (int i = 0; i < 2; i++) {
		wire_writer_init(&w, body, sizeof body);
		wire_u64(&w, ABI_K_MARK, (uint64_t)i);
		say(&g, ABI_MARK, 1, body, w.len);
	}
	say(&g, ABI_RESULT, 1, NULL, 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(receive(&g, LATE), ABI_MARK);
		assert_int_equal(wire_find(g.l.body, g.l.body_len, ABI_K_MARK, ABI_U64, &f), 1);
		assert_int_equal(f.u64, i);
	}
	assert_int_equal(receive(&g, LATE), ABI_RESULT);
	assert_int_equal(g.l.body_len, 0);
	rig_release(&g);
}

static void falls_silent(void **state)
{
	struct rig g;

	rig_ready(&g);
	assert_int_equal(receive(&g, SOON), -ETIMEDOUT);
	assert_says(&g, "test agent fell silent for 0.0 s");
	assert_int_equal(g.err.kind, VT_ERR_INVALID);
	/* Silence is no breach: it may still answer. Even a deadline long past reads what is there. */
	say(&g, ABI_RESULT, 1, NULL, 0);
	assert_int_equal(link_receive(&g.l, 1, NULL, &g.err), ABI_RESULT);
	rig_release(&g);
}

static void message_in_pieces(void **state)
{
	uint8_t frame[16 + 16];
	struct abi_head h;
	struct wire_writer w;
	struct rig g;

	rig_ready(&g);
	wire_head(&h, ABI_RESULT, 16, 1);
	memcpy(frame, &h, sizeof h);
	wire_writer_init(&w, frame + 16, 16);
	wire_u64(&w, ABI_K_OPS, 42);
	for (size_t i = 0; i < sizeof frame; i++) {
		if (i == 20) {
			assert_int_equal(link_receive(&g.l, 1, NULL, &g.err), -ETIMEDOUT);
			assert_says(&g, "in the middle of a RESULT (20 of 32 bytes)");
		}
		assert_int_equal(link_receive(&g.l, 1, NULL, &g.err), -ETIMEDOUT);
		say_bytes(&g, frame + i, 1);
	}
	assert_int_equal(receive(&g, LATE), ABI_RESULT);
	assert_int_equal(g.l.body_len, 16);
	assert_memory_equal(g.l.body, frame + 16, 16);
	rig_release(&g);
}

static void dies_anywhere_in_a_message(void **state)
{
	uint8_t frame[16 + 16] = { 0 };
	struct abi_head h;
	struct rig g;

	wire_head(&h, ABI_RESULT, 16, 1);
	memcpy(frame, &h, sizeof h);
	for (size_t n = 0; n < sizeof frame; n++) {
		rig_ready(&g);
		say_bytes(&g, frame, n);
		shut(&g.say);
		assert_int_equal(receive(&g, LATE), -EPIPE);
		assert_says(&g, n == 0	 ? "ended unexpectedly"
				: n < 16 ? "ended in the middle of a message"
					 : "ended in the middle of a RESULT");
		rig_release(&g);
	}
}

static void breaches(void **state)
{
	static const struct {
		uint16_t type;
		uint32_t length, serial;
		const char *says;
	} rows[] = {
		{ ABI_RESULT, ABI_BODY_MAX + 8, 1, "announced a message of 4194312 bytes" },
		{ ABI_RESULT, UINT32_MAX, 1, "announced a message of 4294967295 bytes" },
		{ ABI_RESULT, 12, 1, "announced a message of 12 bytes" },
		{ ABI_RESULT, 0, 2, "an answer to what was not asked" },
		{ ABI_RESULT, 0, 1u << 30, "an answer to what was not asked" },
		{ ABI_HELLO, 0, 0, "it has started anew" },
		{ ABI_LOAD, 0, 1, "type 4 (LOAD), which is not for an agent to send" },
		{ 999, 0, 1, "type 999 (unknown)" },
	};
	struct abi_head h;
	struct rig g;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		rig_ready(&g);
		wire_head(&h, rows[i].type, rows[i].length, rows[i].serial);
		say_bytes(&g, &h, sizeof h);
		say(&g, ABI_RESULT, 1, NULL, 0); /* what follows a breach is not believed */
		assert_int_equal(receive(&g, LATE), -EBADMSG);
		assert_says(&g, rows[i].says);
		assert_int_equal(g.err.kind, VT_ERR_INVALID);
		assert_int_equal(receive(&g, LATE), -EPIPE);
		assert_int_equal(link_send(&g.l, ABI_STOP, NULL, 0, clock_deadline_ns(LATE), &g.err), -EPIPE);
		assert_says(&g, "its link is broken");
		rig_release(&g);
	}
}

static void malformed_bodies(void **state)
{
	static const struct abi_field heads[] = {
		{ 1, ABI_BYTES, 9 },				/* past the end */
		{ 1, ABI_BYTES, 0xfffffff9 },			/* whose padding would wrap */
		{ 1, ABI_U64, 4 }, { ABI_K_TEXT, ABI_TEXT, 8 }, /* NULs */
	};
	uint8_t body[16] = { 0 };
	struct rig g;

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		rig_ready(&g);
		memcpy(body, &heads[i], sizeof heads[i]);
		say(&g, ABI_RESULT, 1, body, sizeof body);
		assert_int_equal(receive(&g, LATE), -EBADMSG);
		assert_says(&g, "fields are malformed at byte 0 of 16");
		rig_release(&g);
	}
}

static void remote_errors(void **state)
{
	static const struct {
		uint64_t number;
		int code;
	} rows[] = {
		{ EADDRINUSE, -EADDRINUSE },
		{ 0, -EREMOTEIO },
		{ ETIMEDOUT, -EREMOTEIO },
		{ EINTR, -EREMOTEIO },
		{ UINT64_MAX, -EREMOTEIO },
		{ UINT64_C(0x100000001), -EREMOTEIO },
	};
	uint8_t body[128];
	struct wire_writer w;
	struct rig g;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		rig_ready(&g);
		wire_writer_init(&w, body, sizeof body);
		wire_text(&w, ABI_K_TEXT, "bad\033]0;title\007\nvtax: all is well\xc2\x9b");
		wire_u64(&w, ABI_K_ERRNO, rows[i].number);
		say(&g, ABI_ERROR, 1, body, w.len);
		assert_int_equal(receive(&g, LATE), rows[i].code);
		assert_string_equal(g.err.msg, "test agent: bad?]0;title??vtax: all is well??");
		assert_int_equal(g.err.kind, VT_ERR_HOST);
		/* The agent itself is fine. */
		say(&g, ABI_READY, 2, NULL, 0);
		assert_int_equal(
			link_call(&g.l, ABI_SERVE, NULL, 0, ABI_READY, clock_deadline_ns(LATE), &g.err), 0);
		rig_release(&g);
	}
	rig_ready(&g);
	say(&g, ABI_ERROR, 1, NULL, 0);
	assert_int_equal(receive(&g, LATE), -EREMOTEIO);
	assert_says(&g, "failed without saying why");
	rig_release(&g);
}

static void stale_serials_are_dropped(void **state)
{
	struct rig g;

	rig_ready(&g);
	assert_int_equal(link_send(&g.l, ABI_STOP, NULL, 0, clock_deadline_ns(LATE), &g.err), 0);
	say(&g, ABI_MARK, 1, NULL, 0);
	say(&g, ABI_ERROR, 1, NULL, 0);
	say(&g, ABI_RESULT, 0, NULL, 0);
	say(&g, ABI_RESULT, 2, NULL, 0);
	assert_int_equal(receive(&g, LATE), ABI_RESULT);
	assert_int_equal(g.l.head.serial, 2);
	assert_int_equal(receive(&g, SOON), -ETIMEDOUT);
	rig_release(&g);
}

static void only_stale_ones_run_out(void **state)
{
	struct rig g;

	rig_ready(&g);
	say(&g, ABI_MARK, 0, NULL, 0);
	say(&g, ABI_RESULT, 1, NULL, 0);
	assert_int_equal(link_receive(&g.l, 1, NULL, &g.err), -ETIMEDOUT);
	assert_says(&g, "sent other messages but no answer");
	assert_int_equal(receive(&g, LATE), ABI_RESULT);
	rig_release(&g);
}

/* Runs with stderr in a file, since that is where LOG frames go; gives the number of lines there. */
static unsigned lines_logged(unsigned frames, char *first, size_t size)
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	uint8_t body[64];
	struct wire_writer w;
	char line[256];
	unsigned n = 0;
	struct rig g;

	assert_non_null(f);
	dup2(fileno(f), STDERR_FILENO);
	rig_ready(&g);
	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, ABI_K_TEXT, "tick\033c\n");
	for (unsigned i = 0; i < frames; i++)
		say(&g, ABI_LOG, 12345 + i, body, w.len);
	say(&g, ABI_RESULT, 1, NULL, 0);
	assert_int_equal(receive(&g, LATE), ABI_RESULT);
	rig_release(&g);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	while (fgets(line, sizeof line, f))
		if (n++ == 0)
			snprintf(first, size, "%s", line);
	fclose(f);
	return n;
}

static void logs(void **state)
{
	char first[256];

	assert_int_equal(lines_logged(3, first, sizeof first), 3);
	assert_string_equal(first, "test agent: tick?c?\n");
	assert_int_equal(lines_logged(300, first, sizeof first), 101); /* and one that says so */
}

static void act_log_for_ever(struct rig *g)
{
	struct abi_head h;

	wire_head(&h, ABI_MARK, 0, 0);
	for (;;)
		if (write(g->say, &h, sizeof h) < 0)
			_exit(1);
}

static void flood_cannot_hold_us(void **state)
{
	struct rig g;
	pid_t pid;

	rig_ready(&g);
	pid = agent(&g, act_log_for_ever);
	assert_int_equal(receive(&g, SOON), -ETIMEDOUT);
	assert_says(&g, "sent other messages but no answer");
	rig_release(&g);
	reap(pid);
}

static volatile int cancel;

static void on_alarm(int sig)
{
	cancel = 1;
}

static void cancelled(void **state)
{
	struct sigaction sa = { .sa_handler = on_alarm }, old;
	struct rig g;

	rig_ready(&g);
	cancel = 1;
	assert_int_equal(link_receive(&g.l, clock_deadline_ns(LATE), &cancel, &g.err), -EINTR);
	/* What is already there is not thrown away, and the link goes on. */
	say(&g, ABI_MARK, 1, NULL, 0);
	assert_int_equal(link_receive(&g.l, clock_deadline_ns(LATE), &cancel, &g.err), ABI_MARK);
	cancel = 0;
	sigaction(SIGALRM, &sa, &old);
	alarm(1);
	assert_int_equal(link_receive(&g.l, clock_deadline_ns(LATE), &cancel, &g.err), -EINTR);
	sigaction(SIGALRM, &old, NULL);
	assert_says(&g, "cancelled while waiting");
	rig_release(&g);
}

static void *cancel_soon(void *arg)
{
	usleep(20000);
	__atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void cancelled_without_a_signal(void **state)
{
	pthread_t other;
	struct rig g;

	rig_ready(&g);
	cancel = 0;
	assert_int_equal(pthread_create(&other, NULL, cancel_soon, NULL), 0);
	assert_int_equal(link_receive(&g.l, clock_deadline_ns(LATE), &cancel, &g.err), -EINTR);
	pthread_join(other, NULL);
	rig_release(&g);
}

static void writing_to_the_dead(void **state)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	struct rig g;

	sigaction(SIGPIPE, &dfl, NULL); /* it would end this test */
	rig_ready(&g);
	shut(&g.hear);
	assert_int_equal(link_send(&g.l, ABI_STOP, NULL, 0, clock_deadline_ns(LATE), &g.err), -EPIPE);
	assert_says(&g, "is gone: it could not be sent a STOP");
	rig_release(&g);
	rig_ready(&g);
	shut(&g.hear);
	link_close(&g.l); /* says BYE */
	rig_release(&g);
}

static void does_not_read(void **state)
{
	static uint8_t body[1 << 20];
	struct rig g;

	rig_ready(&g);
	assert_int_equal(
		link_send(&g.l, ABI_LOAD, body, sizeof body, clock_deadline_ns(SOON), &g.err), -ETIMEDOUT);
	assert_says(&g, "did not take a LOAD");
	/* Part of it is in the pipe: another request would be read as the rest. */
	assert_int_equal(link_send(&g.l, ABI_STOP, NULL, 0, clock_deadline_ns(LATE), &g.err), -EPIPE);
	link_close(&g.l); /* must not block either */
	rig_release(&g);
}

static void act_large_reply(struct rig *g)
{
	static uint8_t body[ABI_BODY_MAX];
	struct abi_field f = { .key = 1, .type = ABI_BYTES, .length = ABI_BODY_MAX - 8 };
	struct abi_head h;

	memset(body, 'b', sizeof body);
	memcpy(body, &f, sizeof f);
	wire_head(&h, ABI_RESULT, sizeof body, 1);
	if (write(g->say, &h, sizeof h) < 0 || write(g->say, body, sizeof body) < 0)
		_exit(1);
}

static void largest_message(void **state)
{
	struct rig g;
	pid_t pid;

	rig_ready(&g);
	pid = agent(&g, act_large_reply);
	assert_int_equal(receive(&g, LATE), ABI_RESULT);
	assert_int_equal(g.l.body_len, ABI_BODY_MAX);
	assert_int_equal(g.l.body[ABI_BODY_MAX - 1], 'b');
	assert_int_equal(receive(&g, LATE), -EPIPE);
	rig_release(&g);
	reap(pid);
}

static void one_socket_for_both_ways(void **state)
{
	struct rig g = { .l = LINK_INIT };
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	g.in = g.out = s[0];
	g.say = s[1];
	g.hear = -1;
	say_hello(&g);
	assert_int_equal(rig_open(&g, false, LATE), 0);
	assert_int_equal(link_send(&g.l, ABI_STOP, NULL, 0, clock_deadline_ns(LATE), &g.err), 0);
	shut(&g.say); /* with our request unread: the socket says ECONNRESET */
	assert_int_equal(receive(&g, LATE), -EPIPE);
	assert_says(&g, "ended unexpectedly");
	rig_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello),
		cmocka_unit_test(what_is_sent),
		cmocka_unit_test(call),
		cmocka_unit_test(silent_from_the_start),
		cmocka_unit_test(dead_from_the_start),
		cmocka_unit_test(babbling_from_the_start),
		cmocka_unit_test(babbling_less_than_a_head),
		cmocka_unit_test(other_version),
		cmocka_unit_test(result_before_hello),
		cmocka_unit_test(error_instead_of_hello),
		cmocka_unit_test(noise_is_skipped),
		cmocka_unit_test(noise_and_no_hello),
		cmocka_unit_test(endless_noise),
		cmocka_unit_test(marks_then_result),
		cmocka_unit_test(falls_silent),
		cmocka_unit_test(message_in_pieces),
		cmocka_unit_test(dies_anywhere_in_a_message),
		cmocka_unit_test(breaches),
		cmocka_unit_test(malformed_bodies),
		cmocka_unit_test(remote_errors),
		cmocka_unit_test(stale_serials_are_dropped),
		cmocka_unit_test(only_stale_ones_run_out),
		cmocka_unit_test(logs),
		cmocka_unit_test(flood_cannot_hold_us),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(cancelled_without_a_signal),
		cmocka_unit_test(writing_to_the_dead),
		cmocka_unit_test(does_not_read),
		cmocka_unit_test(largest_message),
		cmocka_unit_test(one_socket_for_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
