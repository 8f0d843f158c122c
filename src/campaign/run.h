/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to src/campaign: the state of a campaign while it runs, shared by runner.c and setup.c. */
#ifndef VTAX_CAMPAIGN_RUN_H
#define VTAX_CAMPAIGN_RUN_H

#include "campaign/campaign.h"
#include "campaign/gates.h"

#include <errno.h>

struct run {
	struct campaign *c;
	const struct campaign_events *events;
	struct gate_limits gates;
	const volatile int *cancel;
	struct vt_err *err;
	unsigned char *done; /* by record_index() */
	double *primary;     /* likewise; NaN where missing or invalid */
	bool *prepared, *described; /* by technique */
	uint64_t started_ns, trials_ns; /* trials_ns: spent in this run's trials */
	double measuring_s;
	unsigned trials; /* of this run */
	unsigned rounds; /* planned, as known so far */
};

static inline void stage(const struct run *run, const char *what)
{
	if (run->events->stage)
		run->events->stage(run->events->arg, what);
}

static inline void warn(const struct run *run, const char *text)
{
	if (run->events->warn)
		run->events->warn(run->events->arg, text);
}

static inline bool cancelled(const struct run *run)
{
	return run->cancel && *run->cancel;
}

/* Is the failure one that all further trials would share? */
static inline bool is_fatal(int code)
{
	return code == -ENOSPC || code == -EROFS;
}

/* Journal, payload, testbed, techniques, and the plan in the store. -EINTR when cancelled. */
int run_set_up(struct run *run);

/* Undoes all of it, also half of it. The error is told as a warning and returned. */
int run_tear_down(struct run *run);

/* Warns when the machine is too busy for trials to be valid. */
void run_warn_if_busy(struct run *run);

/* Undoes what killed runs left: it would be in our way. What cannot be undone is told; the run may still work. */
void run_undo_leftovers(struct run *run);

#endif
