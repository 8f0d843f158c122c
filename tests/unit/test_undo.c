/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be undone, and undoing it on real kernel objects (as root): trees with traps in them, a full disk,
 * and namespaces, mounts, cgroups and processes left by children that are killed at any moment.
 */
#include "journal_fixture.h"

#include "host/cgroup.h"
#include "host/netns.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* ---- what may be undone ---- */

static void test_hostile_undos_are_refused(void **arg)
{
	static const struct {
		enum undo_kind kind;
		const char *arg;
	} bad[] = {
		{ UNDO_FILE, "/etc/passwd" },
		{ UNDO_FILE, "relative" },
		{ UNDO_FILE, "/s" },
		{ UNDO_FILE, "/s/" },
		{ UNDO_FILE, "/s/../etc/passwd" },
		{ UNDO_FILE, "/s/./x" },
		{ UNDO_FILE, "/s//x" },
		{ UNDO_FILE, "/sx/y" },
		{ UNDO_FILE, "/s/lock" },
		{ UNDO_FILE, "/run/vtaxx/y" },
		{ UNDO_FILE, "/run/vtax" },
		{ UNDO_FILE, "/run/netns/other" },
		{ UNDO_FILE, "/run/netns/vtax/../x" },
		{ UNDO_FILE, "/run/netns/vtax-1/x" },
		{ UNDO_TREE, "/" },
		{ UNDO_TREE, "/s" },
		{ UNDO_TREE, "/run/vtax" },
		{ UNDO_TREE, "/home" },
		{ UNDO_TREE, "/s/campaigns" },
		{ UNDO_TREE, "/run/netns/vtax-1" },
		{ UNDO_TREE, "/s/a/.." },
		{ UNDO_MOUNT, "/" },
		{ UNDO_MOUNT, "/proc" },
		{ UNDO_MOUNT, "/s" },
		{ UNDO_MOUNT, "/sys/fs/cgroup" },
		{ UNDO_NETNS, "/run/netns/x" },
		{ UNDO_NETNS, "/s/x" },
		{ UNDO_NETNS, "/run/netns/vtax-1/../../../etc/passwd" },
		{ UNDO_NETNS, "/proc/1/ns/net" },
		{ UNDO_CGROUP, "/" },
		{ UNDO_CGROUP, "system.slice" },
		{ UNDO_CGROUP, "vtax/../system.slice" },
		{ UNDO_PID, "1 5" },
		{ UNDO_PID, "0 5" },
		{ UNDO_PID, "-1 5" },
		{ UNDO_PID, "5" },
		{ UNDO_PID, "5 5 5" },
		{ UNDO_PID, "x" },
		{ UNDO_PID, "99999999999 5" },
		{ UNDO_COMMAND, "\037a" },
		{ UNDO_LINK, "\037eth0" },
		{ UNDO_LINK, "eth0" },
		{ UNDO_LINK, "\037vtax/../x" },
		{ UNDO_LINK, "\037vtax0123456789abc" },
		{ UNDO_LINK, "/proc/1/ns/net\037vtax0" },
		{ UNDO_LINK, "/run/netns/vtax-a\x1f" },
		{ UNDO_LINK, "/run/netns/vtax-a\037a b" },
		{ (enum undo_kind)99, "x" },
	};
	static const struct {
		enum undo_kind kind;
		const char *arg;
	} good[] = {
		{ UNDO_FILE, "/s/x" },
		{ UNDO_FILE, "/run/vtax/a/b" },
		{ UNDO_FILE, "/run/netns/vtax-1" },
		{ UNDO_TREE, "/s/campaigns/x" },
		{ UNDO_TREE, "/run/vtax/a" },
		{ UNDO_MOUNT, "/s/a/b" },
		{ UNDO_NETNS, "/run/netns/vtax-3f2a-sut" },
		{ UNDO_CGROUP, "vtax-3f2a/env" },
		{ UNDO_PID, "12 34" },
		{ UNDO_COMMAND, "true" },
		{ UNDO_LINK, "\037vtax0" },
		{ UNDO_LINK, "/run/netns/vtax-a\037eth0" },
	};
	struct vt_err err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (undo_check("/s", bad[i].kind, bad[i].arg, &err) != -EPERM)
			fail_msg("'%s' passed as kind %d", bad[i].arg, (int)bad[i].kind);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ok(undo_check("/s", good[i].kind, good[i].arg, &err), &err);
}

/* ---- real kernel objects ---- */

static bool mounted_below(const char *path)
{
	_cleanup_mountinfo_ struct mountinfo m = MOUNTINFO_INIT;

	assert_int_equal(mountinfo_read(&m, NULL), 0);
	for (size_t i = 0; i < m.n; i++)
		if (strncmp(m.mounts[i].point, path, strlen(path)) == 0)
			return true;
	return false;
}

static void make_deep(const char *dir, int depth)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	for (int i = 0; i < depth; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "a-rather-long-name-so-that-no-path-could-hold-it", 0700), 0);
		next = openat(fd, "a-rather-long-name-so-that-no-path-could-hold-it", O_PATH | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
}

static void test_trees(void **arg)
{
	struct journal *j = begin("trees");
	struct vt_err err = { 0 };
	_cleanup_free_ char *tree = xstrdup(in(journal_dir(j), "tree"));

	ok(tree_make(in(base, "outside"), 0700, &err), &err);
	put_file(in(base, "outside/precious"), "x");
	ok(journal_add(j, UNDO_TREE, tree, &err), &err);
	ok(tree_make(in(tree, "x"), 0700, &err), &err);
	make_deep(tree, 200);
	assert_int_equal(symlink(in(base, "outside"), in(tree, "link")), 0);
	assert_int_equal(mkfifo(in(tree, "fifo"), 0600), 0);
	if (geteuid() == 0) {
		assert_int_equal(mount(in(base, "outside"), in(tree, "x"), NULL, MS_BIND, NULL), 0);
		assert_int_equal(mount("none", in(tree, "x"), "tmpfs", 0, "size=64k"), 0);
	}
	ok(journal_undo_to(j, 0, &err), &err);
	assert_false(there(tree));
	assert_false(mounted_below(tree));
	assert_true(there(in(base, "outside/precious")));
	ok(tree_make(tree, 0700, &err), &err);
	if (geteuid() == 0) { /* without the unmounting, removal stops at the mount */
		ok(tree_make(in(tree, "x"), 0700, &err), &err);
		assert_int_equal(mount(in(base, "outside"), in(tree, "x"), NULL, MS_BIND, NULL), 0);
		assert_int_equal(tree_remove(state, tree, NULL, &err), -EBUSY);
		assert_true(there(in(base, "outside/precious")));
	}
	ok(journal_finish(j, &err), &err);
	assert_false(mounted_below(base));
	assert_true(there(in(base, "outside/precious")));
}

static void test_disk_full(void **arg)
{
	_cleanup_free_ char *longest = NULL;
	struct vt_err err = { 0 };
	struct journal *j;
	char fill[4096];
	int fd, r = 0;
	size_t n;

	need_root();
	ok(tree_make(state, 0700, &err), &err);
	assert_int_equal(mount("none", state, "tmpfs", 0, "size=128k,mode=0700"), 0);
	j = begin("full");
	ok(journal_add(j, UNDO_FILE, in(journal_dir(j), "before"), &err), &err);
	fd = open(in(journal_dir(j), "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	memset(fill, 'x', sizeof fill);
	while (write(fd, fill, sizeof fill) == sizeof fill)
		;
	close(fd);
	longest = xasprintf("true\x1f%.4000s", fill);
	for (n = 0; n < 100 && r == 0; n++) {
		r = journal_add(j, UNDO_COMMAND, longest, &err);
	}
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(err.msg, "free some space"));
	assert_int_equal(journal_mark(j), n);
	unlink(in(journal_dir(j), "filler"));
	ok(journal_add(j, UNDO_FILE, in(journal_dir(j), "after"), &err), &err);
	assert_int_equal(clean(1).alive, 1);
	ok(journal_finish(j, &err), &err);

	fd = open(in(state, "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, fill, sizeof fill) == sizeof fill)
		;
	close(fd);
	assert_true(journal_create(&j, "none", &err) < 0);
	assert_false(there(in(state, "campaigns/none")));
}

#define KILL_NS "vtax-test-kill"
#define KILL_CGROUP "vtax-test-kill"
#define STEPS 14

static void step(int *left)
{
	if (--*left == 0)
		kill(getpid(), SIGKILL);
}

static int enter(void *arg, struct vt_err *err)
{
	return cgroup_enter(arg, err);
}

static void start_in(struct child *c, struct cgroup *cg)
{
	static const char *const argv[] = { "sleep", "600", NULL };
	struct vt_err err = { 0 };

	ok(child_start(c,
		   &(struct child_spec){ .argv = argv,
			   .in = CHILD_NULL,
			   .out = CHILD_NULL,
			   .errout = CHILD_NULL,
			   .new_session = true,
			   .prepare = enter,
			   .arg = cg },
		   &err),
		&err);
}

/* What a campaign does to the host, dying before one of the steps. */
static void campaign(int left)
{
	struct netns ns = NETNS_INIT;
	struct cgroup top, leaf;
	struct child c = CHILD_INIT;
	struct vt_err err = { 0 };
	struct journal *j = begin("killed");
	size_t mark;

	step(&left);
	ok(cgroup_create(&top, j, KILL_CGROUP, &err), &err);
	step(&left);
	ok(cgroup_create(&leaf, j, KILL_CGROUP "/leaf", &err), &err);
	step(&left);
	start_in(&c, &leaf);
	start_in(&c, &leaf);
	step(&left);
	ok(netns_create(&ns, j, KILL_NS, &err), &err);
	step(&left);
	mark = journal_mark(j);
	ok(journal_addf(j, UNDO_LINK, &err, "/run/netns/" KILL_NS "\037nothing0"), &err);
	step(&left);
	ok(journal_add(j, UNDO_TREE, in(journal_dir(j), "rootfs"), &err), &err);
	step(&left);
	ok(tree_make(in(journal_dir(j), "rootfs/upper"), 0755, &err), &err);
	step(&left);
	ok(journal_add(j, UNDO_MOUNT, in(journal_dir(j), "rootfs/upper"), &err), &err);
	step(&left);
	assert_int_equal(mount("none", in(journal_dir(j), "rootfs/upper"), "tmpfs", 0, "size=64k"), 0);
	step(&left);
	put_file(in(journal_dir(j), "rootfs/upper/x"), "x");
	make_deep(in(journal_dir(j), "rootfs"), 40);
	step(&left);
	start_in(&c, &leaf);
	ok(journal_add_pid(j, c.pid, &err), &err);
	step(&left);
	ok(journal_undo_to(j, mark, &err), &err);
	step(&left);
	ok(journal_finish(j, &err), &err);
	step(&left);
	_exit(0);
}

static void assert_no_trace(void)
{
	struct cgroup top = { KILL_CGROUP };
	_cleanup_free_ pid_t *pids = NULL;
	struct vt_err err = { 0 };
	uint64_t ns;
	size_t n;

	assert_false(there("/run/netns/" KILL_NS));
	assert_false(mounted_below("/run/netns/" KILL_NS));
	assert_false(mounted_below(base));
	assert_false(there(in(state, "campaigns/killed")));
	ok(cgroup_pids(&top, &pids, &n, &err), &err);
	assert_int_equal(n, 0);
	assert_int_equal(cgroup_cpu_ns(&top, &ns, &err), -ENOENT);
}

static void test_killed_at_any_moment(void **arg)
{
	need_root();
	srandom(20261120);
	for (int i = 0; i < 30; i++) {
		struct journal_clean c;
		struct vt_err err = { 0 };
		int status;
		pid_t pid = fork();

		if (pid == 0)
			campaign(i % 2 ? i % (STEPS + 1) : 1000);
		if (i % 2 == 0) {
			clock_sleep_until(clock_deadline_ns((uint64_t)random() % (60 * NS_PER_MS)));
			kill(pid, SIGKILL);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			assert_int_equal(WEXITSTATUS(status), 0);
		ok(journal_clean(&c, 0, NULL, &err), &err);
		if (c.failed || c.alive)
			fail_msg("round %d: %zu alive, %s", i, c.alive, err.msg);
		assert_no_trace();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_undos_are_refused),
		cmocka_unit_test_setup_teardown(test_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_at_any_moment, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
