/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ELF closure: every shared library a program needs, found as the dynamic loader would find it, but in
 * root directories of our choice (unpacked packages first, the host last).
 */
#ifndef VTAX_PAYLOAD_CLOSURE_H
#define VTAX_PAYLOAD_CLOSURE_H

#include "base/err.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stddef.h>

struct closure_root {
	char *dir; /* "/" for the host */
	int fd;
};

struct closure_file {
	char *path;    /* where it belongs, canonical: "/usr/lib/x86_64-linux-gnu/libz.so.1" */
	size_t root;   /* found in roots[root] … */
	char *found;   /* … under this path */
	bool library;  /* found by name (a loader must find it again), or the interpreter */
};

struct closure {
	struct closure_root *roots;
	size_t nroots;
	struct closure_file *files; /* in the order found: breadth first */
	size_t nfiles;
	struct strvec missing; /* "SONAME (needed by PATH)", each soname once per needer */
};

#define CLOSURE_INIT ((struct closure){ 0 })
#define CLOSURE_FILES_MAX 4096

/* Adds a root to search, after those already there. */
int closure_add_root(struct closure *c, const char *dir, struct vt_err *err);

/*
 * Adds the file at `path` of a root, its interpreter and the libraries it needs. A library that is nowhere
 * goes to c->missing, which is not an error. What is no ELF file has no needs. Errors: -ENOENT when `path`
 * itself is not there, -EBADMSG for a malformed file or a name a loader must not follow.
 */
int closure_add(struct closure *c, size_t root, const char *path, struct vt_err *err);

void closure_release(struct closure *c);

#define _cleanup_closure_ __attribute__((cleanup(closure_release)))

#endif
