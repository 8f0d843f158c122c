/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The OCI runtime configuration (config.json) of one environment, with a switch for each isolation feature.
 * Pure: no look at the host, except for the capabilities that we hold ourselves.
 */
#ifndef VTAX_TECHNIQUE_OCI_SPEC_H
#define VTAX_TECHNIQUE_OCI_SPEC_H

#include "technique/capability.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct oci_config {
	const char *hostname;
	const char *agent;	       /* program to run, as seen inside */
	const char *root;	       /* host path of the root filesystem */
	const char *chroot;	       /* host path of chroot(8): used without a mount namespace */
	const char *netns;	       /* path of the namespace to join; NULL: the launcher's */
	const char *cgroups_path;      /* absolute; NULL: no cgroup of its own */
	const char *data_dir;	       /* host directory to appear as /data; NULL: what the root has */
	bool scratch_tmp, scratch_run; /* a tmpfs on /tmp, /run (for a root that cannot be written) */
	bool readonly;
	bool pidns, mountns, utsns, ipcns, userns, cgroupns;
	bool seccomp;
	enum capability_choice caps;
	int cpu;	    /* cpuset, or -1 */
	uint64_t cpu_quota; /* CPUs' worth of time, 0: no limit */
	uint64_t mem_bytes; /* 0: no limit */
	uint64_t nofile;
};

/* A new object. */
json_t *oci_spec(const struct oci_config *c);

#endif
