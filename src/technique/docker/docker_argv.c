/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See docker_argv.h. */
#include "technique/docker/docker_argv.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <errno.h>
#include <jansson.h>

static void add_limits(const struct docker_run *d, struct strvec *argv)
{
	if (d->cpu >= 0)
		strvec_pushf(argv, "--cpuset-cpus=%d", d->cpu);
	if (d->cpu_quota)
		strvec_pushf(argv, "--cpus=%llu", (unsigned long long)d->cpu_quota);
	if (d->mem_bytes)
		strvec_pushf(argv, "--memory=%llu", (unsigned long long)d->mem_bytes);
	strvec_pushf(argv, "--ulimit=nofile=%llu:%llu", (unsigned long long)d->nofile,
		(unsigned long long)d->nofile);
}

static void add_isolation(const struct docker_run *d, struct strvec *argv)
{
	/* Said either way, because the daemon's own default differs between versions and cgroup layouts. */
	strvec_pushf(argv, "--ipc=%s", d->ipcns ? "private" : "host");
	strvec_pushf(argv, "--cgroupns=%s", d->cgroupns ? "private" : "host");
	if (!d->pidns)
		strvec_push(argv, "--pid=host");
	if (!d->utsns)
		strvec_push(argv, "--uts=host");
	if (!d->seccomp)
		strvec_push(argv, "--security-opt=seccomp=unconfined");
	if (d->caps == CAPABILITY_ALL) {
		strvec_push(argv, "--cap-add=ALL");
		/* Docker means all that exist, and fails on one that it cannot give. */
		for (const char *const *cap = capability_missing(); *cap; cap++)
			strvec_pushf(argv, "--cap-drop=%s", *cap);
	}
	if (d->caps == CAPABILITY_NONE)
		strvec_push(argv, "--cap-drop=ALL");
	if (d->readonly)
		strvec_pushv(argv, (const char *const[]){ "--read-only", "--tmpfs=/tmp:mode=1777",
					   "--tmpfs=/run:mode=755", NULL });
	if (d->volume || d->readonly)
		strvec_push(argv, "--volume=/data"); /* nameless: removed with the container */
}

static void add_network(const struct docker_run *d, struct strvec *argv)
{
	static const char *const protocols[] = { "tcp", "udp" };

	if (d->network)
		strvec_pushf(argv, "--network=%s", d->network);
	if (d->ip)
		strvec_pushf(argv, "--ip=%s", d->ip);
	for (unsigned i = 0; d->publish && i < d->nports; i++)
		for (size_t p = 0; p < ARRAY_SIZE(protocols); p++)
			strvec_pushf(argv, "--publish=%s:%u:%u/%s", d->publish, d->ports[i], d->ports[i],
				protocols[p]);
}

void docker_run_argv(const struct docker_run *d, struct strvec *argv)
{
	strvec_push(argv, d->docker);
	if (d->socket)
		strvec_pushf(argv, "--host=unix://%s", d->socket);
	strvec_pushv(argv, (const char *const[]){ "run", "--rm", "--interactive", "--log-driver=none",
				   "--pull=never", NULL });
	strvec_pushf(argv, "--name=%s", d->name);
	if (d->cgroup_parent)
		strvec_pushf(argv, "--cgroup-parent=%s", d->cgroup_parent);
	if (d->runtime)
		strvec_pushf(argv, "--runtime=%s", d->runtime);
	add_network(d, argv);
	add_isolation(d, argv);
	add_limits(d, argv);
	strvec_push(argv, d->image);
	strvec_push(argv, d->agent);
}

void docker_daemon_argv(const struct dockerd *d, struct strvec *argv)
{
	strvec_push(argv, d->program);
	strvec_pushf(argv, "--config-file=%s/daemon.json", d->dir);
	strvec_pushf(argv, "--data-root=%s/data", d->dir);
	strvec_pushf(argv, "--exec-root=%s/exec", d->dir);
	strvec_pushf(argv, "--pidfile=%s/pid", d->dir);
	strvec_pushf(argv, "--host=unix://%s", d->socket);
	/* ip6tables: newer daemons would add rules for a protocol that the testbed switches off. */
	strvec_pushv(argv, (const char *const[]){ "--bip=" DOCKERD_BRIDGE_CIDR, "--userland-proxy=false",
				   "--ip6tables=false", "--storage-driver=overlay2",
				   "--exec-opt=native.cgroupdriver=cgroupfs", "--log-level=warn", NULL });
	strvec_pushf(argv, "--mtu=%u", d->mtu);
}

int docker_daemon_json(const struct strvec *names, const struct strvec *paths, struct buf *out)
{
	json_t *runtimes = json_object(), *o;
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < names->n; i++)
		json_object_set_new(runtimes, names->v[i], json_pack("{s:s}", "path", paths->v[i]));
	o = json_pack("{s:o}", "runtimes", runtimes);
	text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	return text ? buf_puts(out, text) : -ENOMEM;
}
