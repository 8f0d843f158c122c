/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A private dockerd: one for a campaign, shared by all of its docker techniques, in the SUT's network
 * namespace and in the cgroup "vtax-ID/docker". The user's own Docker, its bridges, firewall and images are
 * never touched.
 *
 * dockerd expects its bridge and firewall rules to stay, but testbed_reset() sweeps the SUT's namespace
 * before every trial, for the sake of the other techniques (rules alone switch connection tracking on for
 * everybody). So what dockerd set up is noted once, taken away with everything else, and put back for
 * docker's own trials.
 *
 * The daemon also sees private copies of /etc, /opt and /run: dockerd and containerd write keys and make
 * directories there whatever they are told.
 */
#ifndef VTAX_TECHNIQUE_DOCKER_DAEMON_H
#define VTAX_TECHNIQUE_DOCKER_DAEMON_H

#include "technique/docker/tools.h"
#include "technique/technique.h"
#include "technique/wiring.h"

struct docker_daemon;

/* The campaign's daemon, started by the first who asks, with the payload imported as an image. */
int docker_daemon_get(
	struct docker_daemon **d, struct testbed *tb, const struct payload *p, struct vt_err *err);

/* Stopped by the last who gives it back; its files and cgroup are the journal's. */
void docker_daemon_put(struct docker_daemon *d);

/* Makes what a mode needs, once: a docker network. */
int docker_daemon_network(struct docker_daemon *d, enum wiring_mode mode, struct vt_err *err);

/* Lets containers ask for the OCI runtime at `path`; `name` gets what to call it. */
int docker_daemon_runtime(
	struct docker_daemon *d, const char *path, char *name, size_t size, struct vt_err *err);

/* Before a container is started: bridge and rules as dockerd left them, forwarding on. */
int docker_daemon_restore(struct docker_daemon *d, enum wiring_mode mode, struct vt_err *err);

/* For struct child_spec.prepare of a client: the daemon's cgroup and CPU. arg is the daemon. */
int docker_client_prepare(void *arg, struct vt_err *err);

const struct docker_tools *docker_daemon_tools(const struct docker_daemon *d);
const char *docker_daemon_socket(const struct docker_daemon *d);
const char *docker_daemon_image(const struct docker_daemon *d);
const char *const *docker_daemon_client_env(const struct docker_daemon *d);
const struct cgroup *docker_daemon_cgroup(const struct docker_daemon *d);

/* `docker ARGS…` against the daemon, within 60 s; its output is added to *out (may be NULL). */
int docker_daemon_call(struct docker_daemon *d, struct buf *out, struct vt_err *err, ...)
	__attribute__((sentinel));

#define DOCKER_BRIDGE_NETWORK "vtax-bridge"
#define DOCKER_MACVLAN_NETWORK "vtax-macvlan"

#endif
