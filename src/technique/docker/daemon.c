/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The private dockerd; see daemon.h. Its life is owned twice: docker_daemon_put() ends it politely, and the
 * journal (a cgroup to kill, a tree to remove) ends it after a crash. Everything it mounts is in a private
 * mount namespace and vanishes with its last process.
 */
#include "technique/docker/daemon.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/strvec.h"
#include "base/xalloc.h"
#include "host/cpu.h"
#include "technique/docker/docker_argv.h"
#include "technique/docker/service.h"
#include "technique/program.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define GUEST_BRIDGE_IF "vtaxdbr0"
#define CALL_TIMEOUT_NS (120 * NS_PER_S) /* an import of a large payload is the longest */
#define RULES_TIMEOUT_NS (10 * NS_PER_S)
#define READY_TIMEOUT_NS (30 * NS_PER_S)
#define RUNTIME_TIMEOUT_NS (10 * NS_PER_S)
#define LEAVE_NS (5 * NS_PER_S)
#define OUTPUT_MAX (1 << 20)

struct docker_daemon {
	unsigned refs;
	struct testbed *tb;
	struct docker_tools tools;
	struct docker_service service;
	char rules[320]; /* what dockerd set up, as iptables-save wrote it */
	char image[64];
	bool networks[WIRING_MACVLAN + 1];
	struct strvec env; /* of a client */
	struct strvec runtime_names, runtime_paths;
};

static struct docker_daemon *shared; /* the campaign's; there is one campaign at a time */

const struct docker_tools *docker_daemon_tools(const struct docker_daemon *d)
{
	return &d->tools;
}

const char *docker_daemon_socket(const struct docker_daemon *d)
{
	return d->service.socket;
}

const char *docker_daemon_image(const struct docker_daemon *d)
{
	return d->image;
}

const char *const *docker_daemon_client_env(const struct docker_daemon *d)
{
	return strvec_argv(&d->env);
}

const struct cgroup *docker_daemon_cgroup(const struct docker_daemon *d)
{
	return &d->service.cgroup;
}

int docker_client_prepare(void *arg, struct vt_err *err)
{
	const struct docker_daemon *d = arg;
	int r = cgroup_enter(&d->service.cgroup, err);

	return r < 0 || d->tb->sut.cpu < 0 ? r : cpu_pin_self(d->tb->sut.cpu, err);
}

int docker_daemon_call(struct docker_daemon *d, struct buf *out, struct vt_err *err, ...)
{
	_cleanup_strvec_ struct strvec argv = STRVEC_INIT;
	struct child_spec spec = {
		.envp = strvec_argv(&d->env), .new_session = true, .die_with_parent = true
	};
	const char *word;
	va_list ap;
	int r;

	strvec_push(&argv, d->tools.docker);
	strvec_pushf(&argv, "--host=unix://%s", d->service.socket);
	va_start(ap, err);
	while ((word = va_arg(ap, const char *)))
		strvec_push(&argv, word);
	va_end(ap);
	spec.argv = strvec_argv(&argv);
	spec.prepare = docker_client_prepare;
	spec.arg = d;
	r = child_run(&spec, CALL_TIMEOUT_NS, out, err);
	return r < 0 ? vt_wrap(err, "docker %s", argv.v[2]) : 0;
}

static int enter_sut(void *arg, struct vt_err *err)
{
	return netns_enter(arg, err);
}

/* Runs iptables-save or iptables-restore in the SUT's namespace. */
static int run_rules(
	struct docker_daemon *d, const char *program, const char *file, struct buf *out, struct vt_err *err)
{
	const char *const argv[] = { program, file, NULL };
	struct child_spec spec = {
		.argv = argv,
		.new_session = true,
		.die_with_parent = true,
		.prepare = enter_sut,
		.arg = &d->tb->sut.ns,
	};

	return child_run(&spec, RULES_TIMEOUT_NS, out, err);
}

static int note_rules(struct docker_daemon *d, struct vt_err *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
	int r = run_rules(d, d->tools.save, NULL, &b, err);

	return r < 0 ? r : buf_write_file(&b, d->rules, 0600, err);
}

/* A bridge that dockerd knows by name, as dockerd made it. */
static int restore_bridge(struct docker_daemon *d, const char *name, const char *cidr, struct vt_err *err)
{
	int sut = d->tb->sut.ns.fd, r;

	if (net_exists(sut, name))
		return 0;
	r = net_bridge(sut, name, d->tb->config.mtu, err);
	return r < 0 || !cidr ? r : net_add_address(sut, name, cidr, err);
}

int docker_daemon_restore(struct docker_daemon *d, enum wiring_mode mode, struct vt_err *err)
{
	int sut = d->tb->sut.ns.fd, r = 0;

	if (mode == WIRING_NAT)
		r = restore_bridge(d, DOCKERD_BRIDGE_IF, DOCKERD_BRIDGE_CIDR, err);
	if (mode == WIRING_BRIDGE) {
		r = restore_bridge(d, GUEST_BRIDGE_IF, NULL, err);
		if (r == 0)
			r = net_set_master(sut, d->tb->sut.ifname, GUEST_BRIDGE_IF, err);
	}
	if (r == 0)
		r = run_rules(d, d->tools.restore, d->rules, NULL, err);
	if (r == 0)
		r = net_sysctl_set(sut, "net.ipv4.ip_forward", "1", err);
	return r < 0 ? vt_wrap(err, "cannot put Docker's network back") : 0;
}

int docker_daemon_network(struct docker_daemon *d, enum wiring_mode mode, struct vt_err *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);
	_cleanup_free_ char *parent = xasprintf("--opt=parent=%s", d->tb->sut.ifname);
	_cleanup_free_ char *mtu = xasprintf(
		"--opt=com.docker.network.driver.mtu=%u", d->tb->config.mtu ? d->tb->config.mtu : 1500);
	int r;

	if (d->networks[mode] || mode == WIRING_HOST || mode == WIRING_NAT)
		return 0;
	/* Both networks are the cable's; distinct ranges of one subnet are what Docker accepts. */
	r = docker_daemon_restore(d, WIRING_NAT, err);
	if (r == 0 && mode == WIRING_BRIDGE)
		r = docker_daemon_call(d, &out, err, "network", "create", "--driver=bridge",
			"--subnet=198.18.0.0/24", "--ip-range=198.18.0.64/26", "--gateway=198.18.0.66", mtu,
			"--opt=com.docker.network.bridge.name=" GUEST_BRIDGE_IF,
			"--opt=com.docker.network.bridge.enable_ip_masquerade=false", DOCKER_BRIDGE_NETWORK,
			NULL);
	if (r == 0 && mode == WIRING_MACVLAN)
		r = docker_daemon_call(d, &out, err, "network", "create", "--driver=macvlan",
			"--subnet=198.18.0.0/24", "--ip-range=198.18.0.128/26", "--gateway=198.18.0.130",
			parent, DOCKER_MACVLAN_NETWORK, NULL);
	if (r == 0)
		r = note_rules(d, err);
	if (r == 0)
		d->networks[mode] = true;
	return r;
}

static int write_config(struct docker_daemon *d, struct vt_err *err)
{
	_cleanup_buf_ struct buf json = BUF_INIT(OUTPUT_MAX);
	_cleanup_free_ char *file = xasprintf("%s/daemon.json", d->service.dir);
	int r = docker_daemon_json(&d->runtime_names, &d->runtime_paths, &json);

	if (r < 0)
		return vt_fail(err, r, "out of memory");
	return buf_write_file(&json, file, 0600, err);
}

int docker_daemon_runtime(
	struct docker_daemon *d, const char *path, char *name, size_t size, struct vt_err *err)
{
	uint64_t deadline = clock_deadline_ns(RUNTIME_TIMEOUT_NS);
	int r;

	for (size_t i = 0; i < d->runtime_paths.n; i++) {
		if (strcmp(d->runtime_paths.v[i], path))
			continue;
		snprintf(name, size, "%s", d->runtime_names.v[i]);
		return 0;
	}
	snprintf(name, size, "vtax%zu", d->runtime_paths.n);
	strvec_push(&d->runtime_names, name);
	strvec_push(&d->runtime_paths, path);
	r = write_config(d, err);
	if (r == 0 && kill(d->service.child.pid, SIGHUP) < 0)
		r = vt_fail_errno(err, "cannot make dockerd read its configuration again");
	while (r == 0) {
		_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);

		r = docker_daemon_call(d, &out, err, "info", "--format={{json .Runtimes}}", NULL);
		if (r == 0 && strstr(buf_str(&out), name))
			return 0;
		if (r == 0 && clock_now_ns() > deadline)
			r = vt_fail(err, -ETIMEDOUT, "dockerd did not take the runtime '%s'", path);
	}
	return r;
}

static int import_image(struct docker_daemon *d, const struct payload *p, struct vt_err *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);
	char tar[320];
	int r = payload_tar(p, tar, err);

	if (r < 0)
		return r;
	snprintf(d->image, sizeof(d->image), "vtax-payload:%.12s", p->digest);
	return docker_daemon_call(d, &out, err, "import", tar, d->image, NULL);
}

static void daemon_free(struct docker_daemon *d)
{
	docker_service_stop(&d->service, LEAVE_NS);
	strvec_release(&d->env);
	strvec_release(&d->runtime_names);
	strvec_release(&d->runtime_paths);
	free(d);
}

static int daemon_start(struct docker_daemon *d, const struct payload *p, struct vt_err *err)
{
	int r = docker_tools_find(&d->tools, err);

	if (r == 0)
		r = docker_service_place(&d->service, d->tb, &d->tools, err);
	if (r < 0)
		return r;
	snprintf(d->rules, sizeof(d->rules), "%.300s/rules", d->service.dir);
	/* Nothing of the user's configuration: proxies, contexts and credential helpers are his. */
	strvec_pushf(&d->env, "PATH=%s", d->tools.path);
	strvec_pushf(&d->env, "HOME=%s", d->service.dir);
	strvec_pushf(&d->env, "DOCKER_CONFIG=%s/client", d->service.dir);
	if (d->tools.libraries[0])
		strvec_pushf(&d->env, "LD_LIBRARY_PATH=%s", d->tools.libraries);
	r = write_config(d, err);
	if (r == 0)
		r = docker_service_start(&d->service, clock_deadline_ns(READY_TIMEOUT_NS), err);
	if (r == 0)
		r = note_rules(d, err);
	return r < 0 ? r : import_image(d, p, err);
}

int docker_daemon_get(
	struct docker_daemon **out, struct testbed *tb, const struct payload *p, struct vt_err *err)
{
	struct docker_daemon *d;
	int r;

	if (shared && shared->tb == tb) {
		shared->refs++;
		*out = shared;
		return 0;
	}
	d = xcalloc(1, sizeof(*d));
	d->tb = tb;
	d->refs = 1;
	d->service = DOCKER_SERVICE_INIT;
	r = daemon_start(d, p, err);
	if (r < 0) {
		daemon_free(d);
		return vt_wrap(err, "cannot start a private Docker");
	}
	log_debug("private Docker: %s", d->tools.version);
	*out = shared = d;
	return 0;
}

void docker_daemon_put(struct docker_daemon *d)
{
	if (!d || --d->refs > 0)
		return;
	shared = NULL;
	daemon_free(d);
}
