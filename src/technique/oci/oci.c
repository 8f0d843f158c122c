/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `oci`: any OCI runtime by its command line. A trial writes a bundle into the campaign's scratch, starts
 * `runtime run` with the agent's pipes as its stdio, and everything else follows from the pipes: when stdin
 * closes the agent leaves, then the container, then the runtime.
 *
 * The runtime (env->monitor) and the container (below env->cgroup) are in different cgroups, so the host's
 * share of the cost can be told apart. vtax makes the network namespace and wires it; the runtime joins it by
 * path, which all of them can do. Nothing below knows which runtime it is: see runtime.h.
 */
#include "technique/launch.h"
#include "technique/oci/oci_root.h"
#include "technique/oci/oci_spec.h"
#include "technique/oci/runtime.h"
#include "technique/program.h"
#include "technique/readback.h"
#include "technique/wiring.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "host/cpu.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#define UNIFIED "/sys/fs/cgroup/unified" /* where hybrid layouts have their cgroup2 */

#define USERNS_TIMEOUT_NS (5 * NS_PER_S)

static const struct opt_def oci_options[] = {
	{ "runtime", OPT_STRING, "crun", NULL, 0, 0,
		"the OCI runtime: a program's name, or an absolute path" },
	{ "net", OPT_ENUM, "bridge", WIRING_CHOICES, 0, 0, "how it hangs on the cable" },
	{ "rootfs", OPT_ENUM, "overlay", "overlay|bind", 0, 0,
		"overlayfs on the payload, or the payload itself, read-only" },
	{ "pidns", OPT_BOOL, "on", NULL, 0, 0, "its own process ids" },
	{ "mountns", OPT_BOOL, "on", NULL, 0, 0, "its own mounts (off: a plain chroot)" },
	{ "utsns", OPT_BOOL, "on", NULL, 0, 0, "its own host name" },
	{ "ipcns", OPT_BOOL, "on", NULL, 0, 0, "its own System V and POSIX queues" },
	{ "userns", OPT_BOOL, "off", NULL, 0, 0, "its own user ids (mapped one to one)" },
	{ "cgroupns", OPT_BOOL, "on", NULL, 0, 0, "its own view of the cgroups" },
	{ "cgroup", OPT_BOOL, "on", NULL, 0, 0, "a cgroup with device rules, made by the runtime" },
	{ "seccomp", OPT_BOOL, "on", NULL, 0, 0, "a system-call filter (the usual allow-list)" },
	{ "caps", OPT_ENUM, "default", CAPABILITY_CHOICES, 0, 0, "capabilities left to root" },
	{ "readonly", OPT_BOOL, "off", NULL, 0, 0, "a root that cannot be written (rootfs=bind: always)" },
	{ "cpus", OPT_UINT, NULL, NULL, 1, 1024, "limit: CPUs' worth of time" },
	{ "mem", OPT_SIZE, NULL, NULL, 16 << 20, UINT64_C(1) << 50, "limit: bytes of memory" },
	OPT_END,
};

/* From prepare to finish. */
struct oci_state {
	struct oci_runtime runtime;
	enum cgroup_layout layout;
	char chroot[256];
};

/* One environment; what the child needs is in here too. */
struct oci_env {
	struct launch launch;
	struct oci_root root;
	struct netns ns;
	const struct oci_state *state;
	const struct side *sut;
	const struct cgroup *enter,
		*unified; /* where the launcher goes; unified: another place on that hierarchy */
};

static enum wiring_mode net_mode(const struct technique *t)
{
	return (enum wiring_mode)opt_num(&t->opts, "net");
}

static int oci_check(const struct technique *t, struct vt_err *err)
{
	const struct opt_set *o = &t->opts;

	if (opt_is(o, "rootfs", "bind") && opt_given(o, "readonly") && !opt_bool(o, "readonly"))
		return vt_usage(err, "oci: readonly=off contradicts rootfs=bind, which is the shared payload "
				     "itself; use rootfs=overlay");
	if (!opt_bool(o, "mountns") && opt_is(o, "caps", "none"))
		return vt_usage(
			err, "oci: mountns=off contradicts caps=none: a plain chroot needs CAP_SYS_CHROOT");
	if (!opt_bool(o, "cgroup") && (opt_given(o, "cpus") || opt_given(o, "mem")))
		return vt_usage(err, "oci: '%s' contradicts cgroup=off: a cgroup sets the limit",
			opt_given(o, "cpus") ? "cpus" : "mem");
	if (!*opt_str(o, "runtime"))
		return vt_usage(err, "oci: 'runtime' is empty; give a name such as crun or an absolute path");
	return 0;
}

static unsigned oci_caps(const struct technique *t)
{
	return TECH_AGENT | TECH_TCP | TECH_UDP | TECH_ICMP | TECH_CGROUP;
}

static int oci_find(const struct technique *t, struct oci_state *s, struct vt_err *err)
{
	int r = oci_runtime_find(&s->runtime, opt_str(&t->opts, "runtime"), err);

	if (r == 0)
		r = cgroup_layout(&s->layout, err);
	if (r < 0)
		return r;
	if (!opt_bool(&t->opts, "cgroup") && !s->runtime.quirks->no_cgroup)
		return vt_fail(err, -ENOTSUP, "'%s' always makes a cgroup: use cgroup=on, or runtime=crun",
			s->runtime.path);
	return opt_bool(&t->opts, "mountns")
		       ? 0
		       : program_find("chroot", NULL, s->chroot, sizeof(s->chroot), err);
}

/* In the child, before exec. */
static int make_userns(void *arg, struct vt_err *err)
{
	if (unshare(CLONE_NEWUSER) == 0)
		return 0;
	return vt_fail_errno(err,
		"userns=on cannot run here: a user namespace cannot be made (is the sysctl "
		"user.max_user_namespaces 0, or is this a chroot?)");
}

/* Some machines forbid them even to root; the only way to know is to try, in a child that leaves nothing. */
static int check_userns(struct vt_err *err)
{
	static const char *const argv[] = { "true", NULL };
	struct child_spec spec = { .argv = argv, .die_with_parent = true, .prepare = make_userns };

	return child_run(&spec, USERNS_TIMEOUT_NS, NULL, err);
}

static int oci_probe(const struct technique *t, struct buf *detail, struct vt_err *err)
{
	struct oci_state s = { 0 };
	int r = oci_find(t, &s, err);

	if (r == 0 && opt_bool(&t->opts, "userns"))
		r = check_userns(err);
	if (r < 0)
		return r;
	buf_printf(detail, "%s (%s)", s.runtime.version, s.runtime.path);
	if (s.layout == CGROUP_HYBRID && s.runtime.quirks->hide_unified)
		buf_puts(detail, "; hybrid cgroups: it is shown the v1 ones only");
	return 0;
}

static int oci_prepare(struct technique *t, struct testbed *tb, const struct payload *p, struct vt_err *err)
{
	struct oci_state s = { 0 }, *kept;
	int r = oci_find(t, &s, err);

	if (r < 0)
		return r;
	kept = xcalloc(1, sizeof(*kept));
	*kept = s;
	t->state = kept;
	return 0;
}

static void oci_finish(struct technique *t, struct testbed *tb)
{
	free(t->state);
	t->state = NULL;
}

/* In the child: cgroup, namespaces, CPU, root; then the runtime is exec'ed. */
static int oci_enter(void *arg, struct vt_err *err)
{
	const struct oci_env *e = arg;
	bool hide = e->unified;
	int r = cgroup_enter(e->enter, err);

	if (r == 0 && hide) {
		/* Hidden from it, the runtime cannot move the container there: it starts where it shall be.
		 */
		_cleanup_free_ char *procs = xasprintf("%s/%s/cgroup.procs", UNIFIED, e->unified->path);
		_cleanup_close_ int fd = open(procs, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "0", 1) != 1)
			return vt_fail_errno(err, "cannot enter the cgroup '%s'", procs);
	}
	if (r == 0)
		r = netns_enter_with_sysfs(&e->sut->ns, hide, err);
	if (r == 0 && e->sut->cpu >= 0)
		r = cpu_pin_self(e->sut->cpu, err);
	return r < 0 ? r : oci_root_mount(&e->root, err);
}

static int write_bundle(const struct technique *t, struct testbed *tb, const struct oci_env *e,
	const struct env *env, struct vt_err *err)
{
	const struct opt_set *o = &t->opts;
	_cleanup_free_ char *cgroup = xasprintf("/%s/%s", env->cgroup.path, e->launch.name);
	_cleanup_free_ char *file = xasprintf("%s/config.json", e->launch.dir);
	struct rlimit nofile = { 1024, 1024 };
	json_t *spec;
	int r = 0;

	getrlimit(RLIMIT_NOFILE, &nofile);
	struct oci_config c = {
		.hostname = "vtax",
		.agent = PAYLOAD_AGENT,
		.root = e->root.path,
		.chroot = e->state->chroot,
		.netns = e->ns.fd >= 0 ? e->ns.path : NULL,
		.cgroups_path = opt_bool(o, "cgroup") ? cgroup : NULL,
		.data_dir = e->root.readonly ? e->root.data : NULL,
		.scratch_tmp = e->root.readonly,
		.scratch_run = e->root.readonly,
		.readonly = e->root.readonly,
		.pidns = opt_bool(o, "pidns"),
		.mountns = opt_bool(o, "mountns"),
		.utsns = opt_bool(o, "utsns"),
		.ipcns = opt_bool(o, "ipcns"),
		.userns = opt_bool(o, "userns"),
		.cgroupns = opt_bool(o, "cgroupns"),
		.seccomp = opt_bool(o, "seccomp"),
		.caps = (enum capability_choice)opt_num(o, "caps"),
		.cpu = tb->sut.cpu,
		.cpu_quota = opt_num(o, "cpus"),
		.mem_bytes = opt_num(o, "mem"),
		.nofile = nofile.rlim_max,
	};
	spec = oci_spec(&c);
	if (!spec || json_dump_file(spec, file, JSON_INDENT(1)) < 0)
		r = vt_fail(err, -EIO, "cannot write '%s' (no space left?)", file);
	json_decref(spec);
	return r;
}

/* The network, the root and the bundle: everything before the runtime is started. */
static int oci_build(const struct technique *t, struct testbed *tb, const struct payload *p,
	const struct env_request *req, struct oci_env *e, struct env *env, struct vt_err *err)
{
	const struct opt_set *o = &t->opts;
	enum wiring_mode mode = net_mode(t);
	bool own = opt_bool(o, "cgroup");
	int r = launch_place(&e->launch, tb, env, own, err);

	if (r == 0 && mode != WIRING_HOST)
		r = netns_create(&e->ns, tb->journal, e->launch.name, err);
	if (r == 0)
		r = wiring_up(tb, mode, &e->ns, e->launch.n, req, env, err);
	if (r == 0)
		r = oci_root_make(&e->root, e->launch.dir, p->rootfs, opt_is(o, "rootfs", "overlay"),
			opt_bool(o, "readonly"), err);
	if (r < 0)
		return r;
	e->root.complete = !opt_bool(o, "mountns");
	e->enter = own ? &env->monitor : &env->cgroup;
	if (e->state->layout == CGROUP_HYBRID && e->state->runtime.quirks->hide_unified)
		e->unified = &env->cgroup;
	return write_bundle(t, tb, e, env, err);
}

static int oci_launch(struct technique *t, struct testbed *tb, const struct env_request *req,
	struct oci_env *e, struct env *env, struct vt_err *err)
{
	const struct oci_runtime *rt = &e->state->runtime;
	_cleanup_free_ char *root = xasprintf("%s/runtime", e->launch.dir);
	_cleanup_strvec_ struct strvec argv = STRVEC_INIT;
	struct launch_how how = { .prepare = oci_enter, .arg = e };
	int r = 0;

	strvec_pushv(&argv, (const char *const[]){ rt->path, "--root", root, NULL });
	if (!opt_bool(&t->opts, "cgroup"))
		strvec_push(&argv, rt->quirks->no_cgroup);
	strvec_pushv(&argv, (const char *const[]){ "run", "--bundle", e->launch.dir, e->launch.name, NULL });
	if (!rt->quirks->contained)
		r = journal_addf(tb->journal, UNDO_COMMAND, err,
			"%s\x1f--root\x1f%s\x1f"
			"delete\x1f--force\x1f%s",
			rt->path, root, e->launch.name);
	if (r < 0)
		return r;
	how.argv = strvec_argv(&argv);
	r = launch_agent(env, &how, err);
	return r < 0 ? r : launch_await(env, req->deadline_ns, err);
}

static void oci_env_free(struct oci_env *e)
{
	if (!e)
		return;
	netns_close(&e->ns);
	free(e);
}

static int oci_start(struct technique *t, struct testbed *tb, const struct payload *p,
	const struct env_request *req, struct env *env, struct vt_err *err)
{
	struct oci_env *e = xcalloc(1, sizeof(*e));
	int r;

	e->ns = NETNS_INIT;
	e->state = t->state;
	e->sut = &tb->sut;
	r = oci_build(t, tb, p, req, e, env, err);
	if (r == 0)
		r = oci_launch(t, tb, req, e, env, err);
	if (r < 0) {
		launch_stop(env, 0);
		oci_env_free(e);
		return r;
	}
	env->priv = e;
	return 0;
}

static int oci_stop(struct technique *t, struct testbed *tb, struct env *env, struct vt_err *err)
{
	launch_stop(env, LAUNCH_GRACE_NS);
	oci_env_free(env->priv);
	env->priv = NULL;
	return 0;
}

static int oci_describe(
	struct technique *t, struct testbed *tb, struct env *env, json_t **out, struct vt_err *err)
{
	const struct oci_state *s = t->state;
	json_t *o = NULL;
	pid_t pid = 0;
	int r = readback_find(&pid, &env->cgroup, PAYLOAD_AGENT, err);

	if (r == 0)
		r = readback_environment(&o, pid, tb, wiring_ifname(tb, net_mode(t)), env, err);
	if (r == -ESRCH) /* a sandbox runs the agent out of the host's sight */
		o = json_pack("{s:n}", "namespaces");
	else if (r < 0)
		return r;
	json_object_set_new(
		o, "runtime", json_pack("{s:s,s:s}", "path", s->runtime.path, "version", s->runtime.version));
	*out = o;
	return 0;
}

const struct technique_ops technique_oci = {
	.name = "oci",
	.summary = "a container by an OCI runtime (crun, runc, runsc, …)",
	.options = oci_options,
	.check = oci_check,
	.caps = oci_caps,
	.probe = oci_probe,
	.prepare = oci_prepare,
	.start = oci_start,
	.stop = oci_stop,
	.finish = oci_finish,
	.describe = oci_describe,
};
