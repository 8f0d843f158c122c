/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls into kernels take as long as they take, while the session must go on listening: every call runs on a
 * thread of its own, one at a time. The thread never replies. It leaves its outcome in the job and writes to
 * done_fd; the session joins it and replies, so that when the controller has a reply, the agent is already
 * free for the next request. What crosses between the threads does so by create and join, but for `cancel`.
 */
#include "agent.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int job_init(struct job *j, struct out *out, struct vt_err *err)
{
	memset(j, 0, sizeof *j);
	j->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (j->done_fd < 0)
		return vt_fail_errno(err, "eventfd failed");
	return result_init(&j->result, out, err);
}

static int serve(struct job *j)
{
	int r;

	if (!j->kernel->serve)
		return vt_fail(&j->err, -EINVAL, "kernel \"%s\" has no server", j->kernel->name);
	if (j->server)
		return vt_fail(&j->err, -EBUSY, "a server runs here already; stop it first");
	r = j->kernel->serve(&j->server, &j->params, &j->port, &j->err);
	if (r == 0)
		j->served = j->kernel;
	return r;
}

static int load(struct job *j, const struct kernel_sink *sink)
{
	if (!j->kernel->load)
		return vt_fail(&j->err, -EINVAL, "kernel \"%s\" has no client", j->kernel->name);
	return j->kernel->load(&j->params, sink, &j->err);
}

static int stop(struct job *j, const struct kernel_sink *sink)
{
	struct kernel_server *s = j->server;

	if (!s)
		return vt_fail(&j->err, -ESRCH, "no server runs here");
	j->server = NULL;
	return j->served->stop(s, sink, &j->err);
}

static void *work(void *arg)
{
	struct job *j = arg;
	struct kernel_sink sink;
	const uint64_t one = 1;

	result_begin(&j->result, j->serial, &sink, &j->cancel);
	if (j->kind == JOB_SERVE)
		j->code = serve(j);
	else
		j->code = j->kind == JOB_LOAD ? load(j, &sink) : stop(j, &sink);
	if (j->code == 0)
		j->code = result_finish(&j->result, &j->err);
	if (j->code < 0 && j->err.code == 0)
		vt_fail(&j->err, j->code, "kernel failed without saying why: %s", strerror(-j->code));
	if (write(j->done_fd, &one, sizeof one) < 0)
		vt_fail_errno(&j->err, "eventfd failed");
	return NULL;
}

int job_start(struct job *j, enum job_kind kind, uint32_t serial, const struct kernel *k,
	const struct kernel_params *p, struct vt_err *err)
{
	int r;

	if (j->running)
		return vt_fail(err, -EBUSY, "another request is still being worked on");
	j->kind = kind;
	j->serial = serial;
	j->kernel = k;
	if (p)
		j->params = *p;
	j->port = 0;
	j->code = 0;
	j->err = (struct vt_err){ 0 };
	__atomic_store_n(&j->cancel, 0, __ATOMIC_RELAXED);
	r = pthread_create(&j->thread, NULL, work, j);
	if (r != 0)
		return vt_fail(err, -r, "cannot start a thread: %s", strerror(r));
	j->running = true;
	return 0;
}

void job_cancel(struct job *j)
{
	__atomic_store_n(&j->cancel, 1, __ATOMIC_RELAXED);
}

void job_join(struct job *j)
{
	uint64_t n;

	if (read(j->done_fd, &n, sizeof n) != sizeof n)
		return; /* a spurious wake-up: it still works */
	pthread_join(j->thread, NULL);
	j->running = false;
}
