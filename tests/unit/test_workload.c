/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Workloads against fake agents: a child that speaks the protocol from a script, well or badly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "workload/agents.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void frame(int fd, uint16_t type, uint32_t serial, const void *body, size_t len)
{
	struct abi_head h;

	wire_head(&h, type, (uint32_t)len, serial);
	if (write(fd, &h, sizeof h) != (ssize_t)sizeof h || (len && write(fd, body, len) != (ssize_t)len))
		_exit(9);
}

static uint32_t read_request(int fd, uint16_t *type)
{
	static char body[8192];
	struct abi_head h;

	if (read(fd, &h, sizeof h) != (ssize_t)sizeof h)
		_exit(0);
	if (h.length && read(fd, body, h.length) != (ssize_t)h.length)
		_exit(8);
	*type = h.type;
	return h.serial;
}

static void hello(int fd)
{
	uint8_t body[512];
	struct wire_writer w;

	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, ABI_K_BUILD, "fake");
	wire_u64(&w, ABI_K_PID, 1);
	wire_text(&w, ABI_K_CPUS_ALLOWED, "0");
	frame(fd, ABI_HELLO, 0, body, w.len);
}

static void mark(int fd, uint32_t serial, uint64_t which)
{
	uint8_t body[64];
	struct wire_writer w;

	wire_writer_init(&w, body, sizeof body);
	wire_u64(&w, ABI_K_MARK, which);
	frame(fd, ABI_MARK, serial, body, w.len);
}

enum manner { HEALTHY, NO_MARKS, MARKS_TWICE, MARKS_REVERSED, BAD_HIST, LONG_SERIES, INVENTED, NAMELESS, DIES };

static void result(int fd, uint32_t serial, enum manner how)
{
	static uint8_t body[512 << 10], blob[HIST_ENCODED_MAX];
	static const double zeros[5000];
	struct wire_writer w;
	struct hist h;
	long n;

	hist_init(&h);
	for (uint64_t i = 1; i <= 100; i++)
		hist_record(&h, i * 10);
	n = hist_encode(&h, blob, sizeof blob);
	wire_writer_init(&w, body, sizeof body);
	if (how == NAMELESS) {
		wire_f64(&w, ABI_K_VALUE, 1);
	} else {
		wire_text(&w, ABI_K_NAME, "transactions_per_s");
		wire_f64(&w, ABI_K_VALUE, 12345);
	}
	for (int i = 0; how == INVENTED && i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof name, "made_up_%d", i);
		wire_text(&w, ABI_K_NAME, name);
		wire_f64(&w, ABI_K_VALUE, i);
	}
	wire_text(&w, ABI_K_NAME, "retransmits");
	wire_f64(&w, ABI_K_VALUE, 0);
	wire_u64(&w, ABI_K_OPS, 100);
	wire_text(&w, ABI_K_NAME, "latency");
	wire_bytes(&w, ABI_K_HIST, blob, how == BAD_HIST ? (size_t)n / 2 : (size_t)n);
	if (how == LONG_SERIES) {
		wire_text(&w, ABI_K_NAME, "rate");
		wire_bytes(&w, ABI_K_SERIES, zeros, sizeof zeros);
	}
	frame(fd, ABI_RESULT, serial, body, w.len);
}

static void load_reply(int fd, uint32_t serial, enum manner how)
{
	if (how == DIES)
		_exit(0);
	if (how == MARKS_REVERSED)
		mark(fd, serial, 1);
	if (how != NO_MARKS)
		mark(fd, serial, 0);
	if (how == MARKS_TWICE)
		mark(fd, serial, 0);
	if (how != NO_MARKS && how != MARKS_REVERSED)
		mark(fd, serial, 1);
	result(fd, serial, how);
}

static void be_agent(int in, int out, enum manner how)
{
	uint16_t type;

	hello(out);
	for (;;) {
		uint32_t serial = read_request(in, &type);

		if (type == ABI_SERVE) {
			uint8_t body[64];
			struct wire_writer w;

			wire_writer_init(&w, body, sizeof body);
			wire_u64(&w, ABI_K_PORT, 12865);
			frame(out, ABI_READY, serial, body, w.len);
		} else if (type == ABI_LOAD) {
			load_reply(out, serial, how);
		} else if (type == ABI_STOP) {
			frame(out, ABI_RESULT, serial, NULL, 0);
		} else {
			_exit(0);
		}
	}
}

static pid_t start_agent(struct link *l, enum manner how)
{
	struct vt_err err = { 0 };
	int to[2], from[2];
	pid_t pid;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(to[1]);
		close(from[0]);
		be_agent(to[0], from[1], how);
	}
	close(to[0]);
	close(from[1]);
	*l = LINK_INIT;
	if (link_open(l, to[1], from[0], "fake agent", false, clock_deadline_ns(5 * NS_PER_S), &err) < 0)
		fail_msg("%s", err.msg);
	return pid;
}

static int marks_seen;

static void count_mark(void *arg, int which)
{
	assert_int_equal(which, marks_seen);
	marks_seen++;
}

static int run_against(enum manner how, struct trial_result *r, struct vt_err *err)
{
	struct link client, sut;
	pid_t a = start_agent(&client, how), b = start_agent(&sut, HEALTHY);
	struct trial_ctx ctx = {
		.client = &client,
		.sut = &sut,
		.address = "198.18.0.2",
		.bind_address = "0.0.0.0",
		.duration_ns = NS_PER_MS,
		.mark = count_mark,
	};
	struct workload w = { 0 };
	int n;

	marks_seen = 0;
	assert_int_equal(workload_parse(&w, "tcp_rr:request=100,response=200", err), 0);
	n = w.ops->run(&w, &ctx, r, err);
	workload_release(&w);
	link_close(&client);
	link_close(&sut);
	waitpid(a, NULL, 0);
	waitpid(b, NULL, 0);
	return n;
}

static void a_healthy_agent_gives_metrics(void **state)
{
	struct trial_result r = { 0 };
	struct vt_err err = { 0 };

	assert_int_equal(run_against(HEALTHY, &r, &err), 0);
	assert_int_equal(marks_seen, 2);
	assert_int_equal(r.ops, 100);
	assert_true(trial_metric_get(&r, "transactions_per_s") == 12345);
	assert_true(trial_metric_get(&r, "latency_p50_ns") == 500);
	assert_true(trial_metric_get(&r, "latency_max_ns") == 1000);
	assert_int_equal(r.ngates, 0);
	trial_result_release(&r);
}

static void a_bad_agent_ends_the_trial_only(void **state)
{
	static const enum manner bad[] = { NO_MARKS, MARKS_TWICE, MARKS_REVERSED, BAD_HIST, LONG_SERIES, NAMELESS, DIES };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct trial_result r = { 0 };
		struct vt_err err = { 0 };

		if (run_against(bad[i], &r, &err) == 0)
			fail_msg("manner %d was accepted", bad[i]);
		assert_non_null(strstr(err.msg, "fake agent"));
		trial_result_release(&r);
	}
}

static void invented_metrics_are_dropped(void **state)
{
	struct trial_result r = { 0 };
	struct vt_err err = { 0 };

	assert_int_equal(run_against(INVENTED, &r, &err), 0);
	assert_true(isnan(trial_metric_get(&r, "made_up_1")));
	trial_result_release(&r);
}

static void parses_and_suggests(void **state)
{
	struct workload w = { 0 };
	struct vt_err err = { 0 };

	assert_true(workload_parse(&w, "tcp_rrr", &err) < 0);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_non_null(strstr(err.msg, "'tcp_rr'"));
	assert_true(workload_parse(&w, "tcp_rr:requst=1", &err) < 0);
	assert_non_null(strstr(err.msg, "request"));
	assert_true(workload_parse(&w, "udp_stream:message=10", &err) < 0);
	assert_non_null(strstr(err.msg, "24"));
	assert_true(workload_parse(&w, "tcp_rr:request=0", &err) < 0);
	assert_true(workload_parse(&w, "tcp_rr:request=1,request=2", &err) < 0);
}

static void expands_globs(void **state)
{
	_cleanup_strvec_ struct strvec v = STRVEC_INIT;
	struct vt_err err = { 0 };

	assert_int_equal(workload_expand("tcp_*", &v, &err), 0);
	assert_int_equal(v.n, 4);
	assert_int_equal(workload_expand("tcp_rr:nodelay=*", &v, &err), 0);
	assert_int_equal(v.n, 6);
	assert_true(workload_expand("xyz*", &v, &err) < 0);
	assert_int_equal(v.n, 6);
}

/* Every metric has a unit, exactly one is primary first, and names are unique but for the primary's repeat. */
static void tables_are_sound(void **state)
{
	for (size_t i = 0; workload_registry[i]; i++) {
		const struct workload_ops *ops = workload_registry[i];
		unsigned primary = 0;

		assert_non_null(ops->run);
		assert_non_null(ops->ports);
		for (const struct metric_def *m = ops->metrics; m->name; m++) {
			assert_non_null(m->unit);
			assert_non_null(m->summary);
			primary += m->primary;
		}
		assert_int_equal(primary, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_agent_gives_metrics), cmocka_unit_test(a_bad_agent_ends_the_trial_only),
		cmocka_unit_test(invented_metrics_are_dropped),	 cmocka_unit_test(parses_and_suggests),
		cmocka_unit_test(expands_globs),		 cmocka_unit_test(tables_are_sound),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
