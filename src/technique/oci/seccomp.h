/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system-call filter of a container: an allow-list of the usual size and shape, so that its cost is the
 * cost users pay. What it lets through is what container engines let through by default.
 */
#ifndef VTAX_TECHNIQUE_OCI_SECCOMP_H
#define VTAX_TECHNIQUE_OCI_SECCOMP_H

#include <jansson.h>
#include <stdbool.h>

/*
 * The "linux.seccomp" object of an OCI configuration; a new reference. `has_cap` tells which capabilities the
 * container keeps: with some, more calls are allowed.
 */
json_t *seccomp_profile(bool (*has_cap)(const char *cap, const void *arg), const void *arg);

#endif
