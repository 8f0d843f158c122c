/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines of Docker: `docker run` of one environment and `dockerd` of a private daemon. Pure, so that
 * every switch can be tested without a daemon.
 */
#ifndef VTAX_TECHNIQUE_DOCKER_ARGV_H
#define VTAX_TECHNIQUE_DOCKER_ARGV_H

#include "base/strvec.h"
#include "technique/capability.h"

#include <stdbool.h>
#include <stdint.h>

struct docker_run {
	const char *docker; /* path of the client */
	const char *socket; /* of the daemon; NULL: wherever the user's client goes */
	const char *name, *image, *agent;
	const char *network;   /* "host", "none", or a network's name; NULL: the default bridge */
	const char *ip;	       /* fixed address in it; NULL: any */
	const uint16_t *ports; /* published, tcp and udp, at `publish` */
	unsigned nports;
	const char *publish;	   /* address; NULL: ports are not published */
	const char *cgroup_parent; /* absolute; NULL: the daemon's */
	const char *runtime;	   /* as the daemon knows it; NULL: its default */
	bool volume;		   /* a volume on /data */
	bool pidns, utsns, ipcns, cgroupns, seccomp, readonly;
	enum capability_choice caps;
	int cpu;	    /* cpuset, or -1 */
	uint64_t cpu_quota; /* CPUs' worth of time; 0: no limit */
	uint64_t mem_bytes; /* 0: no limit */
	uint64_t nofile;
};

/* `docker run --rm -i …` with our pipes as its stdio. */
void docker_run_argv(const struct docker_run *d, struct strvec *argv);

struct dockerd {
	const char *program, *dir, *socket; /* dir: everything of the daemon is below it */
	unsigned mtu;
};

#define DOCKERD_BRIDGE_IF "docker0" /* dockerd's own name for it */
#define DOCKERD_BRIDGE_CIDR "198.18.3.1/24"

void docker_daemon_argv(const struct dockerd *d, struct strvec *argv);

/*
 * daemon.json: the OCI runtimes that containers may ask for, by path (`names` and `paths` of equal length).
 * The one thing of the daemon that changes while it runs (on SIGHUP).
 */
struct buf;
int docker_daemon_json(const struct strvec *names, const struct strvec *paths, struct buf *out);

#endif
