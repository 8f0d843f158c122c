/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An OCI runtime, driven through the command line that they all share (run, state, delete). Where one
 * differs, a row of a small table says so, found by what the program calls itself in `--version`; a runtime
 * without a row (gVisor, Kata, one of tomorrow) gets no special treatment at all.
 */
#ifndef VTAX_TECHNIQUE_OCI_RUNTIME_H
#define VTAX_TECHNIQUE_OCI_RUNTIME_H

#include "base/err.h"

#include <stdbool.h>

struct oci_quirks {
	const char *name;      /* first word of its --version */
	const char *no_cgroup; /* global option that leaves cgroups alone; NULL: it always makes one */
	bool hide_unified;     /* refuses to see a cgroup2 beside v1 */
	bool contained; /* all it makes is a process, a cgroup and files below --root: nothing to delete */
};

struct oci_runtime {
	char path[256];
	char version[128];		 /* first line of --version */
	const struct oci_quirks *quirks; /* never NULL */
};

/* Finds it ("crun", "/path/to/runsc") and asks for its version. Cannot-run errors say how to get it. */
int oci_runtime_find(struct oci_runtime *rt, const char *name, struct vt_err *err);

#endif
