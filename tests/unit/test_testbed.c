/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The testbed: real namespaces and cgroups, in an isolated copy of the mount table. Needs root; skipped
 * without, but for the refusal that non-root users see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net_probe.h"

#include "base/child.h"
#include "base/clock.h"
#include "host/testbed.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct journal *journal;
static struct testbed tb;
static struct vt_err err;
static char state[] = "/tmp/vtax-test-testbed-XXXXXX";
static char id[24];
static size_t mark;

static const struct testbed_config plain = { .pin = false, .offload = true };

#define ok(call)                                                                                             \
	do {                                                                                                 \
		int r_ = (call);                                                                             \
		if (r_ < 0)                                                                                  \
			fail_msg("%s: %d: %s", #call, r_, err.msg);                                          \
	} while (0)

static int setup(void **st)
{
	if (geteuid() != 0 || probe_isolate() < 0)
		return 0;
	if (!mkdtemp(state) || setenv("VTAX_STATE", state, 1) < 0)
		return -1;
	snprintf(id, sizeof id, "t%d", (int)getpid());
	return journal_create(&journal, id, &err);
}

static int teardown(void **st)
{
	if (!journal)
		return 0;
	if (journal_finish(journal, &err) < 0)
		return -1;
	return probe_remove(state);
}

static int begin(void **st)
{
	if (journal)
		mark = journal_mark(journal);
	return 0;
}

static int end(void **st)
{
	if (!journal)
		return 0;
	testbed_release(&tb);
	return journal_undo_to(journal, mark, &err);
}

static void need_root(void)
{
	if (!journal)
		skip();
}

static size_t cgroups_of(const char *suffix)
{
	char pattern[128];
	glob_t g = { 0 };
	size_t n;

	snprintf(pattern, sizeof pattern, "/sys/fs/cgroup/*/vtax-%s%s", id, suffix);
	glob(pattern, 0, NULL, &g);
	snprintf(pattern, sizeof pattern, "/sys/fs/cgroup/vtax-%s%s", id, suffix);
	glob(pattern, GLOB_APPEND, NULL, &g);
	n = g.gl_pathc;
	globfree(&g);
	return n;
}

/* TCP from the client to the SUT's own address. */
static bool reaches(void)
{
	_cleanup_close_ int listener = probe_listen(tb.sut.ns.fd, SOCK_STREAM, TESTBED_SUT_ADDR, 7);

	return listener >= 0 && probe_tcp(tb.client.ns.fd, TESTBED_SUT_ADDR, 7, listener, NULL);
}

static void is_made_and_undone(void **st)
{
	_cleanup_buf_ struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
	_cleanup_close_ int udp = -1;
	bool good = false;
	char why[256], name[64];

	need_root();
	probe_host(&before);
	ok(testbed_create(&tb, id, &plain, journal, &err));
	snprintf(name, sizeof name, "vtax-%s-sut", id);
	assert_string_equal(tb.sut.ns.name, name);
	snprintf(name, sizeof name, "vtax-%s/client", id);
	assert_string_equal(tb.client.cgroup.path, name);
	assert_true(cgroups_of("") > 0 && cgroups_of("/client") > 0 && cgroups_of("/sut") > 0);
	assert_int_equal(tb.sut.cpu, -1);
	assert_true(reaches());
	udp = probe_listen(tb.sut.ns.fd, SOCK_DGRAM, TESTBED_SUT_ADDR, 7);
	assert_true(probe_udp(tb.client.ns.fd, TESTBED_SUT_ADDR, 7, udp));
	assert_true(probe_ping(tb.client.ns.fd, TESTBED_SUT_ADDR, 1000));
	assert_true(probe_ping(tb.sut.ns.fd, TESTBED_CLIENT_ADDR, 1000));
	ok(testbed_verify(&tb, &good, why, sizeof why, &err));
	assert_true(good);
	close(steal_fd(&udp));
	testbed_release(&tb);
	ok(journal_undo_to(journal, mark, &err));
	probe_host(&after);
	assert_string_equal(buf_str(&before), buf_str(&after));
	assert_int_equal(cgroups_of("*"), 0);
}

static int ipv6_here(void *arg, struct vt_err *e)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

	if (buf_read_file(&text, "/proc/thread-self/net/if_inet6", NULL) == 0)
		*(bool *)arg = strstr(buf_str(&text), "vtax") != NULL;
	return 0;
}

static void sysctls_and_description_are_read_back(void **st)
{
	json_t *o = NULL, *sut, *client, *value;
	bool ipv6 = false;

	need_root();
	ok(testbed_create(&tb, id, &plain, journal, &err));
	ok(testbed_describe(&tb, &o, &err));
	sut = json_object_get(o, "sut");
	client = json_object_get(o, "client");
	assert_string_equal(json_string_value(json_object_get(sut, "address")), "198.18.0.2/24");
	assert_string_equal(json_string_value(json_object_get(client, "interface")), "vtax0");
	assert_int_equal(json_integer_value(json_object_get(client, "mtu")), 1500);
	assert_true(json_is_true(json_object_get(sut, "up")));
	assert_true(json_is_null(json_object_get(sut, "cpu")));
	assert_true(json_is_true(json_object_get(json_object_get(sut, "offloads"), "tso")));
	for (const struct testbed_sysctl *c = testbed_sysctls; c->name; c++) {
		value = json_object_get(json_object_get(client, "sysctls"), c->name);
		if (c->value && (c->sides & TESTBED_ON_CLIENT) && !json_is_null(value))
			assert_string_equal(json_string_value(value), c->value);
		else if (!(c->sides & TESTBED_ON_CLIENT))
			assert_null(value);
		assert_true(c->why && c->why[0]);
	}
	value = json_object_get(json_object_get(sut, "sysctls"), "net.ipv4.ip_local_port_range");
	assert_null(value); /* the client's alone */
	json_decref(o);
	ok(netns_call(tb.client.ns.fd, ipv6_here, &ipv6, &err));
	assert_false(ipv6);
	ok(netns_call(tb.sut.ns.fd, ipv6_here, &ipv6, &err));
	assert_false(ipv6);
}

/* Each row breaks one thing that verify must see and reset must mend. */
static int break_offload(void)
{
	return net_offloads_set(tb.sut.ns.fd, tb.sut.ifname, true, &err);
}

static int break_mtu(void)
{
	return net_set_mtu(tb.client.ns.fd, tb.client.ifname, 1400, &err);
}

static int break_up(void)
{
	return net_set_up(tb.sut.ns.fd, tb.sut.ifname, false, &err);
}

static int break_cable(void)
{
	return net_delete(tb.sut.ns.fd, tb.sut.ifname, &err);
}

static int break_one_end(void)
{
	int r = break_cable();

	return r < 0 ? r : net_bridge(tb.client.ns.fd, tb.client.ifname, 0, &err);
}

static void verify_sees_and_reset_mends(void **st)
{
	static const struct {
		int (*harm)(void);
		const char *why;
	} rows[] = {
		{ break_offload, "rx on" },
		{ break_mtu, "1400 instead of 9000" },
		{ break_up, "is down" },
		{ break_cable, "is gone" },
		{ break_one_end, "instead of" },
	};
	static const struct testbed_config c = { .offload = false, .mtu = 9000 };
	char why[256];
	bool good;

	need_root();
	ok(testbed_create(&tb, id, &c, journal, &err));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ok(testbed_verify(&tb, &good, why, sizeof why, &err));
		assert_true(good);
		assert_true(reaches());
		ok(rows[i].harm());
		ok(testbed_verify(&tb, &good, why, sizeof why, &err));
		assert_false(good);
		if (!strstr(why, rows[i].why))
			fail_msg("'%s' does not say '%s'", why, rows[i].why);
		ok(testbed_reset(&tb, &err));
	}
	ok(testbed_verify(&tb, &good, why, sizeof why, &err));
	assert_true(good);
	assert_true(reaches());
}

/* What an environment that was killed may leave: everything at once. */
static void reset_sweeps_the_sut(void **st)
{
	static const uint16_t ports[] = { 7 };
	struct netns inner = NETNS_INIT;
	char value[32], where[64];
	struct net_link link;
	int sut, r;

	need_root();
	ok(testbed_create(&tb, id, &plain, journal, &err));
	sut = tb.sut.ns.fd;
	ok(netns_create(&inner, journal, "vtax-t-inner", &err));
	r = net_macvlan(sut, TESTBED_SUT_IF, inner.fd, "eth1", &err);
	assert_true(r == 0 || r == -EOPNOTSUPP);
	ok(r == 0 ? net_delete(inner.fd, "eth1", &err) : 0); /* holds the cable's end against the bridge */
	ok(net_bridge(sut, "vtaxbr0", 0, &err));
	ok(net_veth(sut, "vtaxe0", inner.fd, "eth0", 0, &err));
	ok(net_set_master(sut, "vtaxe0", "vtaxbr0", &err));
	ok(net_set_master(sut, TESTBED_SUT_IF, "vtaxbr0", &err));
	ok(net_del_address(sut, TESTBED_SUT_IF, TESTBED_SUT_ADDR "/24", &err));
	ok(net_add_address(sut, "vtaxbr0", TESTBED_SUT_ADDR "/24", &err));
	ok(net_add_address(inner.fd, "eth0", TESTBED_INNER_ADDR "/24", &err));
	ok(net_nat_add(
		sut, TESTBED_SUT_ADDR, TESTBED_INNER_ADDR, TESTBED_INNER_SUBNET, ports, 1, true, &err));
	ok(net_add_default_route(sut, TESTBED_CLIENT_ADDR, &err));
	assert_false(reaches());

	ok(testbed_reset(&tb, &err));
	assert_true(reaches());
	assert_true(probe_ping(tb.client.ns.fd, TESTBED_SUT_ADDR, 1000));
	assert_false(net_exists(sut, "vtaxbr0") || net_exists(sut, "vtaxe0"));
	ok(net_link_get(sut, TESTBED_SUT_IF, &link, &err));
	assert_int_equal(link.master, 0);
	ok(net_sysctl_get(sut, "net.ipv4.ip_forward", value, sizeof value, &err));
	assert_string_equal(value, "0");
	ok(net_get_address(sut, TESTBED_SUT_IF, where, sizeof where, &err));
	assert_string_equal(where, TESTBED_SUT_ADDR "/24");
	ok(net_add_default_route(sut, TESTBED_CLIENT_ADDR, &err)); /* it was gone */

	/* A macvlan that lives in a namespace elsewhere does not keep the cable from working. */
	if (net_macvlan(sut, TESTBED_SUT_IF, inner.fd, "eth1", &err) == 0) {
		ok(testbed_reset(&tb, &err));
		assert_true(reaches());
	}
	netns_close(&inner);
}

static void ids_collide_cleanly(void **st)
{
	struct testbed second;
	size_t m;

	need_root();
	ok(testbed_create(&tb, id, &plain, journal, &err));
	m = journal_mark(journal);
	assert_int_equal(testbed_create(&second, id, &plain, journal, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "vtax clean"));
	assert_int_equal(journal_mark(journal), m);
	assert_true(reaches());
	assert_true(cgroups_of("/sut") > 0);
}

static void a_failure_half_way_leaves_nothing(void **st)
{
	_cleanup_buf_ struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
	char path[96];
	int fd;

	need_root();
	assert_int_equal(mkdir("/run/netns", 0755), 0);
	snprintf(path, sizeof path, "/run/netns/vtax-%s-sut", id);
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	assert_true(fd >= 0);
	close(fd);
	probe_host(&before);
	assert_int_equal(testbed_create(&tb, id, &plain, journal, &err), -EEXIST);
	probe_host(&after);
	assert_string_equal(buf_str(&before), buf_str(&after));
	assert_int_equal(cgroups_of("*"), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir("/run/netns"), 0);
}

static void bad_requests_are_usage_errors(void **st)
{
	static const char *const ids[] = { "", "UPPER", "a/b", "..", "a b",
		"0123456789012345678901234567890123" };
	static const struct testbed_config tiny = { .mtu = 67 }, huge = { .mtu = 65536 };

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_int_equal(testbed_create(&tb, ids[i], &plain, journal, &err), -EINVAL);
		assert_int_equal(err.kind, VT_ERR_USAGE);
	}
	assert_int_equal(testbed_create(&tb, id, &tiny, journal, &err), -EINVAL);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_non_null(strstr(err.msg, "67"));
	assert_int_equal(testbed_create(&tb, id, &huge, journal, &err), -EINVAL);
}

static void a_used_range_is_refused(void **st)
{
	need_root();
	ok(net_bridge(NETNS_SELF, "vtaxtest", 0, &err)); /* in the test's own namespace */
	ok(net_add_address(NETNS_SELF, "vtaxtest", "198.19.3.1/24", &err));
	assert_int_equal(testbed_create(&tb, id, &plain, journal, &err), -EADDRINUSE);
	assert_int_equal(err.kind, VT_ERR_HOST);
	assert_non_null(strstr(err.msg, "198.19.3.1/24 on 'vtaxtest'"));
	assert_int_equal(journal_mark(journal), mark);
	ok(net_delete(NETNS_SELF, "vtaxtest", &err));
}

/* Exit status 0 when the refusal is the one that is documented. */
static int refusal(void)
{
	struct testbed mine;

	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		return 1;
	if (testbed_create(&mine, "abc", &plain, NULL, &err) != -EPERM || err.kind != VT_ERR_HOST)
		return 2;
	return strstr(err.msg, "must run as root") && strstr(err.msg, "'sudo vtax") ? 0 : 3;
}

static void others_than_root_are_told_so(void **st)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(refusal());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void run_on(struct side *side, const char *const *argv, struct buf *out)
{
	struct child_spec spec = { .argv = argv, .prepare = side_prepare, .arg = side };

	buf_clear(out);
	ok(child_run(&spec, 10 * NS_PER_S, out, &err));
}

static void a_child_starts_on_its_side(void **st)
{
	static const char *const netns[] = { "readlink", "/proc/self/ns/net", NULL };
	static const char *const cgroup[] = { "cat", "/proc/self/cgroup", NULL };
	static const char *const cpus[] = { "grep", "Cpus_allowed_list", "/proc/self/status", NULL };
	static const struct testbed_config pinned = { .pin = true, .offload = true };
	_cleanup_buf_ struct buf out = BUF_INIT(65536);
	struct side *sides[] = { &tb.client, &tb.sut };
	char want[64];
	struct stat ns;

	need_root();
	ok(testbed_create(&tb, id, &pinned, journal, &err));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fstat(sides[i]->ns.fd, &ns), 0);
		snprintf(want, sizeof want, "net:[%lu]\n", (unsigned long)ns.st_ino);
		run_on(sides[i], netns, &out);
		assert_string_equal(buf_str(&out), want);
		snprintf(want, sizeof want, "/vtax-%s/%s\n", id, i ? "sut" : "client");
		run_on(sides[i], cgroup, &out);
		assert_non_null(strstr(buf_str(&out), want));
		if (sides[i]->cpu >= 0) {
			snprintf(want, sizeof want, "Cpus_allowed_list:\t%d\n", sides[i]->cpu);
			run_on(sides[i], cpus, &out);
			assert_string_equal(buf_str(&out), want);
		}
	}
	if (tb.sut.cpu >= 0)
		assert_int_not_equal(tb.sut.cpu, tb.client.cpu);
}

/* With a steered cable each end's packets are handled on its side's CPU; also when the cable was laid again. */
static void receiving_is_steered_to_the_side(void **st)
{
	static const struct testbed_config pinned = { .pin = true, .offload = true, .steer = true };
	int cpu = -7;

	need_root();
	ok(testbed_create(&tb, id, &pinned, journal, &err));
	for (int again = 0; again < 2; again++) {
		ok(net_steer_get(tb.client.ns.fd, tb.client.ifname, &cpu, &err));
		assert_int_equal(cpu, tb.client.cpu);
		ok(net_steer_get(tb.sut.ns.fd, tb.sut.ifname, &cpu, &err));
		assert_int_equal(cpu, tb.sut.cpu);
		ok(net_delete(tb.sut.ns.fd, tb.sut.ifname, &err));
		ok(testbed_reset(&tb, &err));
	}
	ok(net_steer_set(tb.sut.ns.fd, tb.sut.ifname, -1, &err));
	ok(net_steer_get(tb.sut.ns.fd, tb.sut.ifname, &cpu, &err));
	assert_int_equal(cpu, -1);
	assert_true(net_steer_get(tb.sut.ns.fd, "nosuch0", &cpu, &err) < 0);
}

#define each(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		each(is_made_and_undone),
		each(sysctls_and_description_are_read_back),
		each(verify_sees_and_reset_mends),
		each(reset_sweeps_the_sut),
		each(ids_collide_cleanly),
		each(a_failure_half_way_leaves_nothing),
		each(bad_requests_are_usage_errors),
		each(a_used_range_is_refused),
		each(a_child_starts_on_its_side),
		each(receiving_is_steered_to_the_side),
		cmocka_unit_test(others_than_root_are_told_so),
	};

	tb.client.ns = tb.sut.ns = NETNS_INIT;
	return cmocka_run_group_tests(tests, setup, teardown);
}
