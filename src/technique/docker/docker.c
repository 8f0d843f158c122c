/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `docker`: a fresh container of Docker for each trial, through `docker run` with our pipes as its stdio. The
 * network is wired by Docker itself in a private daemon (daemon.h), by us with the user's own (user.h).
 *
 * Through the command line, not through the daemon's API: a `docker` process costs under 20 ms, and how the
 * container's stdio, its exit and its removal are strung together is then Docker's business. When the agent's
 * stdin closes, the agent leaves, --rm removes the container, and the client ends: nothing waits for a
 * time-out.
 */
#include "technique/docker/daemon.h"
#include "technique/docker/docker_argv.h"
#include "technique/docker/user.h"
#include "technique/launch.h"
#include "technique/oci/runtime.h"
#include "technique/readback.h"
#include "technique/wiring.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"

#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/resource.h>

static const struct opt_def docker_options[] = {
	{ "net", OPT_ENUM, "nat", WIRING_CHOICES, 0, 0,
		"how it hangs on the cable (nat: default bridge, ports published)" },
	{ "rootfs", OPT_ENUM, "layered", "layered|volume", 0, 0,
		"layered: all in overlay2; volume: /data on a volume" },
	{ "daemon", OPT_ENUM, "private", "private|user", 0, 0,
		"one of our own, or the one that runs on this machine" },
	{ "runtime", OPT_STRING, NULL, NULL, 0, 0,
		"the OCI runtime, by name or absolute path (default Docker's)" },
	{ "pidns", OPT_BOOL, "on", NULL, 0, 0, "its own process ids" },
	{ "utsns", OPT_BOOL, "on", NULL, 0, 0, "its own host name" },
	{ "ipcns", OPT_BOOL, "on", NULL, 0, 0, "its own System V and POSIX queues" },
	{ "cgroupns", OPT_BOOL, "on", NULL, 0, 0, "its own view of the cgroups" },
	{ "seccomp", OPT_BOOL, "on", NULL, 0, 0, "Docker's system-call filter" },
	{ "caps", OPT_ENUM, "default", CAPABILITY_CHOICES, 0, 0, "capabilities left to root" },
	{ "readonly", OPT_BOOL, "off", NULL, 0, 0, "a root that cannot be written" },
	{ "cpus", OPT_UINT, NULL, NULL, 1, 1024, "limit: CPUs' worth of time" },
	{ "mem", OPT_SIZE, NULL, NULL, 16 << 20, UINT64_C(1) << 50, "limit: bytes of memory" },
	OPT_END,
};

/* From prepare to finish. */
struct docker_state {
	struct docker_daemon *daemon; /* NULL: the user's */
	struct docker_user user;
	char runtime[256]; /* as the daemon knows it; "" its default */
};

struct docker_env {
	struct launch launch;
	struct netns ns; /* of the container, when we wired it */
};

static enum wiring_mode net_mode(const struct technique *t)
{
	return (enum wiring_mode)opt_num(&t->opts, "net");
}

static bool is_user(const struct technique *t)
{
	return opt_is(&t->opts, "daemon", "user");
}

static int docker_check(const struct technique *t, struct vt_err *err)
{
	const char *runtime = opt_str(&t->opts, "runtime");

	if (runtime && !*runtime)
		return vt_usage(err, "docker: 'runtime' is empty; leave it out for Docker's default");
	if (!is_user(t))
		return 0;
	if (net_mode(t) != WIRING_BRIDGE && net_mode(t) != WIRING_MACVLAN)
		return vt_usage(err,
			"docker: daemon=user cannot have net=%s: it lives in the host's network, which the "
			"client side only "
			"reaches by changing the host; use net=bridge or net=macvlan (wired by vtax), or "
			"daemon=private",
			opt_str(&t->opts, "net"));
	if (runtime && strchr(runtime, '/'))
		return vt_usage(err,
			"docker: daemon=user knows runtimes by name only; runtime='%s' is a path", runtime);
	return 0;
}

static unsigned docker_caps(const struct technique *t)
{
	unsigned caps = TECH_AGENT | TECH_TCP | TECH_UDP | TECH_CGROUP;

	/* Published ports are tcp and udp: with nat an echo is answered by the side, not by the container. */
	return net_mode(t) == WIRING_NAT ? caps : caps | TECH_ICMP;
}

/* A runtime that refuses a cgroup2 beside v1 cannot be shown v1 alone here: the daemon and runc need both. */
static int check_runtime(const struct technique *t, struct oci_runtime *rt, struct vt_err *err)
{
	enum cgroup_layout layout;
	int r = oci_runtime_find(rt, opt_str(&t->opts, "runtime"), err);

	if (r == 0)
		r = cgroup_layout(&layout, err);
	if (r < 0)
		return r;
	if (layout == CGROUP_HYBRID && rt->quirks->hide_unified)
		return vt_fail(err, -ENOTSUP,
			"'%s' refuses this machine's hybrid cgroups below Docker; use the technique "
			"oci:runtime=%s instead",
			rt->path, rt->quirks->name);
	return 0;
}

static int docker_probe(const struct technique *t, struct buf *detail, struct vt_err *err)
{
	struct docker_tools tools;
	struct docker_user user;
	struct oci_runtime rt;
	int r;

	if (is_user(t)) {
		r = docker_user_find(&user, err);
		return r < 0 ? r
			     : buf_printf(detail, "the user's daemon, Docker %s (%s)", user.version,
				       user.socket);
	}
	r = docker_tools_find(&tools, err);
	if (r == 0 && opt_str(&t->opts, "runtime"))
		r = check_runtime(t, &rt, err);
	return r < 0 ? r : buf_printf(detail, "%s (%s)", tools.version, tools.dockerd);
}

static int prepare_private(const struct technique *t, struct docker_state *s, struct testbed *tb,
	const struct payload *p, struct vt_err *err)
{
	struct oci_runtime rt;
	int r = 0;

	if (opt_str(&t->opts, "runtime"))
		r = check_runtime(t, &rt, err);
	if (r == 0)
		r = docker_daemon_get(&s->daemon, tb, p, err);
	if (r == 0 && opt_str(&t->opts, "runtime"))
		r = docker_daemon_runtime(s->daemon, rt.path, s->runtime, sizeof(s->runtime), err);
	return r < 0 ? r : docker_daemon_network(s->daemon, net_mode(t), err);
}

static int prepare_user(const struct technique *t, struct docker_state *s, struct testbed *tb,
	const struct payload *p, struct vt_err *err)
{
	const char *runtime = opt_str(&t->opts, "runtime");
	int r = docker_user_find(&s->user, err);

	snprintf(s->runtime, sizeof(s->runtime), "%s", runtime ? runtime : "");
	return r < 0 ? r : docker_user_prepare(&s->user, tb, p, err);
}

static int docker_prepare(
	struct technique *t, struct testbed *tb, const struct payload *p, struct vt_err *err)
{
	struct docker_state *s = xcalloc(1, sizeof(*s));
	int r = is_user(t) ? prepare_user(t, s, tb, p, err) : prepare_private(t, s, tb, p, err);

	if (r < 0) {
		docker_daemon_put(s->daemon);
		free(s);
		return r;
	}
	t->state = s;
	return 0;
}

static void docker_finish(struct technique *t, struct testbed *tb)
{
	struct docker_state *s = t->state;

	if (s)
		docker_daemon_put(s->daemon);
	free(s);
	t->state = NULL;
}

/* What the two daemons have in common, then where they differ. */
static void fill_run(struct docker_run *run, const struct technique *t, struct testbed *tb,
	const struct docker_state *s, const struct env_request *req)
{
	const struct opt_set *o = &t->opts;
	enum wiring_mode mode = net_mode(t);
	struct rlimit nofile = { 1024, 1024 };

	getrlimit(RLIMIT_NOFILE, &nofile);
	*run = (struct docker_run){
		.agent = PAYLOAD_AGENT,
		.runtime = s->runtime[0] ? s->runtime : NULL,
		.volume = opt_is(o, "rootfs", "volume"),
		.pidns = opt_bool(o, "pidns"),
		.utsns = opt_bool(o, "utsns"),
		.ipcns = opt_bool(o, "ipcns"),
		.cgroupns = opt_bool(o, "cgroupns"),
		.seccomp = opt_bool(o, "seccomp"),
		.readonly = opt_bool(o, "readonly"),
		.caps = (enum capability_choice)opt_num(o, "caps"),
		.cpu = tb->sut.cpu,
		.cpu_quota = opt_num(o, "cpus"),
		.mem_bytes = opt_num(o, "mem"),
		.nofile = nofile.rlim_max,
	};
	if (!s->daemon) {
		run->docker = s->user.docker;
		run->socket = s->user.socket;
		run->image = s->user.image;
		run->network = "none";
		return;
	}
	run->docker = docker_daemon_tools(s->daemon)->docker;
	run->socket = docker_daemon_socket(s->daemon);
	run->image = docker_daemon_image(s->daemon);
	if (mode == WIRING_HOST)
		run->network = "host";
	if (mode == WIRING_BRIDGE)
		run->network = DOCKER_BRIDGE_NETWORK;
	if (mode == WIRING_MACVLAN)
		run->network = DOCKER_MACVLAN_NETWORK;
	if (mode == WIRING_BRIDGE || mode == WIRING_MACVLAN)
		run->ip = TESTBED_GUEST_ADDR;
	if (mode == WIRING_NAT) {
		run->publish = TESTBED_SUT_ADDR;
		run->ports = req->ports;
		run->nports = req->nports;
	}
}

/* Docker's own links have the kernel's offloads; the cable's are asked for on every link of a path. */
static int veths_off(void *arg, struct vt_err *err)
{
	struct if_nameindex *links = if_nameindex();
	int r = 0;

	for (struct if_nameindex *l = links; r == 0 && l && l->if_name; l++)
		if (!strncmp(l->if_name, "veth", 4))
			r = net_offloads_set(NETNS_SELF, l->if_name, false, err);
	if_freenameindex(links);
	return r;
}

static int match_offloads(
	const struct technique *t, struct testbed *tb, const struct env *env, struct vt_err *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int ns = -1;
	pid_t pid;
	int r;

	if (tb->config.offload || net_mode(t) == WIRING_HOST)
		return 0;
	r = readback_find(&pid, &env->cgroup, PAYLOAD_AGENT, err);
	if (r < 0)
		return r;
	path = xasprintf("/proc/%d/ns/net", (int)pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return vt_fail_errno(err, "cannot open '%s'", path);
	r = net_offloads_set(ns, WIRING_GUEST_IF, false, err);
	return r < 0 ? r : netns_call(tb->sut.ns.fd, veths_off, NULL, err);
}

static int launch_private(struct technique *t, struct testbed *tb, const struct env_request *req,
	struct docker_env *e, struct env *env, struct vt_err *err)
{
	struct docker_state *s = t->state;
	_cleanup_strvec_ struct strvec argv = STRVEC_INIT;
	_cleanup_free_ char *parent = xasprintf("/%s", env->cgroup.path);
	struct docker_run run;
	struct launch_how how = { .envp = docker_daemon_client_env(s->daemon),
		.prepare = docker_client_prepare };
	int r = docker_daemon_restore(s->daemon, net_mode(t), err);

	if (r < 0)
		return r;
	env->monitor = *docker_daemon_cgroup(s->daemon);
	fill_run(&run, t, tb, s, req);
	run.name = e->launch.name;
	run.cgroup_parent = parent;
	docker_run_argv(&run, &argv);
	how.argv = strvec_argv(&argv);
	how.arg = s->daemon;
	r = launch_agent(env, &how, err);
	if (r == 0)
		r = launch_await(env, req->deadline_ns, err);
	if (r == 0)
		r = match_offloads(t, tb, env, err);
	if (r == 0)
		snprintf(env->address, sizeof(env->address), "%s", wiring_address(net_mode(t)));
	return r;
}

static int launch_user(struct technique *t, struct testbed *tb, const struct env_request *req,
	struct docker_env *e, struct env *env, struct vt_err *err)
{
	struct docker_state *s = t->state;
	_cleanup_strvec_ struct strvec argv = STRVEC_INIT;
	_cleanup_free_ char *parent = xasprintf("/%s", env->cgroup.path);
	struct docker_run run;
	struct launch_how how = { 0 };
	int r = docker_user_journal(&s->user, tb, e->launch.name, err);

	if (r < 0)
		return r;
	fill_run(&run, t, tb, s, req);
	run.name = e->launch.name;
	run.cgroup_parent = s->user.systemd ? NULL : parent;
	docker_run_argv(&run, &argv);
	how.argv = strvec_argv(&argv);
	r = launch_agent(env, &how, err);
	if (r == 0)
		r = launch_await(env, req->deadline_ns, err);
	return r < 0 ? r
		     : docker_user_wire(
			       &s->user, tb, net_mode(t), e->launch.name, e->launch.n, req, &e->ns, env, err);
}

/* Ends the container; `politely` false when its start failed. */
static void docker_end(struct technique *t, struct docker_env *e, struct env *env, bool politely)
{
	struct docker_state *s = t->state;
	bool left;

	/* Now, not when the kernel gets to it: a macvlan keeps others off the cable's end. */
	if (e->ns.fd >= 0)
		net_delete(e->ns.fd, WIRING_GUEST_IF, NULL);
	netns_close(&e->ns);
	left = launch_stop(env, politely ? LAUNCH_GRACE_NS : 0);
	if (!left && s->daemon)
		docker_daemon_call(s->daemon, NULL, NULL, "rm", "--force", "--volumes", e->launch.name, NULL);
	free(e);
}

static int docker_start(struct technique *t, struct testbed *tb, const struct payload *p,
	const struct env_request *req, struct env *env, struct vt_err *err)
{
	struct docker_env *e = xcalloc(1, sizeof(*e));
	int r = launch_place(&e->launch, tb, env, false, err);

	e->ns = NETNS_INIT;
	if (r == 0)
		r = is_user(t) ? launch_user(t, tb, req, e, env, err)
			       : launch_private(t, tb, req, e, env, err);
	if (r < 0) {
		docker_end(t, e, env, false);
		return r;
	}
	env->priv = e;
	return 0;
}

static int docker_stop(struct technique *t, struct testbed *tb, struct env *env, struct vt_err *err)
{
	docker_end(t, env->priv, env, true);
	env->priv = NULL;
	return 0;
}

static int docker_describe(
	struct technique *t, struct testbed *tb, struct env *env, json_t **out, struct vt_err *err)
{
	const struct docker_state *s = t->state;
	json_t *o = NULL;
	pid_t pid;
	int r = readback_find(&pid, &env->cgroup, PAYLOAD_AGENT, err);

	if (r == 0)
		r = readback_environment(&o, pid, tb, wiring_ifname(tb, net_mode(t)), env, err);
	if (r == -ESRCH) /* a sandbox runs the agent out of the host's sight */
		o = json_pack("{s:n}", "namespaces");
	else if (r < 0)
		return r;
	json_object_set_new(o, "docker",
		json_string(s->daemon ? docker_daemon_tools(s->daemon)->version : s->user.version));
	*out = o;
	return 0;
}

const struct technique_ops technique_docker = {
	.name = "docker",
	.summary = "a container by Docker",
	.options = docker_options,
	.check = docker_check,
	.caps = docker_caps,
	.probe = docker_probe,
	.prepare = docker_prepare,
	.start = docker_start,
	.stop = docker_stop,
	.finish = docker_finish,
	.describe = docker_describe,
};
