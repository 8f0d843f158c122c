/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A workload is what is run; its metrics are what is read. It drives two agents over links and knows nothing
 * of techniques: it sees an address, two links and the capabilities of the environment.
 *
 * How to add one (docs/adding-a-workload.md): a `const struct workload_ops workload_NAME` in its own file, one
 * line in registry.c, an option table, a metric table, a page in docs/workloads/, and a row in
 * tests/system/test_workloads.py.
 */
#ifndef VTAX_WORKLOAD_WORKLOAD_H
#define VTAX_WORKLOAD_WORKLOAD_H

#include "base/option.h"
#include "link/link.h"
#include "stats/hist.h"

#include <stdbool.h>

/* What a workload needs; the bits mean the same as enum technique_cap, and campaign compares them. */
enum workload_need {
	WORK_AGENT = 1 << 0,
	WORK_TCP = 1 << 1,
	WORK_UDP = 1 << 2,
	WORK_ICMP = 1 << 3,
};

struct metric_def {
	const char *name; /* thing[_quantile]_unit */
	const char *unit; /* SI base unit: "1/s", "bits/s", "ns", "ns/op", "ns/byte", "bytes", "ratio", "1" */
	bool higher_is_better;
	bool primary; /* shown in the short table */
	const char *summary;
};

struct workload {
	const struct workload_ops *ops;
	struct opt_set opts;
	char *text; /* as given */
};

#define TRIAL_METRICS_MAX 96
#define TRIAL_HISTS_MAX 8
#define TRIAL_SERIES_MAX 8
#define TRIAL_GATES_MAX 16

/* What one trial gave. Filled by the workload, then by campaign (CPU, gates), stored whole. */
struct trial_result {
	struct {
		char name[48];
		double value;
	} metrics[TRIAL_METRICS_MAX];
	unsigned nmetrics;
	struct {
		char name[32];
		struct hist *hist;
	} hists[TRIAL_HISTS_MAX];
	unsigned nhists;
	struct {
		char name[32];
		double *v;
		unsigned n;
	} series[TRIAL_SERIES_MAX];
	unsigned nseries;
	struct {
		char name[32];	 /* "client-saturated" */
		char reason[160];
	} gates[TRIAL_GATES_MAX]; /* gates that FAILED; any makes the trial invalid */
	unsigned ngates;
	uint64_t ops, bytes; /* done in the measured time; 0 = does not apply */
};

void trial_result_release(struct trial_result *r);
void trial_metric(struct trial_result *r, const char *name, double value); /* replaces one of that name */
double trial_metric_get(const struct trial_result *r, const char *name);   /* NaN when absent */
void trial_gate(struct trial_result *r, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What campaign gives to a running workload. */
struct trial_ctx {
	struct link *client;	     /* never NULL */
	struct link *sut;	     /* NULL when agentless */
	const char *address;	     /* where the client reaches the server */
	const char *bind_address;    /* what the server binds */
	uint64_t duration_ns, warmup_ns;
	const volatile int *cancel;  /* non-zero: end soon, return -EINTR */

	void (*mark)(void *arg, int which); /* measured time begins (0), has ended (1): campaign samples CPU */
	void *mark_arg;
};

struct workload_ops {
	const char *name, *summary, *group; /* group: "network" */
	unsigned needs;
	bool saturates; /* loads as fast as it can by design: a busy client is its nature, not a failed gate */
	const struct opt_def *const *options; /* NULL-terminated list of option tables */
	const struct metric_def *metrics; /* ends with name NULL; without the CPU metrics, which are common */
	const uint16_t *ports; /* to be reachable in the environment; ends with 0 */
	int (*check)(const struct workload *w, struct vt_err *err); /* contradictory options; NULL none */
	int (*run)(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err);
};

extern const struct workload_ops *const workload_registry[]; /* NULL-terminated */
const struct workload_ops *workload_find(const char *name);

/* Metrics that campaign adds to every workload: CPU cost by host-side accounting. Ends with name NULL. */
extern const struct metric_def workload_common_metrics[];
const struct metric_def *workload_metric(const struct workload_ops *ops, const char *name); /* own, then common */

int workload_parse(struct workload *w, const char *text, struct vt_err *err);
int workload_expand(const char *text, struct strvec *out, struct vt_err *err); /* globs, as technique_expand */
void workload_release(struct workload *w);

#endif
