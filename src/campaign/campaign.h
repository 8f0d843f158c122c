/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A campaign: a plan carried out. It owns the journal, the testbed, the payload, the parsed techniques and
 * workloads, and the store; it runs rounds of blocks until the plan says stop, and tears everything down.
 *
 * It never prints: what happens is told through `struct campaign_events`.
 */
#ifndef VTAX_CAMPAIGN_CAMPAIGN_H
#define VTAX_CAMPAIGN_CAMPAIGN_H

#include "campaign/plan.h"
#include "campaign/trial.h"
#include "store/store.h"

#define CAMPAIGN_FAILURES_MAX 3 /* a cell that fails this often in a row is given up */

struct campaign_cell {
	char *not_run;	   /* why it does not run here; NULL when it does */
	unsigned failures; /* in a row */
	unsigned valid, invalid;
};

struct campaign {
	char id[32];  /* "20261120-050911-3f2a" */
	char *dir;    /* where results go */
	char *agent;  /* path of the agent on this host */
	uint64_t seed;
	struct plan plan;
	struct workload *workloads;
	size_t nworkloads;
	struct technique *techniques;
	size_t ntechniques;
	size_t baseline; /* index in techniques */
	struct campaign_cell *cells; /* [workload * ntechniques + technique] */
	double earlier_wall_s, earlier_measuring_s; /* of the runs that this one resumes */
	unsigned next_sequence;
	/* while running */
	struct journal *journal;
	struct testbed testbed;
	struct payload payload;
	struct store *store;
};

/* Where a campaign stands; given with every event. */
struct campaign_status {
	const struct campaign *campaign;
	unsigned round, rounds_max; /* round counts from 0 */
	unsigned trials_done;
	uint64_t elapsed_ns, left_ns; /* estimated */
	const char *workload, *technique; /* texts of the current trial */
	/* of the trial that ended */
	bool valid;
	const char *reason;
	const struct metric_def *primary;
	double value;
};

struct campaign_events {
	void *arg;
	void (*stage)(void *arg, const char *what); /* "building the payload", "starting docker:net=nat" */
	void (*trial_begin)(void *arg, const struct campaign_status *s);
	void (*trial_end)(void *arg, const struct campaign_status *s);
	void (*warn)(void *arg, const char *text);
};

/*
 * Parses the plan's texts, adds the baseline when the plan lacks it, refuses two techniques of one name, asks
 * every technique whether it can run here and every pair whether it fits. Takes the plan over (also on
 * failure). `agent` is the agent's path.
 */
int campaign_init(struct campaign *c, struct plan *plan, uint64_t seed, const char *agent, struct vt_err *err);
void campaign_release(struct campaign *c);

/* Expected wall time of all rounds (0 rounds: as many as the plan's minimum, or what its budget allows). */
uint64_t campaign_estimate_ns(const struct campaign *c, unsigned rounds);
unsigned campaign_planned_rounds(const struct campaign *c); /* by budget, minimum and maximum */

/*
 * Runs it into `dir` (NULL: ./vtax-results/ID). *cancel non-zero ends it cleanly after undoing the trial that
 * runs (-EINTR, everything finished is in the store).
 */
int campaign_run(struct campaign *c, const char *dir, const struct campaign_events *events,
	const volatile int *cancel, struct vt_err *err);

/* Loads a stored campaign, so that campaign_run() goes on with what is missing. -EALREADY when complete. */
int campaign_resume(struct campaign *c, const char *dir, const char *agent, struct vt_err *err);

/* A result directory by path or by campaign id (below ./vtax-results); NULL: the newest there. malloc'ed. */
int campaign_find_dir(const char *name, char **dir, struct vt_err *err);

#endif
