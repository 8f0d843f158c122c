/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `native`: the agent on the bare SUT side. The baseline of every table: same namespace, same end of the
 * cable, same CPU and same bytes as every environment, and nothing else.
 *
 * `null`: the same without a payload's agent: any program stands in for it, so that the core can be tested
 * with an agent that dies, hangs or babbles, and with a start that fails.
 */
#include "technique/launch.h"
#include "technique/readback.h"

#include "base/clock.h"

#include <errno.h>
#include <unistd.h>

static unsigned native_caps(const struct technique *t)
{
	return TECH_AGENT | TECH_TCP | TECH_UDP | TECH_ICMP | TECH_CGROUP;
}

static int native_probe(const struct technique *t, struct buf *detail, struct vt_err *err)
{
	return buf_puts(detail, "the agent on the bare SUT side");
}

static int start_bare(struct testbed *tb, const char *program, const struct env_request *req, struct env *env,
	struct vt_err *err)
{
	struct launch l;
	int r = launch_place(&l, tb, env, false, err);

	if (r < 0)
		return r;
	snprintf(env->address, sizeof(env->address), "%s", tb->sut.address);
	return launch_bare(tb, program, req, env, err);
}

static int native_start(struct technique *t, struct testbed *tb, const struct payload *p,
	const struct env_request *req, struct env *env, struct vt_err *err)
{
	return start_bare(tb, p->agent, req, env, err);
}

static int native_stop(struct technique *t, struct testbed *tb, struct env *env, struct vt_err *err)
{
	launch_stop(env, LAUNCH_GRACE_NS);
	return 0;
}

static int native_describe(
	struct technique *t, struct testbed *tb, struct env *env, json_t **out, struct vt_err *err)
{
	return readback_environment(out, env->launcher.pid, tb, tb->sut.ifname, env, err);
}

static const struct opt_def native_options[] = { OPT_END };

const struct technique_ops technique_native = {
	.name = "native",
	.summary = "no isolation: the agent on the bare SUT side (the baseline)",
	.options = native_options,
	.caps = native_caps,
	.probe = native_probe,
	.start = native_start,
	.stop = native_stop,
	.describe = native_describe,
};

static const struct opt_def null_options[] = {
	{ "agent", OPT_STRING, NULL, NULL, 0, 0,
		"program to run as the agent (absolute path; default the real one)" },
	{ "start", OPT_ENUM, "ok", "ok|fail|hang", 0, 0, "how starting an environment ends" },
	OPT_END,
};

static int null_check(const struct technique *t, struct vt_err *err)
{
	const char *agent = opt_str(&t->opts, "agent");

	if (agent && *agent != '/')
		return vt_usage(err, "null: agent='%s' is not an absolute path", agent);
	if (agent && !opt_is(&t->opts, "start", "ok"))
		return vt_usage(err, "null: 'agent' needs start=ok, otherwise it would never run");
	return 0;
}

static unsigned null_caps(const struct technique *t)
{
	return native_caps(t) | TECH_TEST;
}

static int null_probe(const struct technique *t, struct buf *detail, struct vt_err *err)
{
	const char *agent = opt_str(&t->opts, "agent");

	if (agent && access(agent, X_OK) < 0)
		return vt_fail_errno(err, "cannot execute '%s'; give another agent=PATH", agent);
	return buf_puts(detail, "for tests: like native, with an agent of your choice");
}

static int null_start(struct technique *t, struct testbed *tb, const struct payload *p,
	const struct env_request *req, struct env *env, struct vt_err *err)
{
	const char *agent = opt_str(&t->opts, "agent");

	if (opt_is(&t->opts, "start", "fail"))
		return vt_fail(err, -EIO, "the start failed, as start=fail asked for");
	if (opt_is(&t->opts, "start", "hang")) {
		while (clock_now_ns() < req->deadline_ns)
			clock_sleep_until(req->deadline_ns);
		return vt_fail(err, -ETIMEDOUT, "the start hung until its deadline, as start=hang asked for");
	}
	return start_bare(tb, agent ? agent : p->agent, req, env, err);
}

const struct technique_ops technique_null = {
	.name = "null",
	.summary = "like native, for tests: an agent of your choice, a start that fails or hangs",
	.options = null_options,
	.check = null_check,
	.caps = null_caps,
	.probe = null_probe,
	.start = null_start,
	.stop = native_stop,
	.describe = native_describe,
};
