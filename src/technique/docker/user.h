/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user's own Docker daemon, only borrowed: an image and one container at a time, named after the campaign
 * and removed again. It lives in the host's network namespace, where the client side is not; so a container
 * is started with no network, and vtax hangs the container's namespace on the cable itself.
 */
#ifndef VTAX_TECHNIQUE_DOCKER_USER_H
#define VTAX_TECHNIQUE_DOCKER_USER_H

#include "technique/technique.h"
#include "technique/wiring.h"

struct docker_user {
	char docker[256]; /* path of the client */
	char socket[256]; /* from $DOCKER_HOST, or the usual one */
	char version[64]; /* of the daemon */
	bool systemd;	  /* it makes cgroups through systemd, in places of its own choice */
	char image[64];
};

/* Does it answer? Cannot-run errors otherwise. */
int docker_user_find(struct docker_user *u, struct vt_err *err);

/* The payload as an image in it; journalled. */
int docker_user_prepare(
	struct docker_user *u, struct testbed *tb, const struct payload *p, struct vt_err *err);

/* Journals the removal of a container that is about to be started. */
int docker_user_journal(
	const struct docker_user *u, struct testbed *tb, const char *container, struct vt_err *err);

/*
 * Wires the running container; *ns gets its namespace (descriptor only). With systemd cgroups, env->cgroup
 * becomes the container's.
 */
int docker_user_wire(const struct docker_user *u, struct testbed *tb, enum wiring_mode mode,
	const char *container, unsigned n, const struct env_request *req, struct netns *ns, struct env *env,
	struct vt_err *err);

#endif
