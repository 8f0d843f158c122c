/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "name:key=value,…" — how a technique or a workload is written, on the command line and in a plan.
 */
#ifndef VTAX_BASE_SPEC_H
#define VTAX_BASE_SPEC_H

#include "base/err.h"

struct spec {
	char *name; /* before the first ':' */
	char *opts; /* after it; "" when there is none */
};

#define SPEC_MAX 4096 /* longest text accepted */

/* Names are [a-z0-9_-]+ (globs * ? [ ] also when allow_glob). Usage errors. */
int spec_parse(struct spec *s, const char *text, int allow_glob, struct vt_err *err);
void spec_release(struct spec *s);

#define _cleanup_spec_ __attribute__((cleanup(spec_release)))

#endif
