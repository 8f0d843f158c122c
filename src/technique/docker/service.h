/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dockerd process of a private daemon: placed, started, waited for, stopped. */
#ifndef VTAX_TECHNIQUE_DOCKER_SERVICE_H
#define VTAX_TECHNIQUE_DOCKER_SERVICE_H

#include "technique/docker/tools.h"

#include "base/child.h"
#include "host/testbed.h"

struct docker_service {
	const struct testbed *tb;
	const struct docker_tools *tools;
	char dir[300];	  /* everything of it is below */
	char socket[108]; /* as long as a socket's path may be */
	char log[320];
	struct cgroup cgroup;
	struct child child;
};

#define DOCKER_SERVICE_INIT ((struct docker_service){ .child = { .pid = 0, .pidfd = -1 } })

/* Its directory and cgroup, journalled; "daemon.json" in s->dir is the caller's to write. */
int docker_service_place(
	struct docker_service *s, struct testbed *tb, const struct docker_tools *tools, struct vt_err *err);

/* Starts it and waits until it answers; its own last words are in the error when it does not. */
int docker_service_start(struct docker_service *s, uint64_t deadline_ns, struct vt_err *err);

/* Asks it to leave, then kills everything in its cgroup. Fine when it never started. */
void docker_service_stop(struct docker_service *s, uint64_t grace_ns);

#endif
