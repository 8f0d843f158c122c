/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Children: start-up errors reach the parent, deadlines hold, nothing is left running and no descriptor
 * leaks. Long sleeps below are ended by the code under test; a test that waits for one has failed.
 */
#include "base/child.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#define LONG_NS (60 * NS_PER_S)	  /* never reached when things work */
#define SHORT_NS (50 * NS_PER_MS) /* for waits that are meant to time out */

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define QUIET(...) ((struct child_spec){ .argv = ARGV(__VA_ARGS__), .in = CHILD_NULL, .out = CHILD_NULL, \
	.errout = CHILD_NULL })

static int open_fds(void)
{
	_cleanup_closedir_ DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n++;
	return n;
}

static int count_fds(void **state)
{
	*state = (void *)(intptr_t)open_fds();
	return 0;
}

/* After every test: as many descriptors as before, and no child. */
static int check_fds(void **state)
{
	if (open_fds() != (int)(intptr_t)*state) {
		print_error("descriptors leaked\n");
		return -1;
	}
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
		print_error("a child was left behind\n");
		return -1;
	}
	return 0;
}

static void exit_status_comes_back(void **state)
{
	struct child_spec spec = QUIET("sh", "-c", "exit 7");
	struct child c;
	int status = 0;

	assert_int_equal(child_start(&c, &spec, NULL), 0);
	assert_true(c.pid > 0 && c.pidfd >= 0);
	assert_true(fcntl(c.pidfd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(child_wait(&c, clock_deadline_ns(LONG_NS), &status, NULL), 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	assert_int_equal(c.pid, 0);
	assert_int_equal(c.pidfd, -1);
	assert_int_equal(child_wait(&c, clock_deadline_ns(LONG_NS), NULL, NULL), -ECHILD);
}

static void missing_program_is_a_start_error(void **state)
{
	struct child_spec spec = QUIET("vtax-no-such-program");
	struct child c;
	struct vt_err err = { 0 };

	assert_int_equal(child_start(&c, &spec, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "'vtax-no-such-program'"));
	assert_int_equal(c.pid, 0);
	spec.argv = ARGV("/etc/passwd");
	assert_int_equal(child_start(&c, &spec, &err), -EACCES);
}

static int refuse_to_prepare(void *arg, struct vt_err *err)
{
	return vt_fail(err, -EXDEV, "cannot enter '%s'", (const char *)arg);
}

static int change_dir(void *arg, struct vt_err *err)
{
	return chdir(arg) < 0 ? vt_fail_errno(err, "cannot enter '%s'", (const char *)arg) : 0;
}

static void prepare_runs_in_the_child(void **state)
{
	struct child_spec spec = QUIET("pwd");
	_cleanup_buf_ struct buf out = BUF_INIT(1000);
	char cwd[4096];
	struct child c;
	struct vt_err err = { 0 };

	spec.prepare = change_dir;
	spec.arg = (char *)"/usr";
	assert_int_equal(child_run(&spec, LONG_NS, &out, &err), 0);
	assert_string_equal(buf_str(&out), "/usr\n");
	assert_non_null(getcwd(cwd, sizeof cwd));
	assert_string_not_equal(cwd, "/usr");
	spec.prepare = refuse_to_prepare;
	spec.arg = (char *)"the void";
	assert_int_equal(child_start(&c, &spec, &err), -EXDEV);
	assert_string_equal(err.msg, "cannot enter 'the void'");
}

static void deadline_leaves_it_running(void **state)
{
	struct child_spec spec = QUIET("sleep", "600");
	struct child c;
	int status = 0;
	pid_t pid;

	assert_int_equal(child_start(&c, &spec, NULL), 0);
	pid = c.pid;
	assert_int_equal(child_wait(&c, clock_deadline_ns(SHORT_NS), &status, NULL), -ETIMEDOUT);
	assert_int_equal(c.pid, pid);
	assert_int_equal(kill(pid, 0), 0);
	child_kill(&c);
	assert_int_equal(c.pid, 0);
	assert_int_equal(kill(pid, 0), -1); /* reaped, not a zombie */
	child_kill(&c);			    /* holding nothing: fine */
}

static void cleanup_kills(void **state)
{
	struct child_spec spec = QUIET("sleep", "600");
	pid_t pid;

	{
		_cleanup_child_ struct child c = CHILD_INIT;

		assert_int_equal(child_start(&c, &spec, NULL), 0);
		pid = c.pid;
	}
	assert_int_equal(kill(pid, 0), -1);
}

/* Starts a shell that answers SIGTERM as `trap` says, and waits until it is ready to. */
static void start_trapper(struct child *c, const char *trap)
{
	struct child_spec spec = QUIET("sh", "-c", trap);
	int pipefd[2];
	char byte;

	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	spec.out = pipefd[1];
	assert_int_equal(child_start(c, &spec, NULL), 0);
	close(pipefd[1]);
	assert_int_equal(read(pipefd[0], &byte, 1), 1);
	close(pipefd[0]);
}

static void stop_asks_first(void **state)
{
	_cleanup_child_ struct child c = CHILD_INIT;
	char path[] = "/tmp/vtax-test-child.XXXXXX", trap[200];
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	snprintf(trap, sizeof trap, "trap 'rm %s; exit 0' TERM; echo; while :; do sleep 0.05; done", path);
	start_trapper(&c, trap);
	child_stop(&c, SIGTERM, clock_deadline_ns(LONG_NS));
	assert_int_equal(c.pid, 0);
	assert_int_equal(access(path, F_OK), -1); /* it had the time to clean up */
}

static void stop_insists(void **state)
{
	_cleanup_child_ struct child c = CHILD_INIT;
	pid_t pid;

	start_trapper(&c, "trap '' TERM; echo; exec sleep 600");
	pid = c.pid;
	child_stop(&c, SIGTERM, clock_deadline_ns(SHORT_NS));
	assert_int_equal(c.pid, 0);
	assert_int_equal(kill(pid, 0), -1);
	child_stop(&c, SIGTERM, 0); /* nothing there */
}

static void run_collects_stdout(void **state)
{
	struct child_spec spec = { .argv = ARGV("sh", "-c", "echo out; echo noise >&2; cat; echo end") };
	_cleanup_buf_ struct buf out = BUF_INIT(1000);

	buf_puts(&out, "kept ");
	assert_int_equal(child_run(&spec, LONG_NS, &out, NULL), 0); /* cat ends: stdin is /dev/null */
	assert_string_equal(buf_str(&out), "kept out\nend\n");
	assert_int_equal(child_run(&spec, LONG_NS, NULL, NULL), 0);
}

static void run_reports_failure(void **state)
{
	struct child_spec spec = {
		.argv = ARGV("sh", "-c", "echo first >&2; echo 'no such bridge' >&2; echo >&2; exit 3") };
	struct vt_err err = { 0 };

	assert_int_equal(child_run(&spec, LONG_NS, NULL, &err), -ECANCELED);
	assert_string_equal(err.msg, "'sh' failed with status 3: no such bridge");
	spec.argv = ARGV("sh", "-c", "kill -9 $$");
	assert_int_equal(child_run(&spec, LONG_NS, NULL, &err), -ECANCELED);
	assert_string_equal(err.msg, "'sh' was ended by signal 9");
	spec.argv = ARGV("vtax-no-such-program");
	assert_int_equal(child_run(&spec, LONG_NS, NULL, &err), -ENOENT);
}

static void run_has_a_deadline(void **state)
{
	struct child_spec spec = { .argv = ARGV("sleep", "600") };
	struct vt_err err = { 0 };

	assert_int_equal(child_run(&spec, SHORT_NS, NULL, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.msg, "'sleep' did not end within"));
}

/* It says more than the pipe and the buffer hold: the rest is dropped, and the child is not stuck. */
static void run_drains_a_babbler(void **state)
{
	struct child_spec spec = { .argv = ARGV("sh", "-c",
		"head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero >&2; exit 1") };
	_cleanup_buf_ struct buf out = BUF_INIT(10000);

	assert_int_equal(child_run(&spec, LONG_NS, &out, NULL), -ECANCELED); /* its own exit, not a timeout */
	assert_true(out.failed);
	assert_true(out.len <= 10000);
}

/* A daemon that keeps the pipes open after its starter ended must not be waited for. */
static void run_does_not_wait_for_a_daemon(void **state)
{
	struct child_spec spec = { .argv = ARGV("sh", "-c", "sleep 600 & echo $!") };
	_cleanup_buf_ struct buf out = BUF_INIT(100);
	long pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	assert_int_equal(child_run(&spec, LONG_NS, &out, NULL), 0);
	pid = strtol(buf_str(&out), NULL, 10);
	assert_true(pid > 1);
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	assert_int_equal(waitpid((pid_t)pid, NULL, 0), pid);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void read_all(int fd, char *out, size_t size)
{
	size_t n = 0;
	ssize_t r;

	while ((r = read(fd, out + n, size - 1 - n)) > 0)
		n += (size_t)r;
	out[n] = '\0';
	close(fd);
}

static void stdio_goes_where_it_was_sent(void **state)
{
	struct child_spec spec = { .argv = ARGV("sh", "-c", "read x; echo out $x; echo err $x >&2") };
	_cleanup_child_ struct child c = CHILD_INIT;
	char out[100], err[100];
	int i[2], o[2], e[2];

	assert_int_equal(pipe2(i, O_CLOEXEC) | pipe2(o, O_CLOEXEC) | pipe2(e, O_CLOEXEC), 0);
	spec.in = i[0];
	spec.out = o[1];
	spec.errout = e[1];
	assert_int_equal(child_start(&c, &spec, NULL), 0);
	close(i[0]);
	close(o[1]);
	close(e[1]);
	assert_int_equal(write(i[1], "hello\n", 6), 6);
	close(i[1]);
	read_all(o[0], out, sizeof out);
	read_all(e[0], err, sizeof err);
	assert_string_equal(out, "out hello\n");
	assert_string_equal(err, "err hello\n");
	assert_int_equal(child_wait(&c, clock_deadline_ns(LONG_NS), NULL, NULL), 0);
}

/* The child's stdout is our 2 and its stderr our 1: neither dup2 may overwrite the other's source. */
static void stdio_may_be_swapped(void **state)
{
	struct child_spec spec = { .argv = ARGV("sh", "-c", "echo out; echo err >&2"), .in = CHILD_NULL };
	_cleanup_child_ struct child c = CHILD_INIT;
	char one[100], two[100];
	int p1[2], p2[2], saved1, saved2, r;

	assert_int_equal(pipe2(p1, O_CLOEXEC) | pipe2(p2, O_CLOEXEC), 0);
	saved1 = fcntl(1, F_DUPFD_CLOEXEC, 3);
	saved2 = fcntl(2, F_DUPFD_CLOEXEC, 3);
	dup2(p1[1], 1);
	dup2(p2[1], 2);
	spec.out = 2;
	spec.errout = 1;
	r = child_start(&c, &spec, NULL);
	dup2(saved1, 1);
	dup2(saved2, 2);
	close(saved1);
	close(saved2);
	close(p1[1]);
	close(p2[1]);
	assert_int_equal(r, 0);
	read_all(p1[0], one, sizeof one);
	read_all(p2[0], two, sizeof two);
	assert_string_equal(one, "err\n");
	assert_string_equal(two, "out\n");
	assert_int_equal(child_wait(&c, clock_deadline_ns(LONG_NS), NULL, NULL), 0);
}

/*
 * Only 0, 1, 2 and what whoever started this test left open on purpose; one more is the folder that ls itself
 * reads. The report pipe, the pidfds and our own descriptors must not be there.
 */
static void descriptors_do_not_leak_into_it(void **state)
{
	struct child_spec spec = { .argv = ARGV("ls", "/proc/self/fd") };
	_cleanup_child_ struct child other = CHILD_INIT;
	_cleanup_buf_ struct buf out = BUF_INIT(1000);
	struct child_spec sleeper = QUIET("sleep", "600");
	int unexplained = 0, seen = 0;
	char *next, *end;

	assert_int_equal(child_start(&other, &sleeper, NULL), 0); /* its pidfd is ours alone */
	assert_int_equal(child_run(&spec, LONG_NS, &out, NULL), 0);
	for (next = out.data; next && *next; next = end + (*end == '\n')) {
		int fd = (int)strtol(next, &end, 10);
		int flags = fcntl(fd, F_GETFD);

		assert_true(end > next);
		seen++;
		unexplained += fd > 2 && (flags < 0 || (flags & FD_CLOEXEC));
	}
	assert_true(seen >= 4);
	assert_true(unexplained <= 1);
}

static void environment_may_be_replaced(void **state)
{
	struct child_spec spec = { .argv = ARGV("/usr/bin/env"), .envp = ARGV("A=1", "B=2") };
	_cleanup_buf_ struct buf out = BUF_INIT(1000);

	assert_int_equal(child_run(&spec, LONG_NS, &out, NULL), 0);
	assert_string_equal(buf_str(&out), "A=1\nB=2\n");
}

/* Blocked and ignored signals of ours must not make the child deaf. */
static void signals_are_reset(void **state)
{
	struct child_spec spec = { .argv = ARGV("sh", "-c", "kill -TERM $$; exit 0") };
	struct vt_err err = { 0 };
	sigset_t block, old;

	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &old);
	signal(SIGTERM, SIG_IGN);
	assert_int_equal(child_run(&spec, LONG_NS, NULL, &err), -ECANCELED);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_string_equal(err.msg, "'sh' was ended by signal 15");
}

static void new_session_is_its_own(void **state)
{
	struct child_spec spec = QUIET("sleep", "600");
	_cleanup_child_ struct child c = CHILD_INIT, d = CHILD_INIT;

	assert_int_equal(child_start(&c, &spec, NULL), 0);
	assert_int_equal(getsid(c.pid), getsid(0));
	spec.new_session = true;
	assert_int_equal(child_start(&d, &spec, NULL), 0);
	assert_int_equal(getsid(d.pid), d.pid);
}

/* Its parent (a process between us and it) is killed with SIGKILL, so nobody could have cleaned up. */
static void dies_with_its_parent(void **state)
{
	struct child_spec spec = QUIET("sleep", "600");
	int pipefd[2], status = 0;
	pid_t middle, grandchild = 0;

	spec.die_with_parent = true;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	middle = fork();
	assert_true(middle >= 0);
	if (middle == 0) {
		struct child c;

		if (child_start(&c, &spec, NULL) < 0 ||
			write(pipefd[1], &c.pid, sizeof c.pid) != sizeof c.pid)
			_exit(1);
		pause();
		_exit(1);
	}
	close(pipefd[1]);
	assert_int_equal(read(pipefd[0], &grandchild, sizeof grandchild), sizeof grandchild);
	close(pipefd[0]);
	assert_int_equal(kill(middle, SIGKILL), 0);
	assert_int_equal(waitpid(middle, NULL, 0), middle);
	assert_int_equal(waitpid(grandchild, &status, 0), grandchild); /* ours now: we are the subreaper */
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, count_fds, check_fds)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exit_status_comes_back),
		TEST(missing_program_is_a_start_error),
		TEST(prepare_runs_in_the_child),
		TEST(deadline_leaves_it_running),
		TEST(cleanup_kills),
		TEST(stop_asks_first),
		TEST(stop_insists),
		TEST(run_collects_stdout),
		TEST(run_reports_failure),
		TEST(run_has_a_deadline),
		TEST(run_drains_a_babbler),
		TEST(run_does_not_wait_for_a_daemon),
		TEST(stdio_goes_where_it_was_sent),
		TEST(stdio_may_be_swapped),
		TEST(descriptors_do_not_leak_into_it),
		TEST(environment_may_be_replaced),
		TEST(signals_are_reset),
		TEST(new_session_is_its_own),
		TEST(dies_with_its_parent),
	};

	alarm(300); /* a hang is a failure, also without meson's timeout */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
