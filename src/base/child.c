/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start-up errors travel over a close-on-exec pipe: end-of-file on it means that exec succeeded, a
 * struct vt_err on it is the reason why not. fork+exec and not posix_spawn, because `prepare` must be able
 * to enter namespaces between the two.
 */
#include "base/child.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int pidfd_send(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

/* Moves `fd` onto `target`; CHILD_NULL opens /dev/null, CHILD_INHERIT leaves target alone. */
static int place(int fd, int target, struct vt_err *err)
{
	int null = -1;

	if (fd == CHILD_INHERIT)
		return 0;
	if (fd == CHILD_NULL) {
		null = fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return vt_fail_errno(err, "cannot open '/dev/null'");
	}
	if (dup2(fd, target) < 0)
		return vt_fail_errno(err, "cannot duplicate a descriptor");
	if (fd == target && fcntl(fd, F_SETFD, 0) < 0)
		return vt_fail_errno(err, "cannot keep a descriptor open");
	if (null > 2)
		close(null);
	return 0;
}

/* Our 0..2 may be among the sources: lift them above 2 first, so that no dup2 clobbers a later source. */
static int lift(int fd, struct vt_err *err)
{
	int up;

	if (fd < 0 || fd > 2)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return up < 0 ? vt_fail_errno(err, "cannot duplicate a descriptor") : up;
}

static int enter(const struct child_spec *spec, pid_t parent, struct vt_err *err)
{
	int fds[3] = { spec->in, spec->out, spec->errout };
	sigset_t none;
	int r;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (spec->new_session)
		setsid();
	if (spec->die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
	}
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0 && fds[i] != i) {
			fds[i] = lift(fds[i], err);
			if (fds[i] < 0)
				return fds[i];
		}
	}
	for (int i = 0; i < 3; i++) {
		r = place(fds[i], i, err);
		if (r < 0)
			return r;
	}
	if (spec->prepare) {
		r = spec->prepare(spec->arg, err);
		if (r < 0)
			return r;
	}
	if (spec->envp)
		execvpe(spec->argv[0], (char *const *)spec->argv, (char *const *)spec->envp);
	else
		execvp(spec->argv[0], (char *const *)spec->argv);
	return vt_fail_errno(err, "cannot run '%s'", spec->argv[0]);
}

int child_start(struct child *c, const struct child_spec *spec, struct vt_err *err)
{
	struct vt_err report = { 0 };
	pid_t parent = getpid();
	int pipefd[2];
	ssize_t n;
	pid_t pid;

	*c = CHILD_INIT;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return vt_fail_errno(err, "cannot make a pipe");
	/* Keep the report pipe clear of 0..2, which place() overwrites. */
	if (pipefd[1] <= 2) {
		int up = fcntl(pipefd[1], F_DUPFD_CLOEXEC, 3);

		close(pipefd[1]);
		pipefd[1] = up;
	}
	pid = fork();
	if (pid < 0) {
		close(pipefd[0]);
		close(pipefd[1]);
		return vt_fail_errno(err, "cannot fork");
	}
	if (pid == 0) {
		enter(spec, parent, &report);
		n = write(pipefd[1], &report, sizeof report);
		_exit(n == (ssize_t)sizeof report ? 127 : 126);
	}
	close(pipefd[1]);
	do
		n = read(pipefd[0], &report, sizeof report);
	while (n < 0 && errno == EINTR);
	close(pipefd[0]);
	if (n > 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (n != (ssize_t)sizeof report)
			return vt_fail(err, -EIO, "cannot run '%s'", spec->argv[0]);
		if (err)
			*err = report;
		return report.code;
	}
	c->pid = pid;
	c->pidfd = pidfd_open(pid);
	if (c->pidfd < 0) {
		int r = vt_fail_errno(err, "cannot watch process %d", (int)pid);

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		*c = CHILD_INIT;
		return r;
	}
	fcntl(c->pidfd, F_SETFD, FD_CLOEXEC);
	return 0;
}

static int reap(struct child *c, int *status)
{
	int st = 0;
	pid_t r;

	do
		r = waitpid(c->pid, &st, 0);
	while (r < 0 && errno == EINTR);
	if (status)
		*status = st;
	if (c->pidfd >= 0)
		close(c->pidfd);
	*c = CHILD_INIT;
	return 0;
}

int child_wait(struct child *c, uint64_t deadline_ns, int *status, struct vt_err *err)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

	if (c->pid <= 0)
		return vt_fail(err, -ECHILD, "no process to wait for");
	for (;;) {
		int r = poll(&p, 1, clock_poll_ms(deadline_ns));

		if (r > 0)
			return reap(c, status);
		if (r == 0)
			return vt_fail(err, -ETIMEDOUT, "process %d did not end in time", (int)c->pid);
		if (errno != EINTR)
			return vt_fail_errno(err, "cannot wait for process %d", (int)c->pid);
	}
}

void child_kill(struct child *c)
{
	int saved = errno;

	if (c->pid > 0) {
		pidfd_send(c->pidfd, SIGKILL);
		reap(c, NULL);
	}
	errno = saved;
}

void child_stop(struct child *c, int sig, uint64_t deadline_ns)
{
	if (c->pid <= 0)
		return;
	pidfd_send(c->pidfd, sig);
	if (child_wait(c, deadline_ns, NULL, NULL) < 0)
		child_kill(c);
}

/* The last non-empty line of what the command said, for the error message. */
static const char *last_line(struct buf *b)
{
	char *s = b->data;
	char *nl;

	if (!s)
		return "";
	while (b->len && (s[b->len - 1] == '\n' || s[b->len - 1] == '\r' || s[b->len - 1] == ' '))
		s[--b->len] = '\0';
	nl = strrchr(s, '\n');
	return nl ? nl + 1 : s;
}

struct drain {
	int fd;
	struct buf *into;
};

/* Reads what is there; past the buffer's ceiling the rest is read and dropped, so the child never blocks. */
static void drain_once(struct drain *d)
{
	char chunk[4096];
	ssize_t n = read(d->fd, chunk, sizeof chunk);

	if (n > 0) {
		if (d->into && !d->into->failed)
			buf_add(d->into, chunk, (size_t)n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		close(d->fd);
		d->fd = -1;
	}
}

/* After the child's end: what it left in the pipe, bounded, for a daemon of its may write there for ever. */
static void drain_rest(struct drain *d)
{
	struct pollfd p = { .fd = d->fd, .events = POLLIN };

	for (int i = 0; i < 32 && d->fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLIN); i++)
		drain_once(d);
}

/* Pumps stdout and stderr until the process ends; daemons it leaves behind may keep the pipes open. */
static int pump(struct child *c, struct drain d[2], uint64_t deadline, int *status, struct vt_err *err)
{
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = d[0].fd, .events = POLLIN },
			{ .fd = d[1].fd, .events = POLLIN },
			{ .fd = c->pidfd, .events = POLLIN },
		};
		int r = poll(p, 3, clock_poll_ms(deadline));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return vt_fail_errno(err, "cannot wait for process %d", (int)c->pid);
		if (r == 0)
			return -ETIMEDOUT;
		for (int i = 0; i < 2; i++)
			if (d[i].fd >= 0 && p[i].revents)
				drain_once(&d[i]);
		if (p[2].revents) {
			drain_rest(&d[0]);
			drain_rest(&d[1]);
			return child_wait(c, deadline, status, err);
		}
	}
}

int child_run(const struct child_spec *spec, uint64_t timeout_ns, struct buf *out, struct vt_err *err)
{
	_cleanup_child_ struct child c = CHILD_INIT;
	_cleanup_buf_ struct buf said = BUF_INIT(65536);
	struct child_spec s = *spec;
	struct drain d[2];
	int o[2], e[2], r, status = 0;

	if (pipe2(o, O_CLOEXEC) < 0)
		return vt_fail_errno(err, "cannot make a pipe");
	if (pipe2(e, O_CLOEXEC) < 0) {
		r = vt_fail_errno(err, "cannot make a pipe");
		close(o[0]);
		close(o[1]);
		return r;
	}
	s.in = CHILD_NULL;
	s.out = o[1];
	s.errout = e[1];
	r = child_start(&c, &s, err);
	close(o[1]);
	close(e[1]);
	d[0] = (struct drain){ .fd = o[0], .into = out };
	d[1] = (struct drain){ .fd = e[0], .into = &said };
	if (r == 0)
		r = pump(&c, d, clock_deadline_ns(timeout_ns), &status, err);
	for (int i = 0; i < 2; i++)
		if (d[i].fd >= 0)
			close(d[i].fd);
	if (r == -ETIMEDOUT)
		return vt_fail(err, r, "'%s' did not end within %.1f s", spec->argv[0], (double)timeout_ns / 1e9);
	if (r < 0)
		return r;
	if (WIFSIGNALED(status))
		return vt_fail(err, -ECANCELED, "'%s' was ended by signal %d%s%s", spec->argv[0], WTERMSIG(status),
			said.len ? ": " : "", last_line(&said));
	if (WEXITSTATUS(status) != 0)
		return vt_fail(err, -ECANCELED, "'%s' failed with status %d%s%s", spec->argv[0],
			WEXITSTATUS(status), said.len ? ": " : "", last_line(&said));
	return 0;
}
