/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load engine against a small server of each protocol, honest and not, over loopback. Counts are exact
 * wherever "every request once" is asked; where a schedule is involved, what is compared is arithmetic on the
 * same clock, and only one side of it can suffer from a busy machine.
 */
#include "base/cleanup.h"
#include "load/engine/engine.h"
#include "engine_server.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static const char *const paths[] = { "/", NULL };
static const char *const names[] = { "a.test", "www.example.test", "mail.example.test", NULL };

static struct proto_options requests(uint32_t n)
{
	return (struct proto_options){
		.requests = n,
		.seed = 1,
		.update = 0.3,
		.records = { .n = 200, .key_bytes = 6, .value_bytes = VALUE_BYTES },
		.paths = paths,
		.body_bytes = 5,
		.names = names,
	};
}

/* Runs *k against *s (NULL: in process) with these requests. Fails the test when the engine cannot run. */
static struct engine_result drive(const char *name, struct server *s, struct engine_config *k,
	const struct proto_options *o)
{
	struct vt_err err = { .code = 0 };
	struct engine_result r;
	struct proto_pool pool;

	k->proto = proto_find(name);
	assert_non_null(k->proto);
	assert_int_equal(proto_render(k->proto, &pool, o, &err), 0);
	k->pool = &pool;
	if (s) {
		assert_int_equal(server_begin(s), 0);
		assert_int_equal(sock_addr_parse(&k->to, "127.0.0.1", s->port, &err), 0);
	}
	if (engine_run(k, &r, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	if (s)
		server_end(s);
	proto_pool_release(&pool);
	return r;
}

/* Every request of the pool once, and all answers right. */
static void check_once(const char *name, struct server s, uint32_t connections, uint32_t depth,
	uint32_t threads)
{
	struct engine_config k = { .connections = connections, .depth = depth, .threads = threads,
		.once = true };
	struct proto_options o = requests(1000);
	struct engine_result r = drive(name, s.answer ? &s : NULL, &k, &o);

	if (strcmp(name, "http") != 0 && strncmp(name, "dns", 3) != 0)
		assert_int_equal(r.counts.sent, 1000);
	assert_int_equal(r.counts.ok, r.counts.sent);
	assert_int_equal(engine_errors(&r.counts), 0);
	assert_int_equal(r.service->n, r.counts.ok);
	assert_int_equal(r.counts.miss, 0);
	assert_int_equal(r.nthreads, threads);
	if (s.answer)
		assert_int_equal(s.requests, r.counts.sent);
	engine_result_release(&r);
}

static void every_protocol(void **state)
{
	static const struct {
		const char *name;
		struct server s;
	} row[] = {
		{ "memcached", { .answer = memcached_answer } },
		{ "memcached-binary", { .answer = binary_answer } },
		{ "redis", { .answer = redis_answer } },
		{ "http", { .answer = http_answer } },
		{ "dns", { .answer = dns_answer, .type = SOCK_DGRAM } },
		{ "dns-tcp", { .answer = dns_answer } },
		{ "null", { .answer = NULL } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		check_once(row[i].name, row[i].s, 1, 1, 1);
		check_once(row[i].name, row[i].s, 7, 1, 2);
		check_once(row[i].name, row[i].s, 3, 16, 1);
	}
	check_once("dns-tcp", (struct server){ .answer = dns_answer, .how = SHUFFLE }, 2, 8, 1);
	check_once("redis", (struct server){ .answer = redis_answer, .how = DRIP }, 2, 4, 1);
	check_once("http", (struct server){ .answer = http_answer, .how = DRIP }, 2, 1, 1);
}

static void greeting(void **state)
{
	struct server s = { .answer = redis_answer };
	struct engine_config k = { .connections = 3, .depth = 4, .once = true };
	struct proto_options o = requests(300);
	struct engine_result r;

	o.resp3 = true;
	r = drive("redis", &s, &k, &o);
	assert_int_equal(r.counts.ok, 300);
	assert_int_equal(s.requests, 303);
	engine_result_release(&r);
}

static void populate(void **state)
{
	struct server s = { .answer = memcached_answer };
	struct engine_config k = { .connections = 4, .threads = 2, .depth = 3, .once = true };
	struct proto_options o = requests(0);
	struct engine_result r;

	o.mix = PROTO_POPULATE;
	r = drive("memcached", &s, &k, &o);
	assert_int_equal(r.counts.ok, 200);
	for (int i = 0; i < 200; i++)
		assert_int_equal(s.writes[i], 1);
	engine_result_release(&r);
}

/* A pool of three requests goes round under a deep pipeline. */
static void small_pool(void **state)
{
	struct server s = { .answer = redis_answer };
	struct engine_config k = { .connections = 2, .depth = 64, .duration_ns = 50 * NS_PER_MS,
		.tick_ns = 10 * NS_PER_MS };
	struct proto_options o = requests(3);
	struct engine_result r = drive("redis", &s, &k, &o);

	assert_true(r.counts.ok > 128);
	assert_int_equal(engine_errors(&r.counts), 0);
	assert_int_equal(r.counts.done, r.service->n);
	assert_true(r.ticks >= 4 && r.ticks <= 5);
	assert_true(r.achieved_per_s > 0 && r.cpu_ns > 0);
	engine_result_release(&r);
}

static void new_connection_per_request(void **state)
{
	struct server s = { .answer = http_answer };
	struct engine_config k = { .connections = 8, .threads = 2, .per_request = true, .once = true };
	struct proto_options o = requests(300);
	struct engine_result r;

	o.close = true;
	r = drive("http", &s, &k, &o);
	assert_int_equal(r.counts.ok, 300);
	assert_int_equal(r.counts.opened, 300);
	assert_int_equal(s.accepted, 300);
	assert_int_equal(engine_errors(&r.counts), 0);
	engine_result_release(&r);
}

/* The server keeps the connection; the client aborts it. */
static void new_connection_to_a_server_that_keeps(void **state)
{
	struct server s = { .answer = memcached_answer };
	struct engine_config k = { .connections = 4, .per_request = true, .abort_close = true, .once = true };
	struct proto_options o = requests(200);
	struct engine_result r = drive("memcached", &s, &k, &o);

	assert_int_equal(r.counts.ok, 200);
	assert_int_equal(r.counts.opened, 200);
	engine_result_release(&r);
}

static void announced_close_loses_nothing(void **state)
{
	for (uint32_t depth = 1; depth <= 4; depth *= 4) {
		struct server s = { .answer = http_answer, .how = CLOSE_THIRD };
		struct engine_config k = { .connections = 1, .depth = depth, .once = true };
		struct proto_options o = requests(100);
		struct engine_result r = drive("http", &s, &k, &o);

		assert_int_equal(r.counts.ok, 100);
		assert_int_equal(engine_errors(&r.counts), 0);
		assert_true(r.counts.opened >= 33);
		if (depth > 1)
			assert_true(r.counts.resent > 0);
		engine_result_release(&r);
	}
}

static void source_addresses(void **state)
{
	struct server s = { .answer = redis_answer };
	struct sock_addr local[2];
	struct engine_config k = { .connections = 6, .once = true, .local = local, .nlocal = 2 };
	struct proto_options o = requests(60);
	struct engine_result r;

	assert_int_equal(sock_addr_parse(&local[0], "127.0.0.2", 0, NULL), 0);
	assert_int_equal(sock_addr_parse(&local[1], "127.0.0.3", 0, NULL), 0);
	r = drive("redis", &s, &k, &o);
	assert_int_equal(r.counts.ok, 60);
	assert_true(s.peers[0] != s.peers[1] && s.peers[1] != 0);
	engine_result_release(&r);
}

/* --- hostile servers --- */

static struct engine_counts against(const char *name, struct server s, uint64_t timeout_ns)
{
	struct engine_config k = { .connections = 2, .duration_ns = 150 * NS_PER_MS,
		.timeout_ns = timeout_ns };
	struct proto_options o = requests(500);
	struct engine_counts n;
	struct engine_result r;

	o.update = 0;
	r = drive(name, &s, &k, &o);
	n = r.counts;
	assert_int_equal(r.service->n, n.ok);
	engine_result_release(&r);
	return n;
}

static void hostile_streams(void **state)
{
	static const struct {
		const char *name;
		size_t (*answer)(struct server *, const uint8_t *, size_t, struct buf *);
	} row[] = { { "memcached", memcached_answer }, { "redis", redis_answer }, { "http", http_answer },
		{ "memcached-binary", binary_answer } };

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct server s = { .answer = row[i].answer, .how = GARBAGE };
		struct engine_counts n = against(row[i].name, s, NS_PER_S);

		assert_true(n.garbage > 0 && n.ok == 0 && n.lost > 0);
		s.how = TWICE;
		n = against(row[i].name, s, NS_PER_S);
		assert_true(n.extra > 0 && n.ok > 0);
		s.how = NEVER;
		n = against(row[i].name, s, 20 * NS_PER_MS);
		assert_true(n.lost > 0 && n.ok == 0 && n.late == 0 && n.garbage == 0);
		s.how = EARLY_CLOSE;
		n = against(row[i].name, s, NS_PER_S);
		assert_true(n.closed > 0 && n.lost > 0 && n.short_ == 0 && n.ok == 0);
		s.how = RESET;
		n = against(row[i].name, s, NS_PER_S);
		assert_true(n.reset > 0 && n.lost > 0 && n.ok == 0);
		s.how = HALF_CLOSE;
		n = against(row[i].name, s, NS_PER_S);
		assert_true(n.closed > 0 && n.ok > 0 && n.wrong == 0);
		s.how = DIES;
		n = against(row[i].name, s, NS_PER_S);
		assert_in_range(n.ok, 40, 50);
		assert_true(n.refused > 0 && n.closed + n.reset > 0);
		s.how = MIDWAY;
		n = against(row[i].name, s, NS_PER_S);
		assert_true(n.short_ > 0 && n.ok == 0 && n.wrong == 0);
	}
}

static void wrong_and_short_values(void **state)
{
	struct server s = { .answer = memcached_answer, .how = OTHER_VALUE };
	struct engine_counts n = against("memcached", s, NS_PER_S);

	assert_true(n.wrong > 0 && n.ok == 0 && n.short_ == 0);
	s.how = SHORT_VALUE;
	n = against("memcached", s, NS_PER_S);
	assert_true(n.short_ > 0 && n.ok == 0 && n.wrong == 0);
	s.answer = redis_answer;
	n = against("redis", s, NS_PER_S);
	assert_true(n.short_ > 0 && n.ok == 0 && n.wrong == 0);
}

static void hostile_datagrams(void **state)
{
	struct server s = { .answer = dns_answer, .type = SOCK_DGRAM, .how = NEVER };
	struct engine_counts n = against("dns", s, 20 * NS_PER_MS);

	assert_true(n.lost > 0 && n.ok == 0 && n.late == 0);
	s.how = DROP_SOME;
	n = against("dns", s, 20 * NS_PER_MS);
	assert_true(n.lost > 0 && n.ok > 0 && n.extra == 0);
	s.how = TWICE;
	n = against("dns", s, NS_PER_S);
	assert_true(n.extra > 0 && n.ok > 0 && n.lost == 0);
	s.how = OTHER_ID;
	n = against("dns", s, 20 * NS_PER_MS);
	assert_true(n.extra > 0 && n.ok == 0 && n.lost > 0);
	s.how = GARBAGE;
	n = against("dns", s, 20 * NS_PER_MS);
	assert_true(n.garbage > 0 && n.ok == 0);
	s.how = LATE;
	s.late_ns = 60 * NS_PER_MS;
	n = against("dns", s, 20 * NS_PER_MS);
	assert_true(n.late > 0 && n.ok == 0);
}

/* --- open loop --- */

/* A constant schedule has exactly rate × time requests in the measured time: all answered, or still due. */
static void offered_is_counted(void **state)
{
	struct server s = { .answer = redis_answer };
	struct engine_config k = { .connections = 4, .threads = 2, .depth = 8, .arrivals = GEN_CONSTANT,
		.rate_per_s = 2000,
		.duration_ns = 200 * NS_PER_MS };
	struct proto_options o = requests(500);

	for (int own = 0; own < 2; own++) {
		struct engine_result r;

		k.per_connection_arrivals = own;
		memset(&s, 0, sizeof s);
		s.answer = redis_answer;
		r = drive("redis", &s, &k, &o);
		assert_in_range(r.counts.sent + r.backlog, 398, 400); /* the last may fall on the very end */
		assert_int_equal(r.counts.ok, r.counts.sent);
		assert_int_equal(r.response->n, r.counts.ok);
		assert_int_equal(r.lag->n, r.counts.sent);
		assert_true(hist_mean(r.response) >= hist_mean(r.service));
		engine_result_release(&r);
	}
}

/* Each connection has its own schedule, and each request its own connection. */
static void open_loop_of_connections(void **state)
{
	for (int own = 0; own < 2; own++) {
		struct server s = { .answer = http_answer };
		struct engine_config k = { .connections = 20, .per_request = true, .arrivals = GEN_CONSTANT,
			.rate_per_s = 1000, .duration_ns = 200 * NS_PER_MS, .per_connection_arrivals = own };
		struct proto_options o = requests(10);
		struct engine_result r;

		o.close = true;
		r = drive("http", &s, &k, &o);
		assert_in_range(r.counts.sent + r.backlog, 198, 200);
		assert_int_equal(r.counts.ok, r.counts.sent);
		assert_int_equal(r.counts.opened, r.counts.sent);
		assert_int_equal(engine_errors(&r.counts), 0);
		engine_result_release(&r);
	}
}

/* One connection that is due many times over still has one request at a time. */
static void behind_with_one_connection(void **state)
{
	struct server s = { .answer = http_answer };
	struct engine_config k = { .connections = 1, .per_request = true, .arrivals = GEN_CONSTANT,
		.rate_per_s = 200000, .duration_ns = 50 * NS_PER_MS, .per_connection_arrivals = true };
	struct proto_options o = requests(10);
	struct engine_result r;

	o.close = true;
	r = drive("http", &s, &k, &o);
	assert_in_range(r.counts.sent + r.backlog, 9999, 10000);
	assert_true(r.backlog > 0);
	assert_int_equal(r.counts.ok, r.counts.sent);
	assert_int_equal(r.counts.opened, r.counts.sent);
	engine_result_release(&r);
}

/* A rate that the server cannot reach is not hidden: what was due and not sent is the backlog. */
static void impossible_rate(void **state)
{
	struct server s = { .answer = redis_answer, .stall_at = 5, .stall_ns = NS_PER_S };
	struct engine_config k = { .connections = 1, .arrivals = GEN_EXPONENTIAL, .rate_per_s = 1000,
		.timeout_ns = 2 * NS_PER_S,
		.duration_ns = 300 * NS_PER_MS };
	struct proto_options o = requests(500);
	struct engine_result r = drive("redis", &s, &k, &o);

	assert_int_equal(r.counts.sent, 6);
	assert_true(r.backlog > 150);
	assert_true(r.offered_per_s > 500 && r.achieved_per_s < 30);
	engine_result_release(&r);
}

static uint64_t at_least(const struct hist *h, double ns)
{
	unsigned cursor = 0;
	uint64_t n = 0, count;
	double v;

	while (hist_next(h, &cursor, &v, &count))
		if (v >= ns)
			n += count;
	return n;
}

/*
 * The server stands still for 100 ms. Every request that was due in that time less T waits at least T: at a
 * constant 1000/s, 100 − T/ms of them. Fewer is impossible; more only when the machine itself stalled.
 */
static void check_stall(uint32_t depth)
{
	struct server s = { .answer = redis_answer, .stall_at = 100, .stall_ns = 100 * NS_PER_MS };
	struct engine_config k = { .connections = 1, .depth = depth, .arrivals = GEN_CONSTANT,
		.rate_per_s = 1000,
		.duration_ns = 400 * NS_PER_MS };
	struct proto_options o = requests(500);
	struct engine_result r = drive("redis", &s, &k, &o);
	double stall = (double)(s.stall_end_ns - s.stall_begin_ns);

	assert_int_equal(r.counts.ok, r.counts.sent);
	for (double t = 20e6; t < 100e6; t += 20e6) {
		double expected = floor((stall - t) / 1e6);
		uint64_t got = at_least(r.response, t * 0.999); /* half a bucket of the histogram */

		if ((double)got < expected - 1)
			fail_msg("%lu of %.0f responses are above %.0f ms: omitted", got, expected, t / 1e6);
		if ((double)got > expected + 25)
			print_message("%lu instead of %.0f above %.0f ms: a busy machine?\n", got, expected,
				t / 1e6);
	}
	/* One request at a time: one service is slow, and a closed loop would have seen only that. */
	if (depth == 1)
		assert_true(at_least(r.service, 99e6) >= 1 && at_least(r.service, 99e6) <= 3);
	engine_result_release(&r);
}

static void a_stall_shows_in_the_tail(void **state)
{
	check_stall(1);
	check_stall(512);
}

/* --- bad input --- */

static int try(struct engine_config k, const char *name, struct vt_err *err)
{
	struct proto_options o = requests(100);
	struct engine_result r = { .nthreads = 0 };
	struct proto_pool pool;
	int rc;

	k.proto = proto_find(name);
	assert_int_equal(proto_render(k.proto, &pool, &o, err), 0);
	k.pool = &pool;
	rc = engine_run(&k, &r, err);
	engine_result_release(&r);
	proto_pool_release(&pool);
	return rc;
}

static void refused(void **state)
{
	struct server s = { .answer = redis_answer };
	struct engine_config k = { .connections = 3, .duration_ns = NS_PER_S };
	struct vt_err err = { .code = 0 };

	assert_int_equal(server_begin(&s), 0);
	server_end(&s); /* a port where nobody listens any more */
	assert_int_equal(sock_addr_parse(&k.to, "127.0.0.1", s.port, &err), 0);
	assert_int_equal(try(k, "redis", &err), -ECONNREFUSED);
	assert_non_null(strstr(err.msg, "refused"));
}

/* Nobody accepts, and the listen queue is full: connecting hangs. */
static void hanging_connect(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct engine_config k = { .connections = 8, .duration_ns = NS_PER_S, .timeout_ns = 50 * NS_PER_MS };
	socklen_t len = sizeof a;
	struct vt_err err = { .code = 0 };

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(sock_addr_parse(&k.to, "127.0.0.1", ntohs(a.sin_port), &err), 0);
	assert_int_equal(try(k, "redis", &err), -ETIMEDOUT);
	assert_non_null(strstr(err.msg, "of 8 cannot be made"));
}

static void cancelled(void **state)
{
	const volatile int now = 1;
	struct engine_config k = { .connections = 3, .duration_ns = 100 * NS_PER_S, .cancel = &now };
	struct vt_err err = { .code = 0 };

	assert_int_equal(try(k, "null", &err), -EINTR);
}

static void senseless(void **state)
{
	const struct engine_config bad[] = {
		{ .connections = ENGINE_CONNECTIONS_MAX + 1, .duration_ns = 1 },
		{ .connections = 1, .threads = 2, .duration_ns = 1 },
		{ .depth = ENGINE_DEPTH_MAX + 1, .duration_ns = 1 },
		{ .duration_ns = 0 },
		{ .arrivals = GEN_CONSTANT, .duration_ns = 1 },
		{ .arrivals = GEN_CONSTANT, .rate_per_s = NAN, .duration_ns = 1 },
		{ .arrivals = GEN_CONSTANT, .rate_per_s = 10, .once = true },
		{ .per_request = true, .depth = 2, .duration_ns = 1 },
	};
	const struct engine_config deep = { .depth = 64, .duration_ns = 1 };
	struct vt_err err;

	assert_int_equal(try(deep, "dns-tcp", &err), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(try(bad[i], "redis", &err), -EINVAL);
		assert_int_equal(err.kind, VT_ERR_USAGE);
	}
	assert_int_equal(try((struct engine_config){ .per_request = true, .duration_ns = 1 }, "dns", &err),
		-EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_protocol),
		cmocka_unit_test(greeting),
		cmocka_unit_test(populate),
		cmocka_unit_test(small_pool),
		cmocka_unit_test(new_connection_per_request),
		cmocka_unit_test(new_connection_to_a_server_that_keeps),
		cmocka_unit_test(announced_close_loses_nothing),
		cmocka_unit_test(source_addresses),
		cmocka_unit_test(hostile_streams),
		cmocka_unit_test(wrong_and_short_values),
		cmocka_unit_test(hostile_datagrams),
		cmocka_unit_test(offered_is_counted),
		cmocka_unit_test(open_loop_of_connections),
		cmocka_unit_test(behind_with_one_connection),
		cmocka_unit_test(impossible_rate),
		cmocka_unit_test(a_stall_shows_in_the_tail),
		cmocka_unit_test(refused),
		cmocka_unit_test(hanging_connect),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(senseless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
