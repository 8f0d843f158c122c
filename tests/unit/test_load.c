/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * src/load: the pure parts, then every kernel with both sides over real sockets of the loopback device, then
 * bad peers. Durations are short and nothing is asserted about speed: only that the counts agree.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/arrivals.h"
#include "load/group.h"
#include "load/relay.h"
#include "load/sock.h"
#include "load/tick.h"
#include "load_sides.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* --- pure parts --- */

static void params_are_checked(void **state)
{
	struct kernel_params in = { .duration_ns = NS_PER_S }, out = { .streams = 77 };
	struct vt_err err;

	assert_int_equal(kernel_params_check(&out, &in, true, &err), 0);
	assert_true(out.streams == 1 && out.request_bytes == 1 && out.response_bytes == 1);
	in.tick_ns = 10;
	assert_int_equal(kernel_params_check(&out, &in, true, &err), 0);
	assert_true(in.duration_ns / out.tick_ns <= KERNEL_TICKS_MAX);
	in.streams = KERNEL_STREAMS_MAX + 1;
	assert_int_equal(kernel_params_check(&out, &in, true, &err), -EINVAL);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_int_equal(out.streams, 1);
	in.streams = 1;
	in.response_bytes = KERNEL_BYTES_MAX + 1;
	assert_int_equal(kernel_params_check(&out, &in, true, NULL), -EINVAL);
	in.response_bytes = 0;
	in.warmup_ns = UINT64_MAX;
	assert_int_equal(kernel_params_check(&out, &in, true, NULL), -EINVAL);
	in.warmup_ns = in.duration_ns = 0;
	assert_int_equal(kernel_params_check(&out, &in, true, NULL), -EINVAL);
	assert_int_equal(kernel_params_check(&out, &in, false, NULL), 0);
}

static void table_is_complete(void **state)
{
	for (unsigned i = 0; kernels[i]; i++) {
		assert_ptr_equal(kernel_find(kernels[i]->name), kernels[i]);
		assert_non_null(kernels[i]->load);
		assert_non_null(kernels[i]->summary);
		assert_true(!kernels[i]->serve == !kernels[i]->stop);
	}
	assert_null(kernel_find("tcp"));
}

static void ticks_hold_what_was_done_before(void **state)
{
	double rate[4] = { 1, 0, 0, 0 };
	struct ticks t;

	assert_int_equal(ticks_init(&t, 100, 3), 0);
	ticks_begin(&t, 1000);
	ticks_at(&t, 1099, 5); /* not yet */
	assert_int_equal(t.n, 0);
	ticks_at(&t, 1100, 6);
	ticks_at(&t, 1301, 8);	 /* two at once */
	ticks_at(&t, 9999, 100); /* past the last */
	assert_int_equal(t.n, 3);
	assert_int_equal(ticks_add_rates(&t, 2, rate), 3);
	assert_true(rate[0] == 1 + 6 * 2 * 1e7 && rate[1] == 2 * 2 * 1e7 && rate[2] == 0 && rate[3] == 0);
	ticks_begin(&t, 0);
	assert_int_equal(t.n, 0);
	ticks_release(&t);
	assert_int_equal(ticks_init(&t, 0, 3), 0);
	ticks_begin(&t, 1);
	ticks_at(&t, UINT64_MAX - 1, 1);
	assert_int_equal(t.n, 0);
}

static void arrivals_are_told_apart(void **state)
{
	_cleanup_free_ struct arrivals *a = calloc(1, sizeof *a);
	const uint64_t in_order[] = { 0, 1, 2, 5 };

	assert_non_null(a);
	for (size_t i = 0; i < ARRAY_SIZE(in_order); i++)
		assert_true(arrivals_add(a, in_order[i], 0, 0));
	assert_true(a->received == 4 && a->reordered == 0 && a->duplicates == 0);
	assert_true(arrivals_add(a, 3, 0, 0));
	assert_false(arrivals_add(a, 3, 0, 0));
	assert_false(arrivals_add(a, 5, 0, 0));
	assert_true(a->received == 5 && a->reordered == 1 && a->duplicates == 2);
	/* A jump past the window forgets; one inside it keeps what is still in reach, and clears what it
	 * reuses. */
	assert_true(arrivals_add(a, 5 + ARRIVALS_WINDOW, 0, 0));
	assert_true(arrivals_add(a, 6, 0, 0));
	assert_false(arrivals_add(a, 6, 0, 0));
	assert_true(
		arrivals_add(a, 5, 0, 0)); /* older than the window: reordered, it cannot be known better */
	assert_true(arrivals_add(a, 3 * UINT64_C(1000000), 0, 0));
	assert_true(arrivals_add(a, 3 * UINT64_C(1000000) - 1, 0, 0));
	assert_int_equal(a->received, 10);
	assert_int_equal(a->reordered, 4);
	assert_int_equal(a->duplicates, 3);
	assert_false(arrivals_add(a, UINT64_MAX, 0, 0));
}

static void jitter_is_that_of_rfc3550(void **state)
{
	_cleanup_free_ struct arrivals *a = calloc(1, sizeof *a);
	double expect = 0;

	/* Transits 100, 260, 100, 100, with clocks 2^40 ns apart: the offset must drop out. */
	const uint64_t transit[] = { 100, 260, 100, 100 }, d[] = { 0, 160, 160, 0 };

	assert_non_null(a);
	for (uint64_t i = 0; i < 4; i++) {
		arrivals_add(a, i, (UINT64_C(1) << 40) + i * 1000, i * 1000 + transit[i]);
		if (i > 0)
			expect += ((double)d[i] - expect) / 16;
		assert_true(fabs(a->jitter_ns - expect) < 1e-9);
	}
	assert_true(expect > 0);
}

static void block(void *arg)
{
	struct group *g = arg;
	int p[2];
	char c;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	while (!group_stopping(g))
		assert_int_equal(read(p[0], &c, 1), -1);
	close(p[0]);
	close(p[1]);
}

static void group_wakes_blocked_threads(void **state)
{
	struct group g;

	group_init(&g);
	for (int i = 0; i < 5; i++)
		assert_int_equal(group_spawn(&g, "block", block, &g, NULL), 0);
	assert_false(group_wait(&g, clock_deadline_ns(NS_PER_MS)));
	group_release(&g);
	assert_int_equal(g.running, 0);
}

/* --- kernels, both sides --- */

static void check_transactions(const struct heard *h)
{
	assert_int_equal(h->ops, h->latency.n);
	assert_true(h->latency.min > 0 && h->latency.max < 10 * NS_PER_S);
	assert_true(metric(h, "transactions_per_s") > 0);
}

static void transactions_agree(void **state)
{
	const char *const names[] = { "tcp_rr", "tcp_crr", "udp_rr" };
	struct sides s;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&s, names[i], "127.0.0.1");
		s.p.tick_ns = SHORT_NS / 5;
		run(&s);
		check_transactions(&s.client);
		assert_true(s.client.nseries == 1 && s.client.ticks >= 4 && s.client.ticks <= 5);
		/* What the ticks add up to is what was done, but for the operations of an unfinished tick. */
		assert_true(s.client.tick_sum / 100 <= (double)s.client.ops);
		/* Several streams, a warm-up, large and unequal messages, and no series. */
		start(&s, names[i], "127.0.0.1");
		s.p.streams = 3;
		s.p.warmup_ns = SHORT_NS / 5;
		s.p.request_bytes = 20000;
		s.p.response_bytes = 700;
		run(&s);
		check_transactions(&s.client);
		assert_int_equal(s.client.nseries, 0);
		assert_true(!(metric(&s.client, "lost_transactions") > 0));
		assert_true(!(metric(&s.client, "port_waits") > 0));
	}
}

static void streams_count_at_the_receiver(void **state)
{
	struct sides s;

	start(&s, "tcp_stream", "127.0.0.1");
	s.p.streams = 2;
	s.p.warmup_ns = SHORT_NS / 5;
	s.p.message_bytes = 10000;
	s.p.tick_ns = SHORT_NS / 5;
	run(&s);
	/* Everything sent was received: the flush is inside. */
	assert_true(metric(&s.client, "received_bytes") == (double)s.client.ops * 10000);
	assert_true(metric(&s.client, "elapsed_ns") >= (double)SHORT_NS);
	assert_true(fabs(metric(&s.client, "throughput_bits_per_s") * metric(&s.client, "elapsed_ns") / 8e9 /
				    metric(&s.client, "received_bytes") -
			    1) < 1e-9);
	assert_true(metric(&s.client, "cwnd_segments") > 0);
	assert_true(s.client.tick_sum > 0);

	start(&s, "tcp_maerts", "127.0.0.1");
	s.p.warmup_ns = SHORT_NS / 5;
	run(&s);
	assert_true(metric(&s.client, "received_bytes") > 0);
	assert_true(isnan(metric(&s.client, "retransmits"))); /* the sender's: */
	assert_true(metric(&s.at_server, "retransmits") >= 0);
	assert_true(metric(&s.at_server, "cwnd_segments") > 0);
}

static void udp_stream_counts_both_sides(void **state)
{
	struct sides s;
	double received;

	start(&s, "udp_stream", "127.0.0.1");
	s.p.message_bytes = 1000;
	s.p.streams = 2;
	s.p.warmup_ns = SHORT_NS / 5;
	s.p.interval_ns = 5 * NS_PER_MS;
	run(&s);
	received = metric(&s.at_server, "received_datagrams");
	assert_true(metric(&s.client, "sent_datagrams") == (double)s.client.ops);
	assert_true(metric(&s.client, "sent_bytes") == (double)s.client.ops * 1000);
	/* So few that the socket's buffer holds them all: nothing is lost, and the warm-up is not counted. */
	assert_true(received == (double)s.client.ops);
	assert_true(received <= 2 * (1 + SHORT_NS / s.p.interval_ns));
	assert_true(metric(&s.at_server, "received_bytes") == received * 1000);
	assert_true(metric(&s.at_server, "duplicate_datagrams") == 0);
	assert_true(metric(&s.at_server, "jitter_ns") >= 0);

	start(&s, "udp_stream", "127.0.0.1");
	run(&s); /* as fast as it goes: loss is allowed, invention is not */
	received = metric(&s.at_server, "received_datagrams");
	assert_true(received > 0 && received <= metric(&s.client, "sent_datagrams"));
	assert_true(metric(&s.client, "message_bytes") <= 65507);
}

static void ping_counts_echoes(void **state)
{
	struct sides s;

	if (geteuid() != 0)
		skip();
	start(&s, "ping", "127.0.0.1");
	s.p.message_bytes = 57; /* odd, for the checksum */
	run(&s);
	check_transactions(&s.client);
	assert_true(metric(&s.client, "lost_transactions") == 0);
	start(&s, "ping", "127.0.0.1");
	s.p.interval_ns = 10 * NS_PER_MS;
	s.p.streams = 2;
	run(&s);
	assert_true(s.client.ops <= 2 * (1 + SHORT_NS / s.p.interval_ns));
}

static void ipv6_works_too(void **state)
{
	const struct kernel_params probe = { .address = "::1" };
	struct sides s;
	uint16_t port;
	int fd = sock_bind(&probe, SOCK_DGRAM, &port, NULL);

	if (fd < 0)
		skip();
	close(fd);
	for (unsigned i = 0; kernels[i]; i++) {
		if (!kernels[i]->serve && geteuid() != 0)
			continue;
		start(&s, kernels[i]->name, "::1");
		snprintf(s.p.local_address, sizeof s.p.local_address, "::1");
		run(&s);
	}
}

/* --- bad peers --- */

static void bad_addresses_are_refused(void **state)
{
	struct sides s;
	struct kernel_params at = { .address = "127.0.0.1" };
	uint16_t free_port;
	int fd = sock_bind(&at, SOCK_STREAM, &free_port, NULL);

	assert_true(fd >= 0);
	close(fd);
	for (unsigned i = 0; kernels[i]; i++) {
		bool udp = strncmp(kernels[i]->name, "udp", 3) == 0;

		start(&s, kernels[i]->name, "localhost");
		assert_int_equal(load(&s), -EINVAL);
		assert_int_equal(s.err.kind, VT_ERR_USAGE);
		assert_non_null(strstr(s.err.msg, "'localhost'"));
		if (!kernels[i]->serve)
			continue;
		assert_int_equal(s.kernel->serve(&s.server, &s.p, &s.p.port, &s.err), -EINVAL);
		assert_null(s.server);
		start(&s, kernels[i]->name, "127.0.0.1");
		s.p.port = free_port;
		assert_int_equal(load(&s), -ECONNREFUSED);
		assert_non_null(strstr(s.err.msg, udp ? "first datagram" : "cannot connect"));
		assert_int_equal(s.client.marks[0], 0);
		snprintf(s.p.address, sizeof s.p.address, "192.0.2.1"); /* nobody's address cannot be bound */
		assert_true(s.kernel->serve(&s.server, &s.p, &s.p.port, &s.err) < 0);
	}
}

static void sizes_are_checked(void **state)
{
	struct sides s;

	start(&s, "udp_stream", "127.0.0.1");
	s.p.message_bytes = 23;
	assert_int_equal(load(&s), -EINVAL);
	start(&s, "udp_rr", "127.0.0.1");
	s.p.request_bytes = 65508;
	assert_int_equal(load(&s), -EINVAL);
	start(&s, "ping", "127.0.0.1");
	s.p.message_bytes = 65001;
	assert_int_equal(load(&s), -EINVAL);
}

/* A server that listens and never answers: connected by the backlog, then nothing. */
static void silent_server_is_an_error(void **state)
{
	const char *const names[] = { "tcp_rr", "tcp_crr", "tcp_maerts" };
	struct kernel_params at = { .address = "127.0.0.1" };
	struct sides s;
	uint16_t port;
	int fd = sock_bind(&at, SOCK_STREAM, &port, NULL);

	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(&s, names[i], "127.0.0.1");
		s.p.port = port;
		s.p.streams = 2;
		s.p.duration_ns = 30 * NS_PER_S;
		s.p.timeout_ns = 150 * NS_PER_MS;
		assert_int_equal(load(&s), -ETIMEDOUT);
		assert_non_null(strstr(s.err.msg, "reachable?"));
	}
	close(fd);
}

struct killer {
	struct sides *s;
	volatile int *cancel;
};

static void *strike(void *arg)
{
	struct killer *k = arg;

	clock_sleep_until(clock_deadline_ns(SHORT_NS));
	if (k->cancel)
		__atomic_store_n(k->cancel, 1, __ATOMIC_RELAXED);
	else
		stop(k->s);
	return NULL;
}

static void dying_server_is_noticed(void **state)
{
	for (unsigned i = 0; kernels[i]; i++) {
		bool tcp = strncmp(kernels[i]->name, "tcp", 3) == 0;
		struct sides s;
		struct killer k = { &s, NULL };
		pthread_t t;
		int rc;

		if (!kernels[i]->serve)
			continue;
		start(&s, kernels[i]->name, "127.0.0.1");
		serve(&s);
		s.p.duration_ns = tcp ? 30 * NS_PER_S : 6 * SHORT_NS;
		s.p.timeout_ns = 10 * NS_PER_MS;
		if (tcp)
			s.p.timeout_ns = 5 * NS_PER_S;
		assert_int_equal(pthread_create(&t, NULL, strike, &k), 0);
		rc = load(&s);
		pthread_join(t, NULL);
		if (tcp) {
			assert_true(rc < 0 && rc != -ETIMEDOUT);
			assert_true(s.err.msg[0] != '\0');
		} else if (strcmp(kernels[i]->name, "udp_rr") == 0) {
			assert_int_equal(rc, 0);
			check_transactions(&s.client);
			assert_true(metric(&s.client, "lost_transactions") > 0);
		}
	}
}

static void cancel_ends_soon(void **state)
{
	for (unsigned i = 0; kernels[i]; i++) {
		struct sides s;
		struct killer k = { &s, &s.client.cancel };
		struct kernel_sink out;
		uint64_t begin = clock_now_ns();
		pthread_t t;

		if (!kernels[i]->serve && geteuid() != 0)
			continue;
		start(&s, kernels[i]->name, "127.0.0.1");
		serve(&s);
		s.p.duration_ns = 60 * NS_PER_S;
		s.p.interval_ns = 40 * NS_PER_S;
		out = sink_of(&s.client);
		assert_int_equal(pthread_create(&t, NULL, strike, &k), 0);
		assert_int_equal(s.kernel->load(&s.p, &out, &s.err), -EINTR);
		pthread_join(t, NULL);
		assert_true(clock_now_ns() - begin < 30 * NS_PER_S);
		stop(&s);
	}
}

/* Answers each request only when the next has come: every answer is one transaction late. */
static void answer_late(void *arg)
{
	int fd = *(int *)arg;
	char last[64], data[64];
	struct sock_addr from = { .len = sizeof from.any };
	ssize_t n = recvfrom(fd, last, sizeof last, 0, &from.sa, &from.len);

	if (n > 0)
		sendto(fd, last, (size_t)n, 0, &from.sa, from.len); /* the greeting is answered at once */
	for (bool first = true; (n = recv(fd, data, sizeof data, 0)) > 0; first = false) {
		if (!first)
			sendto(fd, last, (size_t)n, 0, &from.sa, from.len);
		memcpy(last, data, (size_t)n);
	}
}

static void late_answers_do_not_count(void **state)
{
	const uint32_t sizes[] = { 1, 8 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct group g;
		struct sides s;
		int fd;

		start(&s, "udp_rr", "127.0.0.1");
		fd = sock_bind(&s.p, SOCK_DGRAM, &s.p.port, &s.err);
		assert_true(fd >= 0);
		group_init(&g);
		assert_int_equal(group_spawn(&g, "late", answer_late, &fd, NULL), 0);
		s.p.request_bytes = s.p.response_bytes = sizes[i];
		s.p.timeout_ns = 5 * NS_PER_MS;
		assert_int_equal(load(&s), 0);
		assert_int_equal(s.client.ops, 0);
		assert_int_equal(s.client.latency.n, 0);
		assert_true(metric(&s.client, "lost_transactions") >= 2);
		group_release(&g);
		close(fd);
	}
}

/* A sink that claims more than it can have got. */
static void lie(void *arg)
{
	int fd = accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);
	uint64_t answer[2] = { UINT64_MAX / 2, 1 };
	char data[4096];

	while (recv(fd, data, sizeof data, 0) > 0)
		;
	sock_send_all(fd, answer, sizeof answer);
	close(fd);
}

static void lying_sink_is_caught(void **state)
{
	struct group g;
	struct sides s;
	int fd;

	start(&s, "tcp_stream", "127.0.0.1");
	fd = sock_bind(&s.p, SOCK_STREAM, &s.p.port, &s.err);
	assert_true(fd >= 0);
	group_init(&g);
	assert_int_equal(group_spawn(&g, "lie", lie, &fd, NULL), 0);
	assert_int_equal(load(&s), -EPROTO);
	group_release(&g);
	close(fd);
}

/* --- relay --- */

struct relaying {
	struct relay_config config;
	int rc;
};

static void *relay_main(void *arg)
{
	struct relaying *r = arg;

	r->rc = relay_run(&r->config, NULL);
	return NULL;
}

static void relay_adds_its_delay(void **state)
{
	const char *const names[] = { "tcp_rr", "udp_rr", "tcp_stream", "tcp_crr" };
	const uint64_t delay = 2 * NS_PER_MS;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct relaying r = { .rc = -1 };
		int ready[2], stop_pipe[2];
		char said[8] = "";
		struct sides s;
		pthread_t t;

		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
		assert_int_equal(pipe2(stop_pipe, O_CLOEXEC), 0);
		start(&s, names[i], "127.0.0.3");
		s.p.message_bytes = 100000;
		serve(&s);
		r.config = (struct relay_config){ "127.0.0.2", "127.0.0.3", delay, &s.p.port, 1, ready[1],
			stop_pipe[0] };
		assert_int_equal(pthread_create(&t, NULL, relay_main, &r), 0);
		assert_int_equal(read(ready[0], said, sizeof said), 6);
		assert_memory_equal(said, "ready\n", 6);
		snprintf(s.p.address, sizeof s.p.address, "127.0.0.2");
		if (load(&s) < 0)
			fail_msg("%s: %s", names[i], s.err.msg);
		if (i != 2)
			assert_true(s.client.latency.n > 0 && s.client.latency.min >= delay);
		else
			assert_true(metric(&s.client, "received_bytes") == (double)s.client.ops * 100000);
		close(stop_pipe[1]);
		pthread_join(t, NULL);
		assert_int_equal(r.rc, 0);
		stop(&s);
		close(ready[0]);
		close(ready[1]);
		close(stop_pipe[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(params_are_checked),
		cmocka_unit_test(table_is_complete),
		cmocka_unit_test(ticks_hold_what_was_done_before),
		cmocka_unit_test(arrivals_are_told_apart),
		cmocka_unit_test(jitter_is_that_of_rfc3550),
		cmocka_unit_test(group_wakes_blocked_threads),
		cmocka_unit_test(transactions_agree),
		cmocka_unit_test(streams_count_at_the_receiver),
		cmocka_unit_test(udp_stream_counts_both_sides),
		cmocka_unit_test(ping_counts_echoes),
		cmocka_unit_test(ipv6_works_too),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(sizes_are_checked),
		cmocka_unit_test(silent_server_is_an_error),
		cmocka_unit_test(dying_server_is_noticed),
		cmocka_unit_test(cancel_ends_soon),
		cmocka_unit_test(late_answers_do_not_count),
		cmocka_unit_test(lying_sink_is_caught),
		cmocka_unit_test(relay_adds_its_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
