/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation with a controller (src/abi/abi.h says which). This thread listens, to the controller, to
 * the job's thread and to signals, and never calls into a kernel itself; so the end of stdin is noticed at
 * once whatever is being measured, and ends the process with everything in it. Nothing else is needed to
 * leave nothing behind: a kernel's threads and sockets die with the process, and as process 1 of a container
 * we take all of it along. As process 1 we also reap, and ask for signals that it would otherwise not get.
 *
 * A request that cannot be done is answered with ERROR and the conversation goes on; bytes that are no
 * message end it, since there is no telling where the next message would start.
 */
#include "agent.h"

#include "base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD sizeof(struct abi_head)

struct session {
	int in, signals;
	struct out out;
	struct job job;
	/* the request that is coming in */
	struct abi_head head;
	size_t got;
	uint8_t body[REQUEST_MAX];
	/* a STOP that waits for a running job to end */
	bool stopping, stopped_load;
	uint32_t stop_serial;
};

enum { GO_ON = 0, LEAVE = 1 }; /* negative: the conversation broke */

static int reply_error(struct session *s, uint32_t serial, const struct vt_err *err)
{
	return out_error(&s->out, serial, err) < 0 ? LEAVE : GO_ON;
}

static int start(struct session *s, enum job_kind kind)
{
	struct kernel_params p;
	const struct kernel *k;
	struct vt_err err = { 0 };
	int r = params_decode(&p, s->body, s->head.length, &err);

	if (r < 0)
		return reply_error(s, s->head.serial, &err);
	k = kernel_find(p.kernel);
	if (!k) {
		vt_fail(&err, -ENOENT, "this agent has no kernel \"%s\"", p.kernel);
		return reply_error(s, s->head.serial, &err);
	}
	r = job_start(&s->job, kind, s->head.serial, k, &p, &err);
	return r < 0 ? reply_error(s, s->head.serial, &err) : GO_ON;
}

/* Ends the server. Without one, but with a load cut short, there is nothing more to stop: no error. */
static int stop_now(struct session *s, uint32_t serial)
{
	struct vt_err err = { 0 };

	if (!s->job.server && s->stopped_load)
		return out_send(&s->out, ABI_RESULT, serial, NULL, 0) < 0 ? LEAVE : GO_ON;
	if (job_start(&s->job, JOB_STOP, serial, NULL, NULL, &err) < 0)
		return reply_error(s, serial, &err);
	return GO_ON;
}

static int stop(struct session *s)
{
	struct vt_err err = { 0 };

	s->stopped_load = s->job.running && s->job.kind == JOB_LOAD;
	if (!s->job.running)
		return stop_now(s, s->head.serial);
	if (s->stopping || s->job.kind == JOB_STOP) {
		vt_fail(&err, -EBUSY, "a stop is already under way");
		return reply_error(s, s->head.serial, &err);
	}
	s->stopping = true;
	s->stop_serial = s->head.serial;
	job_cancel(&s->job);
	return GO_ON;
}

static int request(struct session *s)
{
	struct vt_err err = { 0 };

	switch (s->head.type) {
	case ABI_SERVE:
		return start(s, JOB_SERVE);
	case ABI_LOAD:
		return start(s, JOB_LOAD);
	case ABI_STOP:
		return stop(s);
	case ABI_BYE:
		return LEAVE;
	default:
		vt_fail(&err, -EOPNOTSUPP, "this agent knows no request of type %u", s->head.type);
		return reply_error(s, s->head.serial, &err);
	}
}

static int on_done(struct session *s)
{
	struct job *j = &s->job;
	uint8_t body[16];
	struct wire_writer w;
	int r;

	job_join(j);
	if (j->running)
		return GO_ON;
	if (j->code < 0) {
		r = out_error(&s->out, j->serial, &j->err);
	} else if (j->kind == JOB_SERVE) {
		wire_writer_init(&w, body, sizeof body);
		wire_u64(&w, ABI_K_PORT, j->port);
		r = out_send(&s->out, ABI_READY, j->serial, body, w.len);
	} else {
		r = out_send(&s->out, ABI_RESULT, j->serial, j->result.w.data, j->result.w.len);
	}
	if (r < 0)
		return LEAVE;
	if (!s->stopping)
		return GO_ON;
	s->stopping = false;
	return stop_now(s, s->stop_serial);
}

/* The head is complete: can there be a body to it? */
static int check_head(struct session *s)
{
	int r = wire_check_head(&s->head);
	struct vt_err err = { 0 };

	if (r == 0 && s->head.length <= REQUEST_MAX)
		return GO_ON;
	if (r == -EPROTONOSUPPORT)
		vt_fail(&err, r, "this agent speaks version %u of the protocol, not %u", ABI_VERSION,
			s->head.version);
	else if (r < 0)
		vt_fail(&err, r, "what came is no message");
	else
		vt_fail(&err, -EMSGSIZE, "a request of %u bytes is longer than %d", s->head.length,
			REQUEST_MAX);
	reply_error(s, r == 0 ? s->head.serial : 0, &err);
	return -EBADMSG;
}

static int on_input(struct session *s)
{
	bool head = s->got < HEAD;
	uint8_t *at = head ? (uint8_t *)&s->head + s->got : s->body + (s->got - HEAD);
	size_t want = (head ? HEAD : HEAD + s->head.length) - s->got;
	ssize_t n = read(s->in, at, want);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return GO_ON;
	if (n <= 0)
		return LEAVE;
	s->got += (size_t)n;
	if (s->got < HEAD)
		return GO_ON;
	r = head ? check_head(s) : GO_ON;
	if (r < 0 || s->got < HEAD + s->head.length)
		return r;
	s->got = 0;
	return request(s);
}

static int on_signal(struct session *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof info) != sizeof info)
		return GO_ON;
	if (info.ssi_signo != SIGCHLD)
		return LEAVE;
	/* A container's orphans are ours when we are its process 1; other children are their makers'. */
	if (getpid() == 1)
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	return GO_ON;
}

static int listen_to(struct session *s)
{
	struct pollfd f[3] = {
		{ .fd = s->in, .events = POLLIN },
		{ .fd = s->job.done_fd, .events = POLLIN },
		{ .fd = s->signals, .events = POLLIN },
	};
	int (*const on[3])(struct session *) = { on_input, on_done, on_signal };
	int r = GO_ON;

	for (;;) {
		if (poll(f, 3, -1) < 0 && errno != EINTR)
			return -errno;
		for (size_t i = 0; i < 3 && r == GO_ON; i++)
			if (f[i].revents)
				r = on[i](s);
		if (r != GO_ON)
			return r;
	}
}

static int take_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* Before there is any other thread: all of them inherit it. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int session_run(int in_fd, int out_fd)
{
	static struct session s; /* too large for some stacks */
	struct vt_err err = { 0 };
	int r;

	s.in = in_fd;
	out_init(&s.out, out_fd);
	s.signals = take_signals();
	if (s.signals < 0)
		r = vt_fail_errno(&err, "signalfd failed");
	else
		r = job_init(&s.job, &s.out, &err);
	if (r < 0) {
		out_error(&s.out, 0, &err);
		return EXIT_FAILURE;
	}
	if (out_hello(&s.out) < 0)
		return EXIT_FAILURE;
	return listen_to(&s) == LEAVE ? EXIT_SUCCESS : EXIT_FAILURE;
}
