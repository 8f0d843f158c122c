/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Techniques: how they are written, what contradicts itself, and (as root, where the runtimes are) real
 * environments: started, reached from the client side, described and stopped, with nothing left behind.
 *
 * VTAX_STRESS=N repeats each real environment N times (2 otherwise); VTAX_AGENT names the agent if it is not
 * beside the build.
 */
#include "technique/technique.h"

#include "abi/abi.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static void assert_usage(const char *text, const char *part)
{
	struct technique t;
	struct vt_err err = { 0 };

	assert_true(technique_parse(&t, text, &err) < 0);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	if (!strstr(err.msg, part))
		fail_msg("'%s': '%s' does not say '%s'", text, err.msg, part);
}

static void test_parse(void **state)
{
	struct technique t;
	struct vt_err err = { 0 };

	assert_int_equal(technique_parse(&t, "oci:runtime=runc,net=nat", &err), 0);
	assert_string_equal(t.ops->name, "oci");
	assert_string_equal(t.label, "oci:runtime=runc,net=nat");
	assert_string_equal(opt_str(&t.opts, "net"), "nat");
	assert_string_equal(opt_str(&t.opts, "rootfs"), "overlay");
	technique_release(&t);
	technique_release(&t); /* harmless twice */

	assert_int_equal(technique_parse(&t, "native:label=again", &err), 0);
	assert_string_equal(t.label, "again");
	assert_string_equal(t.text, "native:label=again");
	technique_release(&t);
}

static void test_parse_refuses(void **state)
{
	assert_usage("ocy", "did you mean 'oci'");
	assert_usage("warp-drive", "unknown technique");
	assert_usage("oci:nett=nat", "net");
	assert_usage("oci:net=natt", "nat");
	assert_usage("native:net=nat", "net");
	assert_usage("delay:us=1000001", "1000000");
	assert_usage("delay:us=-1", "us");
	assert_usage("", "");
}

static void test_contradictions(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{ "oci:rootfs=bind,readonly=off", "rootfs=bind" },
		{ "oci:mountns=off,caps=none", "caps=none" },
		{ "oci:cgroup=off,cpus=1", "cgroup=off" },
		{ "oci:cgroup=off,mem=64M", "'mem'" },
		{ "null:agent=bin/true", "absolute" },
		{ "null:agent=/bin/true,start=hang", "start=ok" },
		{ "docker:daemon=user,net=host", "daemon=private" },
		{ "docker:daemon=user", "net=bridge" },
		{ "docker:daemon=user,net=bridge,runtime=/x/runsc", "runtime" },
	};
	struct technique t;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_usage(rows[i].text, rows[i].part);
	/* The same without the contradiction. */
	assert_int_equal(technique_parse(&t, "oci:rootfs=bind", NULL), 0);
	technique_release(&t);
	assert_int_equal(technique_parse(&t, "oci:rootfs=bind,readonly=on", NULL), 0);
	technique_release(&t);
}

static void assert_expands(const char *text, const char *const *want)
{
	_cleanup_strvec_ struct strvec out = STRVEC_INIT;
	struct vt_err err = { 0 };
	size_t n = 0;

	if (technique_expand(text, &out, &err) < 0)
		fail_msg("'%s': %s", text, err.msg);
	for (; want[n]; n++) {
		assert_true(n < out.n);
		assert_string_equal(out.v[n], want[n]);
	}
	assert_int_equal(out.n, n);
}

#define assert_expands(text, ...) assert_expands(text, (const char *const[]){ __VA_ARGS__, NULL })

static void test_expand(void **state)
{
	_cleanup_strvec_ struct strvec out = STRVEC_INIT;
	struct vt_err err = { 0 };

	assert_expands("native", "native");
	assert_expands("oci:net=*", "oci:net=host", "oci:net=bridge", "oci:net=nat", "oci:net=macvlan");
	assert_expands("*", "native", "oci", "docker"); /* not those for tests */
	assert_expands("delay:us=5", "delay:us=5");
	assert_expands("*:net=nat", "oci:net=nat", "docker:net=nat"); /* those that have the option */
	assert_expands("oci:rootfs=bind,readonly=*", "oci:rootfs=bind,readonly=on"); /* what makes sense */
	assert_true(technique_expand("x*", &out, &err) < 0);
	assert_non_null(strstr(err.msg, "no technique matches"));
	assert_true(technique_expand("o*:net=nowhere", &out, &err) < 0);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_true(technique_expand("null*:start=ok", &out, &err) < 0); /* only by its own name */
	assert_int_equal(out.n, 0);
}

static void test_caps(void **state)
{
	static const struct {
		const char *text;
		unsigned has, hasnt;
	} rows[] = {
		{ "native", TECH_AGENT | TECH_TCP | TECH_UDP | TECH_ICMP | TECH_CGROUP,
			TECH_EMULATED | TECH_TEST },
		{ "delay:us=50", TECH_AGENT | TECH_TCP | TECH_UDP | TECH_TEST, TECH_ICMP },
		{ "null", TECH_TEST | TECH_ICMP, TECH_EMULATED },
		{ "oci:net=nat", TECH_ICMP, TECH_TEST },
		{ "docker:net=nat", TECH_TCP | TECH_UDP, TECH_ICMP }, /* docker publishes no ICMP */
		{ "docker:net=macvlan", TECH_ICMP, TECH_TEST },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct technique t;

		assert_int_equal(technique_parse(&t, rows[i].text, NULL), 0);
		assert_int_equal(technique_caps(&t) & rows[i].has, rows[i].has);
		assert_int_equal(technique_caps(&t) & rows[i].hasnt, 0);
		technique_release(&t);
	}
}

static void test_probe_missing(void **state)
{
	_cleanup_buf_ struct buf detail = BUF_INIT(4096);
	struct vt_err err = { 0 };
	struct technique t;

	assert_int_equal(technique_parse(&t, "oci:runtime=no-such-runtime", NULL), 0);
	assert_true(technique_probe(&t, &detail, &err) < 0);
	assert_int_equal(err.kind, VT_ERR_HOST);
	assert_non_null(strstr(err.msg, "no-such-runtime"));
	assert_non_null(strstr(err.msg, "runtime=/path"));
	assert_null(strstr(err.msg, "apt-get install")); /* of what no distribution is known to have */
	technique_release(&t);

	assert_int_equal(technique_parse(&t, "oci:runtime=/bin/false", NULL), 0);
	assert_true(technique_probe(&t, &detail, &err) < 0);
	assert_non_null(strstr(err.msg, "/bin/false"));
	technique_release(&t);

	assert_int_equal(technique_parse(&t, "null:agent=/no/such/agent", NULL), 0);
	assert_true(technique_probe(&t, &detail, &err) < 0);
	technique_release(&t);
}

/* --- real environments ------------------------------------------------------------------------------ */

struct bed {
	char dir[64], scratch[PATH_MAX];
	struct journal *journal;
	struct testbed tb;
	struct payload payload;
};

static struct bed *bed;
static char why_not[512];

static const char *find_agent(void)
{
	static char path[PATH_MAX];
	const char *given = getenv("VTAX_AGENT");

	return realpath(given ? given : "vtax-agent", path);
}

static int bed_make(struct bed *b, const char *agent, struct vt_err *err)
{
	static const struct testbed_config config = { .pin = true, .offload = true };
	static const char tools[] = "/var/lib/vtax/tools";
	_cleanup_free_ char *link = NULL, *id = xasprintf("t%d", (int)getpid());
	const char *programs[] = { NULL };
	int r;

	snprintf(b->dir, sizeof(b->dir), "/var/tmp/vtax-unit-XXXXXX");
	if (!mkdtemp(b->dir))
		return vt_fail_errno(err, "cannot create '%s'", b->dir);
	setenv("VTAX_STATE", b->dir, 1); /* a campaign of the machine's user is none of our business */
	link = xasprintf("%s/tools", b->dir);
	if (symlink(tools, link) < 0) /* a privately unpacked docker */
		return vt_fail_errno(err, "cannot create '%s'", link);
	r = journal_create(&b->journal, id, err);
	if (r == 0)
		r = testbed_create(&b->tb, id, &config, b->journal, err);
	return r < 0 ? r : payload_get(&b->payload, agent, programs, true, err);
}

static void bed_environment(void)
{
	const char *agent = find_agent();
	struct vt_err err = { 0 };

	if (geteuid() != 0) {
		snprintf(why_not, sizeof(why_not), "needs root");
		return;
	}
	if (!agent) {
		snprintf(why_not, sizeof(why_not), "no agent: build it, or set VTAX_AGENT");
		return;
	}
	bed = xcalloc(1, sizeof(*bed));
	if (bed_make(bed, agent, &err) < 0)
		snprintf(why_not, sizeof(why_not), "%.400s", err.msg);
}

static int bed_finish(struct bed *b, struct vt_err *err)
{
	struct journal *j = b->journal;

	snprintf(b->scratch, sizeof(b->scratch), "%s", journal_dir(j));
	b->journal = NULL;
	testbed_release(&b->tb);
	return journal_finish(j, err);
}

static bool names_in(const char *dir, const char *prefix)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, prefix, strlen(prefix)))
			return true;
	return false;
}

/* Dead, and for init to reap when it gets to it: nothing of it runs. */
static bool is_zombie(const char *pid)
{
	_cleanup_free_ char *file = xasprintf("/proc/%s/status", pid);
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 16);

	return buf_read_file(&b, file, NULL) < 0 || strstr(buf_str(&b), "State:\tZ");
}

/* Anything of environments (not of the testbed) that is left: what, or NULL. */
static const char *left_behind(const struct bed *b, bool all)
{
	static char what[512];
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	_cleanup_buf_ struct buf mounts = BUF_INIT(1 << 20);
	_cleanup_free_ char *env = xasprintf("vtax-%s%s", b->tb.id, all ? "" : "-e");
	struct dirent *e;

	if (names_in("/run/netns", env))
		return "a network namespace";
	buf_read_file(&mounts, "/proc/self/mountinfo", NULL);
	if (strstr(buf_str(&mounts), b->dir))
		return "a mount";
	while (proc && (e = readdir(proc))) {
		_cleanup_free_ char *file = xasprintf("/proc/%s/cgroup", e->d_name);
		_cleanup_free_ char *group = xasprintf("/vtax-%s/%s", b->tb.id, all ? "" : "e");
		_cleanup_buf_ struct buf cg = BUF_INIT(1 << 16);

		if (e->d_name[0] < '0' || e->d_name[0] > '9' || buf_read_file(&cg, file, NULL) < 0)
			continue;
		if (strstr(buf_str(&cg), group) && !is_zombie(e->d_name)) {
			snprintf(what, sizeof(what), "process %s", e->d_name);
			return what;
		}
	}
	for (const char *const *h =
			(const char *const[]){ "", "/unified", "/cpuacct", "/memory", "/cpuset", NULL };
		*h; h++) {
		_cleanup_free_ char *root = xasprintf("/sys/fs/cgroup%s", *h);
		_cleanup_free_ char *ours = xasprintf("%s/vtax-%s", root, b->tb.id);

		if (names_in(ours, "e") || (all && access(ours, F_OK) == 0)) {
			snprintf(what, sizeof(what), "a cgroup in %s", ours);
			return what;
		}
	}
	return names_in(b->journal ? journal_dir(b->journal) : b->scratch, "e") ? "a scratch directory"
										: NULL;
}

static bool hello(int fd)
{
	struct abi_head h;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 5000) == 1 && read(fd, &h, sizeof(h)) == (ssize_t)sizeof(h) &&
	       h.magic == ABI_MAGIC && h.type == ABI_HELLO;
}

struct knock {
	const char *address;
	uint16_t port;
};

/* A TCP connect from the client side: refused (nobody listens yet) or accepted (a relay) is an answer. */
static int knock(void *arg, struct vt_err *err)
{
	struct knock *k = arg;
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(k->port) };
	struct timeval limit = { .tv_sec = 3 };

	inet_pton(AF_INET, k->address, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == ECONNREFUSED ||
		errno == ECONNRESET)
		return 0;
	return vt_fail_errno(err, "cannot reach %s", k->address);
}

static unsigned repeats(void)
{
	const char *n = getenv("VTAX_STRESS");

	return n ? (unsigned)strtoul(n, NULL, 10) : 2;
}

static int cmp_ns(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* One life of an environment; returns ns from the start command to HELLO, and of the stop. */
static void live_once(struct technique *t, uint64_t *start_ns, uint64_t *stop_ns, bool show)
{
	static const uint16_t ports[] = { 12865, 12866 };
	struct env_request req = { ports, 2, clock_deadline_ns(20 * NS_PER_S) };
	struct vt_err err = { 0 };
	struct env env;
	struct knock k;
	json_t *facts = NULL;
	uint64_t at, before = clock_now_ns();
	unsigned caps = technique_caps(t);
	uint64_t cpu = 0;

	assert_int_equal(testbed_reset(&bed->tb, NULL), 0);
	if (technique_start(t, &bed->tb, &bed->payload, &req, &env, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(hello(env.agent_out));
	*start_ns = clock_now_ns() - env.started_ns;
	k = (struct knock){ env.address, ports[1] };
	if (netns_call(bed->tb.client.ns.fd, knock, &k, &err) < 0)
		fail_msg("%s: %s", t->label, err.msg);
	if (technique_describe(t, &bed->tb, &env, &facts, &err) < 0)
		fail_msg("%s", err.msg);
	assert_non_null(json_object_get(facts, "options"));
	if (caps & TECH_CGROUP) {
		assert_int_equal(cgroup_cpu_ns(&env.cgroup, &cpu, &err), 0);
		assert_true(cpu > 0);
	}
	if (show) {
		_cleanup_free_ char *text = json_dumps(facts, JSON_COMPACT);

		print_message("%s: %s\n", t->label, text);
	}
	json_decref(facts);
	at = clock_now_ns();
	if (technique_stop(t, &bed->tb, &env, &err) < 0)
		fail_msg("%s", err.msg);
	*stop_ns = clock_now_ns() - at;
	if (show)
		print_message("   whole %.1f ms\n", (double)(clock_now_ns() - before) / 1e6);
	if (left_behind(bed, false))
		fail_msg("%s left %s", t->label, left_behind(bed, false));
}

static void live(const char *text)
{
	_cleanup_buf_ struct buf detail = BUF_INIT(4096);
	struct vt_err err = { 0 };
	struct technique t;
	uint64_t start[256], stop[256];
	unsigned n = repeats();

	if (*why_not) {
		print_message("skipped: %s\n", why_not);
		skip();
	}
	assert_int_equal(technique_parse(&t, text, NULL), 0);
	if (technique_probe(&t, &detail, &err) < 0) {
		print_message("skipped: %s: %s\n", text, err.msg);
		technique_release(&t);
		skip();
	}
	if (technique_prepare(&t, &bed->tb, &bed->payload, &err) < 0)
		fail_msg("%s", err.msg);
	n = n > 256 ? 256 : n;
	for (unsigned i = 0; i < n; i++)
		live_once(&t, &start[i], &stop[i], i == 0);
	qsort(start, n, sizeof(*start), cmp_ns);
	qsort(stop, n, sizeof(*stop), cmp_ns);
	print_message("%s: start %.1f ms, stop %.1f ms (medians of %u)\n", text, (double)start[n / 2] / 1e6,
		(double)stop[n / 2] / 1e6, n);
	technique_finish(&t, &bed->tb);
	technique_release(&t);
}

#define LIVE(name, text)                                                                                     \
	static void live_##name(void **state)                                                                \
	{                                                                                                    \
		live(text);                                                                                  \
	}

LIVE(native, "native")
LIVE(null, "null")
LIVE(delay, "delay:us=50")
LIVE(crun_host, "oci:runtime=crun,net=host")
LIVE(crun_bridge, "oci:runtime=crun,net=bridge")
LIVE(crun_nat, "oci:runtime=crun,net=nat")
LIVE(crun_macvlan, "oci:runtime=crun,net=macvlan")
LIVE(crun_bind, "oci:runtime=crun,rootfs=bind,mem=256M,cpus=1")
LIVE(crun_bare, "oci:runtime=crun,pidns=off,utsns=off,ipcns=off,cgroupns=off,cgroup=off,seccomp=off,caps=all")
LIVE(crun_nomount, "oci:runtime=crun,mountns=off,readonly=on")
LIVE(crun_userns, "oci:runtime=crun,userns=on,caps=none")
LIVE(runc_host, "oci:runtime=runc,net=host")
LIVE(runc_bridge, "oci:runtime=runc,net=bridge,readonly=on")
LIVE(runc_nat, "oci:runtime=runc,net=nat,rootfs=bind")
LIVE(runc_macvlan, "oci:runtime=runc,net=macvlan,userns=on")
LIVE(runc_bare,
	"oci:runtime=runc,pidns=off,mountns=off,utsns=off,ipcns=off,cgroupns=off,seccomp=off,caps=all")

/* Starts that cannot succeed: the reason is in the message and nothing is left. */
static void dead_start(const char *text, int code, const char *part)
{
	struct env_request req = { NULL, 0, clock_deadline_ns(NS_PER_S / 2) };
	struct vt_err err = { 0 };
	struct technique t;
	struct env env;

	if (*why_not)
		skip();
	assert_int_equal(technique_parse(&t, text, NULL), 0);
	assert_int_equal(technique_prepare(&t, &bed->tb, &bed->payload, &err), 0);
	assert_int_equal(technique_start(&t, &bed->tb, &bed->payload, &req, &env, &err), code);
	if (!strstr(err.msg, part))
		fail_msg("'%s' does not say '%s'", err.msg, part);
	assert_int_equal(env.agent_out, -1);
	assert_null(left_behind(bed, false));
	technique_finish(&t, &bed->tb);
	technique_release(&t);
}

static void test_dies(void **state)
{
	dead_start("null:agent=/bin/false", -EPIPE, "status 1");
}

static void test_hangs(void **state)
{
	dead_start("null:agent=/bin/cat", -ETIMEDOUT, "said nothing");
}

static void test_start_fails(void **state)
{
	dead_start("null:start=fail", -EIO, "start=fail");
}

static void test_start_hangs(void **state)
{
	dead_start("null:start=hang", -ETIMEDOUT, "start=hang");
}

static void test_relay_without_ports(void **state)
{
	dead_start("delay:us=1", -EINVAL, "no port");
}

/* A runtime as bad as they come, for which `how` is what its `run` does. */
static char *fake_runtime(const char *name, const char *how)
{
	_cleanup_buf_ struct buf script = BUF_INIT(4096);
	char *path = xasprintf("%s/%s", bed->dir, name);

	buf_printf(&script,
		"#!/bin/sh\ncase \"$*\" in\n--version) echo fake version 1;;\n*delete*) ;;\n"
		"*) %s;;\nesac\n",
		how);
	assert_int_equal(buf_write_file(&script, path, 0755, NULL), 0);
	return path;
}

static void bad_runtime(const char *name, const char *how, int code, const char *part)
{
	_cleanup_free_ char *path = NULL, *text = NULL;

	if (*why_not)
		skip();
	path = fake_runtime(name, how);
	text = xasprintf("oci:runtime=%s,net=nat", path);
	dead_start(text, code, part);
}

static void test_runtime_dies(void **state)
{
	bad_runtime("dies", "echo cannot do it >&2; exit 3", -EPIPE,
		"status 3 before its agent spoke: cannot do it");
}

static void test_runtime_hangs(void **state)
{
	bad_runtime("hangs", "echo still trying >&2; sleep 30 & sleep 30", -ETIMEDOUT, "still trying");
}

/* The environment is killed behind our back: stop copes. */
static void killed(const char *text)
{
	struct env_request req = { (const uint16_t[]){ 12865 }, 1, clock_deadline_ns(20 * NS_PER_S) };
	_cleanup_buf_ struct buf detail = BUF_INIT(4096);
	struct vt_err err = { 0 };
	struct technique t;
	struct env env;

	if (*why_not)
		skip();
	assert_int_equal(technique_parse(&t, text, NULL), 0);
	if (technique_probe(&t, &detail, &err) < 0) {
		technique_release(&t);
		skip();
	}
	assert_int_equal(technique_prepare(&t, &bed->tb, &bed->payload, &err), 0);
	if (technique_start(&t, &bed->tb, &bed->payload, &req, &env, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(cgroup_kill(&env.cgroup, clock_deadline_ns(5 * NS_PER_S), &err), 0);
	assert_int_equal(technique_stop(&t, &bed->tb, &env, &err), 0);
	assert_null(left_behind(bed, false));
	technique_finish(&t, &bed->tb);
	technique_release(&t);
}

static void test_killed_native(void **state)
{
	killed("native");
}

static void test_killed_oci(void **state)
{
	killed("oci:net=nat");
}

static void test_killed_docker(void **state)
{
	killed("docker:net=nat");
}

LIVE(docker_host, "docker:net=host")
LIVE(docker_bridge, "docker:net=bridge,rootfs=volume")
LIVE(docker_nat, "docker:net=nat")
LIVE(docker_macvlan, "docker:net=macvlan,readonly=on")
LIVE(docker_bare, "docker:net=host,pidns=off,utsns=off,ipcns=off,cgroupns=off,seccomp=off,caps=all")
LIVE(native_again, "native")

/* Only where somebody says so: it puts an image into a daemon that is not ours, and takes it out again. */
static void live_user(const char *text)
{
	if (!getenv("VTAX_TEST_USER_DOCKER"))
		skip();
	live(text);
}

static void live_docker_user_bridge(void **state)
{
	live_user("docker:daemon=user,net=bridge");
}

static void live_docker_user_macvlan(void **state)
{
	live_user("docker:daemon=user,net=macvlan,readonly=on");
}

static void test_nothing_left(void **state)
{
	struct vt_err err = { 0 };

	if (!bed)
		skip();
	if (!bed->journal)
		skip();
	if (bed_finish(bed, &err) < 0)
		fail_msg("%s", err.msg);
	if (left_behind(bed, true))
		fail_msg("the testbed left %s", left_behind(bed, true));
}

static int remove_dir(void **state)
{
	const char *argv[] = { "rm", "-rf", "--one-file-system", bed ? bed->dir : "", NULL };
	struct child_spec spec = { .argv = argv };

	if (bed && bed->journal) /* a filter left the last test out */
		bed_finish(bed, NULL);
	if (bed && bed->dir[0])
		child_run(&spec, 20 * NS_PER_S, NULL, NULL);
	free(bed);
	return 0;
}

/* An argument selects tests by name: "live_docker_*". */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_probe_missing),
		cmocka_unit_test(live_native),
		cmocka_unit_test(live_null),
		cmocka_unit_test(live_delay),
		cmocka_unit_test(live_crun_host),
		cmocka_unit_test(live_crun_bridge),
		cmocka_unit_test(live_crun_nat),
		cmocka_unit_test(live_crun_macvlan),
		cmocka_unit_test(live_crun_bind),
		cmocka_unit_test(live_crun_bare),
		cmocka_unit_test(live_crun_nomount),
		cmocka_unit_test(live_crun_userns),
		cmocka_unit_test(live_runc_host),
		cmocka_unit_test(live_runc_bridge),
		cmocka_unit_test(live_runc_nat),
		cmocka_unit_test(live_runc_macvlan),
		cmocka_unit_test(live_runc_bare),
		cmocka_unit_test(test_dies),
		cmocka_unit_test(test_hangs),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_start_hangs),
		cmocka_unit_test(test_relay_without_ports),
		cmocka_unit_test(test_runtime_dies),
		cmocka_unit_test(test_runtime_hangs),
		cmocka_unit_test(test_killed_native),
		cmocka_unit_test(test_killed_oci),
		cmocka_unit_test(live_docker_host),
		cmocka_unit_test(live_docker_bridge),
		cmocka_unit_test(live_docker_nat),
		cmocka_unit_test(live_docker_macvlan),
		cmocka_unit_test(live_docker_bare),
		cmocka_unit_test(test_killed_docker),
		cmocka_unit_test(live_native_again),
		cmocka_unit_test(live_docker_user_bridge),
		cmocka_unit_test(live_docker_user_macvlan),
		cmocka_unit_test(test_nothing_left),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	bed_environment();
	return cmocka_run_group_tests(tests, NULL, remove_dir);
}
