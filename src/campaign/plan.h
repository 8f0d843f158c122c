/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan says what a campaign runs: techniques, workloads and how long. It comes from a suite (a YAML file)
 * and is then changed by command-line flags; once resolved it is stored with the results, so that a resumed
 * campaign does exactly what was planned.
 *
 *	suite: quick
 *	description: one line
 *	duration: 1s          # measured time of a trial
 *	warmup: 100ms         # discarded before it
 *	blocks: 5             # at least this many of each workload, if the budget allows
 *	max_blocks: 30
 *	time_budget: 4m       # no further round is started that would not fit
 *	target: 2%            # stop when every interval's half-width is below it
 *	pin: on
 *	steer: off            # each side's CPU handles what it receives
 *	offload: on
 *	mtu: 1500
 *	start_timeout: 30s    # an environment that says nothing for so long has failed
 *	max_steal: 5%         # a trial with more stolen CPU time is invalid
 *	max_other_load: 10%   # likewise for CPU time of other processes
 *	baseline: native
 *	techniques: [native, "oci:runtime=crun,net=bridge"]
 *	workloads: [tcp_rr, "tcp_stream:message=64K"]
 */
#ifndef VTAX_CAMPAIGN_PLAN_H
#define VTAX_CAMPAIGN_PLAN_H

#include "base/err.h"
#include "base/strvec.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define PLAN_MAX_BYTES (256u << 10)
#define PLAN_MAX_ITEMS 256 /* techniques or workloads */

struct plan {
	char suite[64];
	char *description; /* may be NULL */
	uint64_t duration_ns, warmup_ns, time_budget_ns; /* time_budget 0: none */
	uint64_t start_timeout_ns; /* for an environment to start, until its agent speaks */
	unsigned blocks_min, blocks_max;
	double target; /* relative half-width; 0: do not stop early */
	double max_steal, max_other_load; /* bounds of validity gates */
	bool pin, offload, steer;
	unsigned mtu; /* 0: 1500 */
	char *baseline; /* technique text or label; NULL: "native" */
	struct strvec techniques, workloads; /* texts, globs expanded by the caller */
};

void plan_init(struct plan *p); /* the defaults above, no techniques, no workloads */
void plan_release(struct plan *p);

/*
 * Sets one scalar by its key ("duration"; '-' reads as '_') from its text. Usage errors start with `owner`; a
 * key that is not a scalar of the plan is -ENOENT with *err untouched.
 */
int plan_set(struct plan *p, const char *key, const char *text, const char *owner, struct vt_err *err);

/* A share: "2%" or "0.02", 0…1. Usage errors name the key and its owner. */
int plan_share(const char *text, const char *key, const char *owner, double *out, struct vt_err *err);

/*
 * Reads YAML. Usage errors name the file and what is wrong: unknown keys, wrong types, values out of bounds,
 * more than PLAN_MAX_BYTES or PLAN_MAX_ITEMS, aliases. *p is untouched on failure.
 */
int plan_parse(struct plan *p, const char *yaml, size_t len, const char *name, struct vt_err *err);

/* A suite by name ("quick": looked up in plan_suite_dir()) or by path (contains '/' or ends in .yaml). */
int plan_load(struct plan *p, const char *suite, struct vt_err *err);
/* $VTAX_SUITES, else ../suites beside the program's build directory, else the installed place. */
const char *plan_suite_dir(void);
/* Names of the suites there, sorted. */
int plan_list(struct strvec *names, struct vt_err *err);

/* Bounds on numbers that flags may have changed, and at least one technique and workload. Usage errors. */
int plan_check(const struct plan *p, struct vt_err *err);

/* The stored form. */
json_t *plan_to_json(const struct plan *p);
int plan_from_json(struct plan *p, const char *text, struct vt_err *err);

#endif
