/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `delay:us=N`: a known tax. A relay (another instance of the agent) stands between the client and a native
 * server and holds every byte from the client back for N µs (one way, so N µs a round trip); what a campaign recovers on it shows what its own
 * figures are worth. us=0 shows the cost of the relay itself, so that the injected part is a difference.
 *
 * The server binds loopback, hence is only reached through the relay. The relay is the monitor of this
 * environment: its CPU is told apart from the server's. It ends when the pipe to its stdin closes, with us.
 */
#include "technique/launch.h"
#include "technique/readback.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strvec.h"
#include "base/xalloc.h"

#include <poll.h>
#include <string.h>

#define RELAY_TARGET "127.0.0.1"

static const struct opt_def delay_options[] = {
	{ "us", OPT_UINT, "0", NULL, 0, 1000000, "delay added from client to server, µs" },
	OPT_END,
};

/* What is running beside the agent. */
struct relay {
	struct child child;
	int in; /* its stdin: closed to end it */
};

static unsigned delay_caps(const struct technique *t)
{
	return TECH_AGENT | TECH_TCP | TECH_UDP | TECH_CGROUP | TECH_TEST;
}

static int delay_probe(const struct technique *t, struct buf *detail, struct vt_err *err)
{
	return buf_puts(detail, "for calibration: native behind a relay with a known delay");
}

static void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	cleanup_closep(&relay->in);
	if (relay->child.pid > 0)
		child_wait(&relay->child, clock_deadline_ns(LAUNCH_GRACE_NS), NULL, NULL);
	child_kill(&relay->child);
	free(relay);
}

static void relay_freep(struct relay **relay)
{
	relay_free(*relay);
}

/* The relay says "ready\n" once every port listens. */
static int relay_await(int fd, struct env *env, uint64_t deadline_ns, struct vt_err *err)
{
	static const char want[] = "ready\n";
	char got[sizeof(want)], said[512];
	size_t len = 0;

	while (len < sizeof(want) - 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int r = poll(&p, 1, clock_poll_ms(deadline_ns));
		ssize_t n;

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return vt_fail_errno(err, "cannot wait for the relay");
		if (r == 0)
			return vt_fail(err, -ETIMEDOUT, "the relay hangs: it did not listen in time");
		n = read(fd, got + len, sizeof(want) - 1 - len);
		if (n <= 0 || memcmp(got, want, len + (size_t)n)) {
			launch_said(env, said, sizeof(said));
			return vt_fail(err, -EPIPE, "the relay did not start%s%s", *said ? ": " : "", said);
		}
		len += (size_t)n;
	}
	return 0;
}

static int relay_start(struct relay *relay, const struct technique *t, struct testbed *tb,
	const struct payload *p, const struct env_request *req, struct env *env, struct vt_err *err)
{
	_cleanup_close_ int out = -1;
	_cleanup_strvec_ struct strvec argv = STRVEC_INIT;
	struct side side = tb->sut;
	struct launch_how how = { .prepare = side_prepare, .arg = &side };
	int r;

	side.cgroup = env->monitor;
	strvec_pushv(&argv, (const char *const[]){ p->agent, "relay", "--listen", tb->sut.address, "--target",
				    RELAY_TARGET, "--delay-ns", NULL });
	strvec_pushf(&argv, "%llu", (unsigned long long)(opt_num(&t->opts, "us") * NS_PER_US));
	for (unsigned i = 0; i < req->nports; i++)
		strvec_pushf(&argv, "%u", req->ports[i]);
	how.argv = strvec_argv(&argv);
	r = launch_piped(&relay->child, &relay->in, &out, env, &how, err);
	return r < 0 ? r : relay_await(out, env, req->deadline_ns, err);
}

static int delay_start(struct technique *t, struct testbed *tb, const struct payload *p,
	const struct env_request *req, struct env *env, struct vt_err *err)
{
	_cleanup_(relay_freep) struct relay *relay = xcalloc(1, sizeof(*relay));
	struct launch l;
	int r;

	relay->child = CHILD_INIT;
	relay->in = -1;
	if (!req->nports)
		return vt_fail(err, -EINVAL, "no port to relay: the workload names none");
	r = launch_place(&l, tb, env, true, err);
	if (r < 0)
		return r;
	r = relay_start(relay, t, tb, p, req, env, err);
	if (r < 0)
		return r;
	snprintf(env->address, sizeof(env->address), "%s", tb->sut.address);
	snprintf(env->bind_address, sizeof(env->bind_address), RELAY_TARGET);
	r = launch_bare(tb, p->agent, req, env, err);
	if (r < 0)
		return r;
	env->priv = steal_ptr(relay);
	return 0;
}

static int delay_stop(struct technique *t, struct testbed *tb, struct env *env, struct vt_err *err)
{
	launch_stop(env, LAUNCH_GRACE_NS);
	relay_free(env->priv);
	env->priv = NULL;
	return 0;
}

static int delay_describe(
	struct technique *t, struct testbed *tb, struct env *env, json_t **out, struct vt_err *err)
{
	int r = readback_environment(out, env->launcher.pid, tb, tb->sut.ifname, env, err);

	if (r < 0)
		return r;
	json_object_set_new(
		*out, "delay_ns", json_integer((json_int_t)(opt_num(&t->opts, "us") * NS_PER_US)));
	return 0;
}

const struct technique_ops technique_delay = {
	.name = "delay",
	.summary = "native behind a relay that adds a known delay (calibration)",
	.options = delay_options,
	.caps = delay_caps,
	.probe = delay_probe,
	.start = delay_start,
	.stop = delay_stop,
	.describe = delay_describe,
};
