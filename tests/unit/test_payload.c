/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payloads in a cache of the test's own. The agent is a stand-in: to the payload it is a file to copy. Tests
 * that want a real program skip when apt cannot bring it and it is not installed.
 */
#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "payload/package.h"
#include "payload/payload.h"
#include "payload/rootfs.h"
#include "payload/inroot.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

struct fixture {
	char dir[64], agent[96], cache[96];
};

static void write_agent(const struct fixture *f, const char *text, size_t pad)
{
	_cleanup_buf_ struct buf b = BUF_INIT(64 << 20);
	static const char zeros[4096];

	buf_puts(&b, text);
	for (size_t i = 0; i < pad; i += sizeof zeros)
		buf_add(&b, zeros, sizeof zeros);
	assert_int_equal(buf_write_file(&b, f->agent, 0755, NULL), 0);
	assert_int_equal(chmod(f->agent, 0755), 0);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/vtax-test-payload-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->agent, sizeof f->agent, "%s/agent", f->dir);
	snprintf(f->cache, sizeof f->cache, "%s/cache", f->dir);
	setenv("VTAX_CACHE", f->cache, 1);
	write_agent(f, "agent one", 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = inroot_remove(f->dir, NULL, NULL);

	unsetenv("VTAX_CACHE");
	free(f);
	return r;
}

static struct payload get(const struct fixture *f)
{
	struct vt_err err = { 0 };
	struct payload p;

	if (payload_get(&p, f->agent, NULL, false, &err) < 0)
		fail_msg("%s", err.msg);
	return p;
}

/* Entries of CACHE/payload: finished payloads, and what builds have left there. */
static unsigned count(const struct fixture *f, bool builds)
{
	_cleanup_free_ char *dir = xasprintf("%s/payload", f->cache);
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *de;
	unsigned n = 0;

	while (d && (de = readdir(d)))
		n += builds ? strncmp(de->d_name, ".build-", 7) == 0 : strlen(de->d_name) == 64;
	return n;
}

static void builds_a_rootfs(void **state)
{
	struct payload p = get(*state);
	_cleanup_buf_ struct buf agent = BUF_INIT(100);
	static const char *const dirs[] = { "dev", "proc", "sys", "data", "tmp", "usr/bin", "root" };
	_cleanup_free_ char *tmp = xasprintf("%s/tmp", p.rootfs);
	struct stat st;

	assert_int_equal(strlen(p.digest), 64);
	assert_int_equal(buf_read_file(&agent, p.agent, NULL), 0);
	assert_string_equal(buf_str(&agent), "agent one");
	assert_int_equal(access(p.agent, X_OK), 0);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", p.rootfs, dirs[i]);

		assert_int_equal(stat(path, &st), 0);
		assert_true(S_ISDIR(st.st_mode));
	}
	assert_int_equal(stat(tmp, &st), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
	assert_true(p.size_bytes > 0);
	assert_int_equal(count(*state, true), 0);
}

static void second_time_is_the_same(void **state)
{
	struct payload a = get(*state), b;
	struct stat before, after;

	assert_int_equal(stat(a.agent, &before), 0);
	b = get(*state);
	assert_int_equal(stat(b.agent, &after), 0);
	assert_string_equal(a.digest, b.digest);
	assert_int_equal(before.st_ino, after.st_ino); /* not built again */
	assert_int_equal(a.size_bytes, b.size_bytes);
}

static void changed_agent_is_another_payload(void **state)
{
	struct payload a = get(*state), b;
	uint64_t freed = 0;

	write_agent(*state, "agent two", 0);
	b = get(*state);
	assert_string_not_equal(a.digest, b.digest);
	assert_int_equal(count(*state, false), 2);
	assert_int_equal(payload_clean(&b, &freed, NULL), 0);
	assert_true(freed > 0);
	assert_int_equal(count(*state, false), 1);
	assert_int_equal(access(b.agent, X_OK), 0);
	write_agent(*state, "agent one", 0);
	assert_string_equal(get(*state).digest, a.digest); /* content decides, not history */
	assert_int_equal(payload_clean(NULL, NULL, NULL), 0);
	assert_int_equal(count(*state, false), 0);
	assert_int_equal(payload_clean(NULL, NULL, NULL), 0);
}

static void umask_does_not_matter(void **state)
{
	struct payload a = get(*state), b;
	mode_t old;

	assert_int_equal(payload_clean(NULL, NULL, NULL), 0);
	old = umask(0077);
	b = get(*state);
	umask(old);
	assert_string_equal(a.digest, b.digest);
}

static void damage_is_repaired(void **state)
{
	struct payload p = get(*state);
	_cleanup_free_ char *passwd = xasprintf("%s/etc/passwd", p.rootfs);
	_cleanup_free_ char *manifest = xasprintf("%s/manifest", p.dir);

	assert_int_equal(truncate(p.agent, 3), 0);
	assert_string_equal(get(*state).digest, p.digest);
	assert_int_equal(unlink(passwd), 0);
	get(*state);
	assert_int_equal(access(passwd, R_OK), 0);
	assert_int_equal(truncate(manifest, 100), 0);
	get(*state);
	assert_int_equal(count(*state, false), 1);
}

/* What a package upgrade looks like: the recorded stamp no longer is what the system says. */
static void stale_stamp_looks_again(void **state)
{
	struct fixture *f = *state;
	struct payload p = get(f);
	_cleanup_free_ char *dir = xasprintf("%s/payload/keys", f->cache);
	_cleanup_closedir_ DIR *d = opendir(dir);
	_cleanup_buf_ struct buf old = BUF_INIT(65536), renewed = BUF_INIT(65536), b = BUF_INIT(100);
	_cleanup_free_ char *key = NULL;
	struct dirent *de;

	while ((de = readdir(d)))
		if (de->d_name[0] != '.')
			key = xasprintf("%s/%s", dir, de->d_name);
	assert_non_null(key);
	assert_int_equal(buf_read_file(&old, key, NULL), 0);
	buf_printf(&b, "%s\nother\n", p.digest);
	assert_int_equal(buf_write_file(&b, key, 0644, NULL), 0);
	assert_string_equal(get(f).digest, p.digest);
	assert_int_equal(buf_read_file(&renewed, key, NULL), 0);
	assert_string_equal(buf_str(&old), buf_str(&renewed));
}

static void concurrent_builds_agree(void **state)
{
	pid_t pids[6];
	int status;

	write_agent(*state, "big", 4 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct fixture *f = *state;
			struct payload p;

			_exit(payload_get(&p, f->agent, NULL, false, NULL) == 0 ? 0 : 1);
		}
		assert_true(pids[i] > 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count(*state, false), 1);
	assert_int_equal(count(*state, true), 0);
}

static void killed_builds_leave_nothing(void **state)
{
	struct fixture *f = *state;
	struct payload p;

	for (unsigned i = 0; i < 25; i++) {
		_cleanup_free_ char *text = xasprintf("agent %u", i);
		pid_t pid;

		write_agent(f, text, 2 << 20);
		pid = fork();
		if (pid == 0) {
			payload_get(&p, f->agent, NULL, false, NULL);
			_exit(0);
		}
		assert_true(pid > 0);
		clock_sleep_until(clock_deadline_ns(i * NS_PER_MS));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	write_agent(f, "the last", 2 << 20);
	p = get(f);
	assert_int_equal(access(p.agent, X_OK), 0);
	assert_int_equal(count(f, true), 0);
}

static void same_payload_same_tar(void **state)
{
	struct payload p = get(*state);
	_cleanup_buf_ struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20), list = BUF_INIT(1 << 20);
	const char *argv[] = { "tar", "-tvf", NULL, NULL };
	struct child_spec spec = { .argv = argv };
	char path[320], again[320];

	assert_int_equal(payload_tar(&p, path, NULL), 0);
	assert_int_equal(buf_read_file(&a, path, NULL), 0);
	assert_int_equal(payload_clean(NULL, NULL, NULL), 0);
	p = get(*state);
	assert_int_equal(payload_tar(&p, again, NULL), 0);
	assert_string_equal(path, again);
	assert_int_equal(buf_read_file(&b, again, NULL), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	argv[2] = path;
	assert_int_equal(child_run(&spec, 30 * NS_PER_S, &list, NULL), 0);
	assert_non_null(strstr(buf_str(&list), "./vtax/agent\n"));
	assert_non_null(strstr(buf_str(&list), "./lib -> usr/lib\n"));
	assert_non_null(strstr(buf_str(&list), "drwxrwxrwt 0/0 "));
}

static void bad_requests(void **state)
{
	struct fixture *f = *state;
	const char *unknown[] = { "no-such-program", NULL };
	struct vt_err err = { 0 };
	struct payload p = { .digest = "untouched" };

	assert_int_equal(payload_get(&p, "/nonexistent/agent", NULL, false, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/agent"));
	assert_int_equal(payload_get(&p, f->agent, unknown, false, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "no-such-program"));
	assert_int_equal(chmod(f->agent, 0644), 0);
	assert_true(payload_get(&p, f->agent, NULL, false, &err) < 0); /* not a program */
	assert_int_equal(count(f, true), 0);
	assert_int_equal(chmod(f->agent, 0755), 0);
	setenv("VTAX_CACHE", "relative", 1);
	assert_true(payload_get(&p, f->agent, NULL, false, &err) < 0);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	setenv("VTAX_CACHE", "/proc/nowhere", 1);
	assert_true(payload_get(&p, f->agent, NULL, false, &err) < 0);
	assert_string_equal(p.digest, "untouched");
}

static void forget_keys(const struct fixture *f)
{
	_cleanup_free_ char *keys = xasprintf("%s/payload/keys", f->cache);

	assert_int_equal(inroot_remove(keys, NULL, NULL), 0);
}

/* The real thing: a package's program with its libraries, through its own loader. */
static void program_runs_by_its_own_loader(void **state)
{
	struct fixture *f = *state;
	const char *programs[] = { "iperf3", NULL };
	_cleanup_strvec_ struct strvec argv = STRVEC_INIT;
	_cleanup_buf_ struct buf out = BUF_INIT(65536), maps = BUF_INIT(65536);
	struct child_spec spec = { 0 };
	struct vt_err err = { 0 };
	struct payload p, again;

	if (payload_get(&p, f->agent, programs, false, &err) < 0) {
		print_message("skipped: %s\n", err.msg);
		skip();
	}
	assert_int_equal(payload_native_argv(&p, "iperf3", &argv, &err), 0);
	assert_non_null(strstr(argv.v[0], p.rootfs));
	strvec_push(&argv, "--version");
	spec.argv = strvec_argv(&argv);
	if (child_run(&spec, 30 * NS_PER_S, &out, &err) < 0)
		fail_msg("%s", err.msg);
	assert_non_null(strstr(buf_str(&out), "iperf 3."));
	/* With LD_TRACE_LOADED_OBJECTS the loader lists what it would load: all of it must be ours. */
	setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
	assert_int_equal(child_run(&spec, 30 * NS_PER_S, &maps, &err), 0);
	unsetenv("LD_TRACE_LOADED_OBJECTS");
	for (char *line = maps.data, *next; line && *line; line = next) {
		next = strchrnul(line, '\n');
		if (*next)
			*next++ = '\0';
		if (strstr(line, "=> /"))
			assert_non_null(strstr(line, p.rootfs));
	}
	assert_int_equal(payload_get(&again, f->agent, programs, true, &err), 0);
	assert_string_equal(p.digest, again.digest);
	forget_keys(f); /* built again without apt, from the cached package or the installed one */
	assert_int_equal(payload_get(&again, f->agent, programs, true, &err), 0);
	assert_string_equal(p.digest, again.digest);
}

static void dependencies_are_parsed(void **state)
{
	const char *text = "init-system-helpers (>= 1.54~),debconf (>= 0.5) | debconf-2.0, "
		"libc6:any (= 2.36-9)\nlast";
	struct package_dep d;

	assert_true(package_next_dep(&text, &d));
	assert_string_equal(d.name, "init-system-helpers");
	assert_string_equal(d.op, ">=");
	assert_string_equal(d.version, "1.54~");
	assert_true(package_next_dep(&text, &d));
	assert_string_equal(d.name, "debconf");
	assert_true(package_next_dep(&text, &d));
	assert_string_equal(d.name, "debconf-2.0");
	assert_string_equal(d.op, "");
	assert_true(package_next_dep(&text, &d));
	assert_string_equal(d.name, "libc6");
	assert_string_equal(d.op, "=");
	assert_string_equal(d.version, "2.36-9");
	assert_true(package_next_dep(&text, &d));
	assert_string_equal(d.name, "last");
	assert_false(package_next_dep(&text, &d));
	text = " ,|((<<<<<<<<<";
	while (package_next_dep(&text, &d))
		;
}

static void names_of_packages_are_checked(void **state)
{
	static const char *const bad[] = { "", "a", "-o", "--help", "Upper", "a b", "../x", "x;y" };
	struct fixture *f = *state;

	mkdir(f->cache, 0755);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_package_ struct package p = PACKAGE_INIT;

		assert_int_equal(package_find(&p, f->cache, bad[i], true, NULL), -EINVAL);
	}
}

static void damaged_manifests_are_noticed(void **state)
{
	static const char *const bad[] = {
		"file\n", "file 0755 abc 1 file\n", "file 0755 abc x file /a\n", "file 0755 abc 1 file a\n",
	};
	const char *good = "dir 0755 /etc\nfile 0755 abc 12 library /usr/lib/a b\nlink x /y";
	struct rootfs_entry e;

	assert_int_equal(rootfs_next_entry(&good, &e), 1);
	assert_int_equal(e.size, 12);
	assert_int_equal(e.mode, 0755);
	assert_string_equal(e.kind, "library");
	assert_int_equal(e.path_len, strlen("/usr/lib/a b"));
	assert_int_equal(rootfs_next_entry(&good, &e), 0);
	for (size_t i = 1; i < ARRAY_SIZE(bad); i++) {
		const char *text = bad[i];

		assert_int_equal(rootfs_next_entry(&text, &e), -EBADMSG);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(builds_a_rootfs), T(second_time_is_the_same), T(changed_agent_is_another_payload),
		T(umask_does_not_matter), T(damage_is_repaired), T(stale_stamp_looks_again),
		T(concurrent_builds_agree), T(killed_builds_leave_nothing), T(same_payload_same_tar), T(bad_requests),
		T(program_runs_by_its_own_loader), T(names_of_packages_are_checked),
		cmocka_unit_test(dependencies_are_parsed), cmocka_unit_test(damaged_manifests_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
