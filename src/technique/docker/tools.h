/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs a private Docker is made of. A tree unpacked below STATE/tools/docker comes first (installing
 * the distribution's package would start a daemon and change the firewall), then what is installed.
 */
#ifndef VTAX_TECHNIQUE_DOCKER_TOOLS_H
#define VTAX_TECHNIQUE_DOCKER_TOOLS_H

#include "base/err.h"

/* What it needs of the machine. */
struct docker_tools {
	char dockerd[256], docker[256];
	char path[2048];	      /* directories for $PATH, the private tree first */
	char libraries[1024];	      /* $LD_LIBRARY_PATH into the private tree; "" when it has none */
	char iptables[256];	      /* iptables in its nf_tables form, */
	char save[256], restore[256]; /* … and its companions */
	char version[128];	      /* what dockerd says it is */
};

/* All of it, or a cannot-run error that says what is missing and how to get it. */
int docker_tools_find(struct docker_tools *tools, struct vt_err *err);

#endif
