/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payload: one root filesystem for every technique, made of the agent and of programs from the
 * distribution's packages with exactly the shared libraries they need (their ELF closure).
 *
 * Packages are downloaded and verified by apt and unpacked into a cache, never installed on the user's
 * machine. The finished tree is cached under CACHE/payload/DIGEST, where DIGEST is the SHA-256 of a manifest
 * that holds the version of every package and the path, mode and SHA-256 of every file, the agent among them;
 * a changed package gives another digest and a new tree. CACHE is /var/cache/vtax (or $VTAX_CACHE). Building
 * happens in a temporary directory, renamed when complete, under a lock: a killed build leaves nothing that
 * would be taken for a payload.
 *
 * How to add a program: one row in programs.c. Files beside the program (configuration, plugins, data) go
 * into `extra`; libraries in there are followed as the program's own are.
 */
#ifndef VTAX_PAYLOAD_PAYLOAD_H
#define VTAX_PAYLOAD_PAYLOAD_H

#include "base/err.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stdint.h>

struct payload_program {
	const char *name;    /* as workloads ask for it: "iperf3" */
	const char *package; /* Debian package */
	const char *path;    /* in the package: "/usr/bin/iperf3" */
	const char *const *packages; /* more packages it takes files from; NULL-terminated, may be NULL */
	const char *const *extra;    /* files and directories to have along; NULL-terminated, may be NULL */
};
extern const struct payload_program payload_programs[]; /* ends with name NULL */

struct payload {
	char digest[65];
	char dir[256];	     /* CACHE/payload/DIGEST */
	char rootfs[280];    /* dir/rootfs: the directory form */
	char agent[280];     /* host path of the agent inside it */
	uint64_t size_bytes; /* disk blocks in use */
};

#define PAYLOAD_AGENT "/vtax/agent" /* the agent's path inside the rootfs */

const char *payload_cache_dir(void);

/*
 * Finds or builds the payload with these programs (NULL-terminated names; may be empty). `agent_path` is the
 * static agent on the host. `offline` never calls apt: packages must be in the cache or installed.
 *
 * A payload that was built before for the same agent and programs is used at once as long as neither dpkg's
 * status file nor apt's lists and settings changed since (nothing is run for that); otherwise the versions
 * are looked up again, which takes about a second and ends at the same digest when they are the same.
 */
int payload_get(struct payload *p, const char *agent_path, const char *const *programs, bool offline,
	struct vt_err *err);

/* The rootfs as an uncompressed tar (for `docker import`), made once and cached beside it. */
int payload_tar(const struct payload *p, char path[static 320], struct vt_err *err);

/*
 * How native runs a program of the payload: the payload's own dynamic loader with its library path and the
 * program's path, without a chroot: the same bytes as everywhere else. Adds to *argv; arguments follow.
 */
int payload_native_argv(const struct payload *p, const char *program, struct strvec *argv,
	struct vt_err *err);

/*
 * Removes cached payloads that are not `keep`; with NULL all of them and the downloaded packages too. For
 * `vtax clean --cache`. *freed_bytes may be NULL.
 */
int payload_clean(const struct payload *keep, uint64_t *freed_bytes, struct vt_err *err);

#endif
