/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A root filesystem while it is being made: a skeleton that satisfies every runtime (mount points, the few
 * files of /etc that a C library reads), and files copied in, each hashed on its way into the manifest.
 *
 * The manifest is text, one object per line, sorted: "file MODE SHA256 BYTES KIND PATH". It is what the
 * payload's digest is taken from, and what is checked when a cached payload is used again.
 */
#ifndef VTAX_PAYLOAD_ROOTFS_H
#define VTAX_PAYLOAD_ROOTFS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rootfs {
	int fd;
	struct strvec lines; /* of the manifest, in the order made */
};

#define ROOTFS_INIT ((struct rootfs){ .fd = -1 })

/* Makes the directory `dir` with the skeleton in it. */
int rootfs_create(struct rootfs *r, const char *dir, struct vt_err *err);

/* Copies the file behind `from` to the canonical path `path`. `kind`: "agent", "library" or "file". */
int rootfs_add(struct rootfs *r, int from, const char *path, const char *kind, struct vt_err *err);

/* The lines so far, sorted, into *out. */
int rootfs_manifest(const struct rootfs *r, struct buf *out, struct vt_err *err);

void rootfs_release(struct rootfs *r);

#define _cleanup_rootfs_ __attribute__((cleanup(rootfs_release)))

/* One "file" line of a manifest, in place. */
struct rootfs_entry {
	unsigned mode;
	uint64_t size;
	char sha256[65], kind[16];
	const char *path; /* into the text, `path_len` long */
	int path_len;
};

/* Advances *text to the next "file" line: 1, 0 at the end, -EBADMSG when the text is damaged. */
int rootfs_next_entry(const char **text, struct rootfs_entry *e);

/* Whether every file of the manifest is below `dir` with its size and mode; adds up the disk space used. */
bool rootfs_intact(const char *dir, const char *manifest, uint64_t *bytes);

#endif
