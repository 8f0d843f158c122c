/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding hierarchies in literal mount tables; and, as root, the life of real cgroups with real processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "host/cgroup.h"
#include "host/cgroup_fs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define TOP "vtax-test-cgroup"

static const char pure[] = "24 1 254:0 / / rw - ext4 /dev/vda rw\n"
			   "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char hybrid[] = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
			     "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
			     "33 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
			     "34 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
			     "35 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
			     "36 31 0:38 / /tmp/a\\040copy rw - cgroup2 cgroup2 rw\n";

static void test_mount_lines(void **state)
{
	_cleanup_mountinfo_ struct mountinfo m = MOUNTINFO_INIT;

	mountinfo_parse(&m,
		"1 2 0:5 /a\\134b /p\\040q\\011r rw master:1 propagate_from:2 - tmpfs  rw,size=4k\n"
		"garbage\n\n7 8 0:6 / /x rw - proc\n9 9 0:7 / - x y\n");
	assert_int_equal(m.n, 2);
	assert_string_equal(m.mounts[0].root, "/a\\b");
	assert_string_equal(m.mounts[0].point, "/p q\tr");
	assert_string_equal(m.mounts[0].fstype, "tmpfs");
	assert_string_equal(m.mounts[0].super, "rw,size=4k");
	assert_string_equal(m.mounts[1].super, "");
	assert_true(mountinfo_has_option("rw,cpu,cpuacct", "cpu"));
	assert_true(mountinfo_has_option("rw,cpu,cpuacct", "cpuacct"));
	assert_false(mountinfo_has_option("rw,cpuacct", "cpu"));
	assert_false(mountinfo_has_option("", "cpu"));
}

static void find(struct hierarchies *hs, const char *text, int expected)
{
	_cleanup_mountinfo_ struct mountinfo m = MOUNTINFO_INIT;

	mountinfo_parse(&m, text);
	assert_int_equal(hierarchies_find(hs, &m), expected);
}

static void test_layouts(void **state)
{
	struct hierarchies hs;

	find(&hs, pure, 0);
	assert_int_equal(hs.layout, CGROUP_V2);
	assert_int_equal(hs.n, 1);
	assert_string_equal(hs.h[0].point, "/sys/fs/cgroup");

	find(&hs, hybrid, 0);
	assert_int_equal(hs.layout, CGROUP_HYBRID);
	assert_int_equal(hs.n, 4); /* the second mount of cgroup2 is the same hierarchy */
	assert_int_equal(hs.h[0].controllers, CTRL_CPU | CTRL_CPUACCT);
	assert_int_equal(hs.h[1].controllers, CTRL_CPUSET);
	assert_false(hierarchy_is_needed(&hs.h[2])); /* name=systemd */
	assert_true(hs.h[3].v2);

	find(&hs, "32 31 0:29 / /cg/mem rw - cgroup cgroup rw,memory\n", 0);
	assert_int_equal(hs.layout, CGROUP_V1);
	find(&hs, "24 1 254:0 / / rw - ext4 /dev/vda rw\n", -ENODEV);
	find(&hs, "34 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n", -ENODEV);
	find(&hs, "", -ENODEV);
}

static void test_paths(void **state)
{
	static const char *const good[] = { "vtax", "vtax-3f2a", "vtax-3f2a/env", "vtax-1/a.b/c:d_e" };
	static const char *const bad[] = { "", "/", "/vtax", "user.slice", "vta", "vtax/", "vtax//a",
		"vtax/../x", "vtax/./x", "vtax/..", "vtax a", "vtax\n", "xvtax", "vtax/.hidden" };
	char huge[300];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(cgroup_path_is_ours(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cgroup_path_is_ours(bad[i]));
	memset(huge, 'a', sizeof huge - 1);
	memcpy(huge, "vtax", 4);
	huge[sizeof huge - 1] = '\0';
	assert_false(cgroup_path_is_ours(huge));
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* In how many hierarchies it exists. */
static size_t present(const char *path)
{
	const struct hierarchies *hs;
	size_t n = 0;

	assert_int_equal(hierarchies_get(&hs, NULL), 0);
	for (size_t i = 0; i < hs->n; i++)
		n += faccessat(hs->h[i].fd, path, F_OK, 0) == 0;
	return n;
}

static size_t everywhere(void)
{
	const struct hierarchies *hs;

	assert_int_equal(hierarchies_get(&hs, NULL), 0);
	return hs->n;
}

static int enter(void *arg, struct vt_err *err)
{
	return cgroup_enter(arg, err);
}

static void start(struct child *c, struct cgroup *cg, const char *const *argv)
{
	struct child_spec spec = { .argv = argv,
		.in = CHILD_NULL,
		.out = CHILD_NULL,
		.errout = CHILD_NULL,
		.prepare = enter,
		.arg = cg,
		.die_with_parent = true };
	struct vt_err err = { 0 };

	if (child_start(c, &spec, &err) < 0)
		fail_msg("%s", err.msg);
}

static const char *const sleeper[] = { "sleep", "60", NULL };

static void test_create_and_remove(void **state)
{
	struct cgroup cg, top = { TOP };
	struct vt_err err = { 0 };

	need_root();
	assert_int_equal(cgroup_create(&cg, NULL, TOP "/a/b", &err), 0);
	assert_string_equal(cg.path, TOP "/a/b");
	assert_int_equal(present(TOP), everywhere());
	assert_int_equal(present(TOP "/a/b"), everywhere());
	assert_int_equal(cgroup_create(&cg, NULL, TOP "/a/b", &err), 0); /* again: fine */
	assert_int_equal(cgroup_remove(&top, &err), 0);
	assert_int_equal(present(TOP), 0);
	assert_int_equal(cgroup_remove(&top, &err), 0); /* absent: fine */
	assert_int_equal(cgroup_create(&cg, NULL, "system.slice/x", &err), -EINVAL);
	snprintf(cg.path, sizeof cg.path, "system.slice");
	assert_int_equal(cgroup_remove(&cg, &err), -EPERM);
}

static void test_processes(void **state)
{
	_cleanup_child_ struct child one = CHILD_INIT, two = CHILD_INIT;
	_cleanup_free_ pid_t *pids = NULL;
	struct cgroup a, b, top = { TOP };
	struct vt_err err = { 0 };
	uint64_t bytes;
	int status;
	size_t n;

	need_root();
	assert_int_equal(cgroup_create(&a, NULL, TOP "/a", &err), 0);
	assert_int_equal(cgroup_create(&b, NULL, TOP "/b", &err), 0);
	start(&one, &a, sleeper);
	start(&two, &b, sleeper);
	assert_int_equal(cgroup_pids(&top, &pids, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_true(pids[0] < pids[1]);
	if (cgroup_memory_bytes(&a, &bytes, &err) == 0)
		assert_true(bytes > 0);
	else
		assert_int_equal(err.code, -ENOTSUP);

	/* Only what is below goes. */
	assert_int_equal(cgroup_kill(&a, clock_deadline_ns(5 * NS_PER_S), &err), 0);
	assert_int_equal(child_wait(&one, clock_deadline_ns(5 * NS_PER_S), &status, &err), 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(child_wait(&two, clock_now_ns(), NULL, &err), -ETIMEDOUT);

	assert_int_equal(cgroup_remove(&top, &err), 0);
	assert_int_equal(child_wait(&two, clock_deadline_ns(5 * NS_PER_S), &status, &err), 0);
	assert_int_equal(present(TOP), 0);
}

/* A process that a runtime moved to a group of its own in one hierarchy only is found all the same. */
static void test_runtime_leftovers(void **state)
{
	const struct hierarchies *hs;
	struct cgroup a, pivot, top = { TOP };
	struct vt_err err = { 0 };

	need_root();
	assert_int_equal(hierarchies_get(&hs, &err), 0);
	for (size_t i = 0; i < hs->n; i++) {
		_cleanup_child_ struct child c = CHILD_INIT;
		char pid[16];
		int fd, status;

		assert_int_equal(cgroup_create(&a, NULL, TOP "/a", &err), 0);
		assert_int_equal(cgroup_create(&pivot, NULL, TOP "/lxc.pivot", &err), 0);
		assert_int_equal(child_start(&c,
					 &(struct child_spec){ .argv = sleeper,
						 .in = CHILD_NULL,
						 .out = CHILD_NULL,
						 .errout = CHILD_NULL,
						 .die_with_parent = true },
					 &err),
			0);
		fd = openat(hs->h[i].fd, TOP "/lxc.pivot/cgroup.procs", O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		snprintf(pid, sizeof pid, "%d", (int)c.pid);
		assert_true(write(fd, pid, strlen(pid)) > 0);
		close(fd);
		if (cgroup_remove(&top, &err) < 0)
			fail_msg("%s: %s", hs->h[i].point, err.msg);
		assert_int_equal(child_wait(&c, clock_deadline_ns(5 * NS_PER_S), &status, &err), 0);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(present(TOP), 0);
	}
}

static void test_paused_is_killed(void **state)
{
	const struct hierarchies *hs;
	struct vt_err err = { 0 };
	struct cgroup a;

	need_root();
	assert_int_equal(hierarchies_get(&hs, &err), 0);
	for (size_t i = 0; i < hs->n; i++) {
		_cleanup_child_ struct child c = CHILD_INIT;
		const char *file = hs->h[i].v2 ? TOP "/cgroup.freeze" : TOP "/freezer.state";
		int fd;

		if (!hs->h[i].v2 && !(hs->h[i].controllers & CTRL_FREEZER))
			continue;
		assert_int_equal(cgroup_create(&a, NULL, TOP, &err), 0);
		start(&c, &a, sleeper);
		fd = openat(hs->h[i].fd, file, O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_true(write(fd, hs->h[i].v2 ? "1" : "FROZEN", hs->h[i].v2 ? 1 : 6) > 0);
		close(fd);
		assert_int_equal(cgroup_remove(&a, &err), 0);
	}
}

static void test_forking_faster_than_listing(void **state)
{
	static const char *const argv[] = { "sh", "-c",
		"i=0; while [ $i -lt 20 ]; do (while :; do sleep 0.01 & wait; done) & i=$((i+1)); done; wait",
		NULL };
	_cleanup_child_ struct child c = CHILD_INIT;
	_cleanup_free_ pid_t *pids = NULL;
	struct vt_err err = { 0 };
	struct cgroup a;
	size_t n = 0;

	need_root();
	assert_int_equal(cgroup_create(&a, NULL, TOP, &err), 0);
	start(&c, &a, argv);
	for (uint64_t end = clock_deadline_ns(5 * NS_PER_S); n < 10 && clock_now_ns() < end;) {
		cleanup_freep(&pids);
		assert_int_equal(cgroup_pids(&a, &pids, &n, &err), 0);
	}
	assert_true(n >= 10);
	assert_int_equal(cgroup_remove(&a, &err), 0);
	assert_int_equal(present(TOP), 0);
}

static void test_cpu_time(void **state)
{
	static const char *const burn[] = { "sh", "-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done",
		NULL };
	_cleanup_child_ struct child c = CHILD_INIT;
	struct cgroup a, top = { TOP };
	uint64_t before, ns, sum;
	struct vt_err err = { 0 };
	int status;

	need_root();
	assert_int_equal(cgroup_create(&a, NULL, TOP "/a", &err), 0);
	assert_int_equal(cgroup_cpu_ns(&a, &before, &err), 0);
	start(&c, &a, burn);
	assert_int_equal(child_wait(&c, clock_deadline_ns(30 * NS_PER_S), &status, &err), 0);
	assert_int_equal(cgroup_cpu_ns(&a, &ns, &err), 0);
	assert_int_equal(cgroup_cpu_ns(&top, &sum, &err), 0);
	assert_true(ns > before);
	assert_true(sum + NS_PER_US >= ns); /* what is below counts above; the sides round differently */
	assert_int_equal(cgroup_remove(&top, &err), 0);
	assert_int_equal(cgroup_cpu_ns(&a, &ns, &err), -ENOENT);
}

static void test_not_ourselves(void **state)
{
	struct vt_err err = { 0 };
	struct cgroup a, top = { TOP };
	int status;
	pid_t pid;

	need_root();
	assert_int_equal(cgroup_create(&a, NULL, TOP "/a", &err), 0);
	pid = fork();
	if (pid == 0)
		_exit(cgroup_enter(&a, &err) == 0 && cgroup_remove(&top, &err) == -EBUSY ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(cgroup_remove(&top, &err), 0);
}

static void test_enter_what_is_gone(void **state)
{
	struct cgroup gone = { TOP "/never" };
	struct vt_err err = { 0 };

	need_root();
	assert_int_equal(cgroup_enter(&gone, &err), -ENOENT);
	assert_non_null(strstr(err.msg, TOP "/never"));
}

static int sweep(void **state)
{
	struct cgroup top = { TOP };

	return geteuid() == 0 ? cgroup_remove(&top, NULL) : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mount_lines),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_paths),
		cmocka_unit_test_teardown(test_create_and_remove, sweep),
		cmocka_unit_test_teardown(test_processes, sweep),
		cmocka_unit_test_teardown(test_runtime_leftovers, sweep),
		cmocka_unit_test_teardown(test_paused_is_killed, sweep),
		cmocka_unit_test_teardown(test_forking_faster_than_listing, sweep),
		cmocka_unit_test_teardown(test_cpu_time, sweep),
		cmocka_unit_test_teardown(test_not_ourselves, sweep),
		cmocka_unit_test(test_enter_what_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
