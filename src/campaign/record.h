/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between a campaign and its store: what is planned, what was run, what is still missing. */
#ifndef VTAX_CAMPAIGN_RECORD_H
#define VTAX_CAMPAIGN_RECORD_H

#include "campaign/campaign.h"

/* The plan, cells, metric definitions and fingerprint, before the first trial. */
int record_plan(struct campaign *c, struct vt_err *err);

/* One cell of the plan again, after its not_run has changed. */
int record_cell(struct campaign *c, size_t workload, size_t technique, struct vt_err *err);

struct record_trial {
	unsigned block, position, workload, technique, sequence;
	const char *started_at;
	double duration_s, measured_s;
	const char *failure; /* why there is no result; NULL when the trial ran to its end */
};

/* One finished trial, committed on return. */
int record_trial(struct campaign *c, const struct record_trial *t, const struct trial_result *r,
	const struct trial_info *info, struct vt_err *err);

/* Index of a trial in c->done and in arrays like it. */
size_t record_index(const struct campaign *c, unsigned round, size_t workload, size_t technique);

/*
 * Calls fn for each stored trial with its value of the workload's primary metric (NaN when invalid), so that a
 * resumed campaign knows what is done and how wide its intervals are.
 */
int record_replay(struct campaign *c,
	void (*fn)(struct campaign *c, unsigned block, unsigned w, unsigned t, double primary, void *arg), void *arg,
	struct vt_err *err);

/* The workload's primary metric: the first one marked so. */
const struct metric_def *record_primary(const struct workload_ops *ops);

#endif
