/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order within a trial matters: the environment is started first and the client agent while it comes up;
 * agents are told BYE before the environment is stopped, so that a healthy one ends by itself.
 */
#include "campaign/trial.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <fcntl.h>
#include <string.h>

#define CLIENT_HELLO_NS (10 * NS_PER_S)
#define CLIENT_EXIT_NS (2 * NS_PER_S)

struct session {
	const struct trial_spec *spec;
	struct trial_info *info;
	struct env env;
	bool env_up;
	struct link sut, client;
	struct child client_proc;
};

void trial_info_release(struct trial_info *info)
{
	json_decref(info->applied);
	*info = (struct trial_info){ 0 };
}

static uint64_t cgroup_time(const struct cgroup *cg)
{
	uint64_t ns = 0;

	if (cg->path[0] && cgroup_cpu_ns(cg, &ns, NULL) < 0)
		ns = 0;
	return ns;
}

/* Called between two messages of the client agent, at the very ends of the measured time. */
static void take_reading(void *arg, int which)
{
	struct session *s = arg;
	struct trial_reading *r = which == 0 ? &s->info->begin : &s->info->end;

	r->taken = cpu_sample_read(&r->host, NULL) == 0;
	r->env_ns = cgroup_time(&s->env.cgroup);
	r->monitor_ns = cgroup_time(&s->env.monitor);
	r->client_ns = cgroup_time(&s->spec->tb->client.cgroup);
}

struct cable_counters {
	uint64_t bytes, packets;
	const char *ifname;
};

/* On a thread in the client's namespace: /proc/thread-self/net/dev shows that namespace's links. */
static int read_cable(void *arg, struct vt_err *err)
{
	struct cable_counters *c = arg;
	_cleanup_fclose_ FILE *f = fopen("/proc/thread-self/net/dev", "re");
	unsigned long long rb, rp, tb, tp;
	char line[512], name[32];

	if (!f)
		return vt_fail_errno(err, "cannot read '/proc/thread-self/net/dev'");
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, " %31[^:]: %llu %llu %*u %*u %*u %*u %*u %*u %llu %llu", name, &rb, &rp, &tb, &tp) != 5 ||
			strcmp(name, c->ifname) != 0)
			continue;
		c->bytes = rb + tb;
		c->packets = rp + tp;
		return 0;
	}
	return vt_fail(err, -ENODEV, "the cable's end '%s' is gone", c->ifname);
}

static int cable(const struct testbed *tb, struct cable_counters *c, struct vt_err *err)
{
	*c = (struct cable_counters){ .ifname = tb->client.ifname };
	return netns_call(tb->client.ns.fd, read_cable, c, err);
}

static int start_client(struct session *s, struct vt_err *err)
{
	const char *argv[] = { s->spec->agent, NULL };
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };
	struct child_spec cs = {
		.argv = argv,
		.errout = CHILD_NULL,
		.new_session = true,
		.die_with_parent = true,
		.prepare = side_prepare,
		.arg = &s->spec->tb->client,
	};
	int r;

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) {
		r = vt_fail_errno(err, "cannot make a pipe");
		goto out;
	}
	cs.in = to[0];
	cs.out = from[1];
	r = child_start(&s->client_proc, &cs, err);
	if (r == 0) {
		s->client.in = steal_fd(&to[1]);
		s->client.out = steal_fd(&from[0]);
	} else {
		vt_wrap(err, "cannot start the client agent");
	}
out:
	for (int i = 0; i < 2; i++) {
		if (to[i] >= 0)
			close(to[i]);
		if (from[i] >= 0)
			close(from[i]);
	}
	return r;
}

/* What the launcher said last is often the real reason: a missing runtime feature, a refused mount. */
static int with_launcher_words(const struct session *s, int code, struct vt_err *err)
{
	_cleanup_buf_ struct buf said = BUF_INIT(64 << 10);
	char *line;

	if (!err || !s->env.stderr_path[0] || buf_read_file(&said, s->env.stderr_path, NULL) < 0)
		return code;
	while (said.len && (said.data[said.len - 1] == '\n' || said.data[said.len - 1] == ' '))
		said.data[--said.len] = '\0';
	if (!said.len)
		return code;
	line = strrchr(said.data, '\n');
	snprintf(err->msg + strlen(err->msg), sizeof err->msg - strlen(err->msg), " (it said: %.300s)",
		line ? line + 1 : said.data);
	vt_err_sanitize(err);
	return code;
}

static int open_links(struct session *s, struct vt_err *err)
{
	int in = s->client.in, out = s->client.out;
	char name[64];
	int r;

	s->client = LINK_INIT;
	r = link_open(&s->client, in, out, "client agent", false, clock_deadline_ns(CLIENT_HELLO_NS), err);
	if (r < 0)
		return r;
	snprintf(name, sizeof name, "agent in %.52s", s->spec->technique->label);
	in = steal_fd(&s->env.agent_in);
	out = steal_fd(&s->env.agent_out);
	r = link_open(&s->sut, in, out, name, s->env.skip_noise,
		clock_deadline_ns(s->spec->start_timeout_ns), err);
	if (r < 0)
		return with_launcher_words(s, r, err);
	s->info->startup_ns = clock_now_ns() - s->env.started_ns;
	snprintf(s->info->client_cpus, sizeof s->info->client_cpus, "%s", s->client.cpus);
	snprintf(s->info->sut_cpus, sizeof s->info->sut_cpus, "%s", s->sut.cpus);
	return 0;
}

static int start(struct session *s, struct vt_err *err)
{
	const struct trial_spec *spec = s->spec;
	struct env_request req = {
		.ports = spec->workload->ops->ports,
		.deadline_ns = clock_deadline_ns(spec->start_timeout_ns),
	};
	int r;

	while (req.ports[req.nports])
		req.nports++;
	r = testbed_reset(spec->tb, err);
	if (r < 0)
		return vt_wrap(err, "cannot reset the testbed");
	r = technique_start(spec->technique, spec->tb, spec->payload, &req, &s->env, err);
	if (r < 0)
		return r;
	s->env_up = true;
	r = start_client(s, err);
	if (r < 0)
		return r;
	return open_links(s, err);
}

static int measure(struct session *s, struct trial_result *r, struct vt_err *err)
{
	const struct trial_spec *spec = s->spec;
	struct trial_ctx ctx = {
		.client = &s->client,
		.sut = &s->sut,
		.address = s->env.address,
		.bind_address = s->env.bind_address,
		.duration_ns = spec->duration_ns,
		.warmup_ns = spec->warmup_ns,
		.cancel = spec->cancel,
		.mark = take_reading,
		.mark_arg = s,
	};
	struct cable_counters before, after;
	int n;

	n = cable(spec->tb, &before, err);
	if (n < 0)
		return n;
	n = spec->workload->ops->run(spec->workload, &ctx, r, err);
	if (n < 0)
		return n;
	n = cable(spec->tb, &after, err);
	if (n < 0)
		return n;
	s->info->cable_bytes = after.bytes - before.bytes;
	s->info->cable_packets = after.packets - before.packets;
	return testbed_verify(spec->tb, &s->info->testbed_as_asked, s->info->testbed_why,
		sizeof s->info->testbed_why, err);
}

static int finish(struct session *s, struct vt_err *err)
{
	int r = 0;

	link_close(&s->client);
	link_close(&s->sut);
	if (s->client_proc.pid > 0 &&
		child_wait(&s->client_proc, clock_deadline_ns(CLIENT_EXIT_NS), NULL, NULL) < 0)
		child_kill(&s->client_proc);
	if (s->env_up)
		r = technique_stop(s->spec->technique, s->spec->tb, &s->env, err);
	return r;
}

int trial_run(const struct trial_spec *spec, struct trial_result *r, struct trial_info *info, struct vt_err *err)
{
	struct session s = {
		.spec = spec,
		.info = info,
		.sut = LINK_INIT,
		.client = LINK_INIT,
		.client_proc = CHILD_INIT,
	};
	struct vt_err stop_err = { 0 };
	int n, stopped;

	n = start(&s, err);
	if (n == 0 && spec->describe)
		n = technique_describe(spec->technique, spec->tb, &s.env, &info->applied, err);
	if (n == 0)
		n = measure(&s, r, err);
	stopped = finish(&s, &stop_err);
	if (n == 0 && stopped < 0) {
		if (err)
			*err = stop_err;
		return stopped;
	}
	return n;
}
