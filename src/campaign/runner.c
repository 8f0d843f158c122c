/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running a campaign: rounds of blocks between set-up and tear-down (setup.c). A trial that fails is a row with a
 * reason, not the end of the campaign; only what makes every further trial meaningless ends it (the store cannot
 * be written, the testbed is gone, the user said stop).
 */
#include "campaign/record.h"
#include "campaign/run.h"
#include "campaign/schedule.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "stats/paired.h"

#include <math.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static size_t cells_that_run(const struct campaign *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nworkloads * c->ntechniques; i++)
		n += c->cells[i].not_run == NULL;
	return n;
}

/* Wall time of one trial: as seen so far, or the plan's guess before the first. */
static uint64_t trial_ns(const struct run *run)
{
	size_t cells = cells_that_run(run->c);

	if (run->trials)
		return run->trials_ns / run->trials;
	return cells ? campaign_estimate_ns(run->c, 1) / cells : 0;
}

/* How many rounds there will be, when the budget is spent at the pace seen so far. */
static void replan_rounds(struct run *run, unsigned round)
{
	const struct plan *p = &run->c->plan;
	uint64_t round_ns = cells_that_run(run->c) * trial_ns(run);
	uint64_t elapsed = clock_now_ns() - run->started_ns;
	uint64_t more;

	run->rounds = p->target > 0 || p->time_budget_ns ? p->blocks_max : p->blocks_min;
	if (p->time_budget_ns == 0 || round_ns == 0)
		return;
	more = elapsed < p->time_budget_ns ? (p->time_budget_ns - elapsed) / round_ns : 0;
	if (round + more < run->rounds)
		run->rounds = round + (unsigned)more;
	if (run->rounds < 1)
		run->rounds = 1;
}

static unsigned missing_trials(const struct run *run, unsigned upto)
{
	const struct campaign *c = run->c;
	unsigned n = 0;

	for (unsigned b = 0; b < upto; b++)
		for (size_t w = 0; w < c->nworkloads; w++)
			for (size_t t = 0; t < c->ntechniques; t++)
				n += !c->cells[w * c->ntechniques + t].not_run && !run->done[record_index(c, b, w, t)];
	return n;
}

static struct campaign_status status_of(const struct run *run, unsigned round, unsigned w, unsigned t)
{
	const struct campaign *c = run->c;

	return (struct campaign_status){
		.campaign = c,
		.round = round,
		.rounds_max = run->rounds,
		.trials_done = run->trials,
		.elapsed_ns = clock_now_ns() - run->started_ns,
		.left_ns = missing_trials(run, run->rounds > round ? run->rounds : round + 1) * trial_ns(run),
		.workload = c->workloads[w].text,
		.technique = c->techniques[t].label,
	};
}

/* Every interval narrow enough? Cells that do not run, and the baseline, have none. */
static bool target_reached(const struct run *run, unsigned rounds)
{
	const struct campaign *c = run->c;
	_cleanup_free_ double *base = xcalloc(rounds, sizeof *base);
	_cleanup_free_ double *x = xcalloc(rounds, sizeof *x);

	for (size_t w = 0; w < c->nworkloads; w++)
		for (size_t t = 0; t < c->ntechniques; t++) {
			struct overhead o;

			if (t == c->baseline || c->cells[w * c->ntechniques + t].not_run)
				continue;
			for (unsigned b = 0; b < rounds; b++) {
				base[b] = run->primary[record_index(c, b, w, c->baseline)];
				x[b] = run->primary[record_index(c, b, w, t)];
			}
			overhead_paired(&o, base, x, rounds, record_primary(c->workloads[w].ops)->higher_is_better);
			if (!(o.n >= 2 && (o.hi - o.lo) / 2 <= c->plan.target))
				return false;
		}
	return true;
}

/* On interval width, the time budget or the number of blocks; never on significance. */
static bool should_stop(struct run *run, unsigned round)
{
	const struct plan *p = &run->c->plan;

	replan_rounds(run, round);
	if (round >= p->blocks_max || round >= run->rounds)
		return true;
	return round >= p->blocks_min && p->target > 0 && target_reached(run, round);
}

static void give_up_cell(struct run *run, unsigned w, unsigned t, const char *reason)
{
	struct campaign *c = run->c;
	struct campaign_cell *cell = &c->cells[w * c->ntechniques + t];
	_cleanup_free_ char *text = NULL;

	if (cell->not_run)
		return;
	cell->not_run = xasprintf("failed %d times in a row, last: %s", CAMPAIGN_FAILURES_MAX, reason);
	text = xasprintf("%s in %s is given up: %s", c->workloads[w].text, c->techniques[t].label, cell->not_run);
	warn(run, text);
	record_cell(c, w, t, NULL);
}

static void note_outcome(struct run *run, unsigned round, unsigned w, unsigned t, const struct trial_result *r,
	const char *failure)
{
	struct campaign *c = run->c;
	struct campaign_cell *cell = &c->cells[w * c->ntechniques + t];
	size_t i = record_index(c, round, w, t);

	run->done[i] = 1;
	if (!failure && r->ngates == 0) {
		run->primary[i] = trial_metric_get(r, record_primary(c->workloads[w].ops)->name);
		cell->valid++;
	} else {
		cell->invalid++;
	}
	cell->failures = failure ? cell->failures + 1 : 0;
	if (cell->failures >= CAMPAIGN_FAILURES_MAX)
		give_up_cell(run, w, t, failure);
}

static void tell_end(const struct run *run, unsigned round, unsigned w, unsigned t, const struct trial_result *r,
	const char *failure)
{
	struct campaign_status s = status_of(run, round, w, t);

	if (!run->events->trial_end)
		return;
	s.primary = record_primary(run->c->workloads[w].ops);
	s.value = failure ? NAN : trial_metric_get(r, s.primary->name);
	s.valid = !failure && r->ngates == 0;
	s.reason = failure ? failure : r->ngates ? r->gates[0].reason : NULL;
	run->events->trial_end(run->events->arg, &s);
}

static int one_trial(struct run *run, unsigned round, unsigned position, unsigned w, unsigned t)
{
	struct campaign *c = run->c;
	struct trial_spec spec = {
		.tb = &c->testbed,
		.payload = &c->payload,
		.workload = &c->workloads[w],
		.technique = &c->techniques[t],
		.agent = c->payload.agent,
		.duration_ns = c->plan.duration_ns,
		.warmup_ns = c->plan.warmup_ns,
		.start_timeout_ns = c->plan.start_timeout_ns,
		.describe = !run->described[t],
		.cancel = run->cancel,
	};
	struct record_trial row = { .block = round, .position = position, .workload = w, .technique = t };
	_cleanup_free_ struct trial_result *r = xcalloc(1, sizeof *r);
	struct trial_info info = { 0 };
	struct vt_err why = { 0 };
	char started_at[CLOCK_ISO_LEN];
	uint64_t begin = clock_now_ns();
	int n, stored;

	clock_iso_utc(started_at);
	row.started_at = started_at;
	row.sequence = c->next_sequence;
	n = trial_run(&spec, r, &info, &why);
	if (n == 0) {
		gates_cpu_metrics(r, &info);
		gates_check(r, &info, &c->testbed, spec.workload, &run->gates);
		run->described[t] = true;
	}
	if (n < 0 && (cancelled(run) || is_fatal(n))) {
		trial_result_release(r);
		trial_info_release(&info);
		*run->err = why;
		return cancelled(run) ? -EINTR : n;
	}
	vt_err_sanitize(&why);
	row.failure = n < 0 ? why.msg : NULL;
	row.duration_s = (double)(clock_now_ns() - begin) / 1e9;
	if (info.begin.taken && info.end.taken)
		row.measured_s = (double)(info.end.host.at_ns - info.begin.host.at_ns) / 1e9;
	stored = record_trial(c, &row, r, &info, run->err);
	if (stored == 0) {
		c->next_sequence++;
		run->trials++;
		run->trials_ns += clock_now_ns() - begin;
		run->measuring_s += row.measured_s;
		note_outcome(run, round, w, t, r, row.failure);
		tell_end(run, round, w, t, r, row.failure);
	}
	trial_result_release(r);
	trial_info_release(&info);
	return stored;
}

static int block(struct run *run, unsigned round, unsigned w)
{
	struct campaign *c = run->c;
	_cleanup_free_ unsigned *order = xcalloc(c->ntechniques, sizeof *order);

	schedule_techniques(c->seed, round, w, order, c->ntechniques);
	for (unsigned i = 0; i < c->ntechniques; i++) {
		unsigned t = order[i];
		int r;

		if (c->cells[w * c->ntechniques + t].not_run || run->done[record_index(c, round, w, t)])
			continue;
		if (cancelled(run))
			return -EINTR;
		if (run->events->trial_begin) {
			struct campaign_status s = status_of(run, round, w, t);

			run->events->trial_begin(run->events->arg, &s);
		}
		r = one_trial(run, round, i, w, t);
		if (r < 0)
			return r;
	}
	return 0;
}

static int save_progress(struct run *run, bool complete)
{
	const struct campaign *c = run->c;
	double wall = (double)(clock_now_ns() - run->started_ns) / 1e9;

	return store_campaign_progress(c->store, c->earlier_wall_s + wall,
		c->earlier_measuring_s + run->measuring_s, complete, run->err);
}

static int rounds(struct run *run)
{
	struct campaign *c = run->c;
	_cleanup_free_ unsigned *order = xcalloc(c->nworkloads, sizeof *order);

	for (unsigned round = 0; !should_stop(run, round); round++) {
		schedule_workloads(c->seed, round, order, c->nworkloads);
		for (size_t i = 0; i < c->nworkloads; i++) {
			int r = block(run, round, order[i]);

			if (r < 0)
				return r;
		}
		if (save_progress(run, false) < 0)
			return run->err->code;
	}
	return 0;
}

static void replay(struct campaign *c, unsigned block_, unsigned w, unsigned t, double primary, void *arg)
{
	struct run *run = arg;
	struct campaign_cell *cell = &c->cells[w * c->ntechniques + t];
	size_t i = record_index(c, block_, w, t);

	run->done[i] = 1;
	run->primary[i] = primary;
	if (isnan(primary))
		cell->invalid++;
	else
		cell->valid++;
}

/* "20261120-050911-3f2a": sorts by time, and short enough for names of namespaces and cgroups. */
static void make_id(char *id, size_t size)
{
	unsigned char salt[2] = { 0 };
	time_t now = time(NULL);
	char stamp[20];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm);
	if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt)
		salt[0] = (unsigned char)getpid();
	snprintf(id, size, "%s-%02x%02x", stamp, salt[0], salt[1]);
}

static int open_store(struct run *run, const char *dir)
{
	struct campaign *c = run->c;
	_cleanup_free_ char *db = NULL;

	if (c->store)
		return 0;
	make_id(c->id, sizeof c->id);
	c->dir = dir ? xstrdup(dir) : xasprintf("vtax-results/%s", c->id);
	db = xasprintf("%s/results.db", c->dir);
	if (access(db, F_OK) == 0)
		return vt_usage(run->err, "'%s' already holds a campaign: choose another folder, or 'vtax resume %s'", c->dir,
			c->dir);
	return store_open(&c->store, c->dir, true, run->err);
}

/* Nothing was measured: leave no empty results folder behind. Only files of ours are removed. */
static void drop_empty_results(struct campaign *c, bool keep_parent)
{
	_cleanup_free_ char *db = xasprintf("%s/results.db", c->dir);

	unlink(db);
	rmdir(c->dir);
	if (!keep_parent)
		rmdir("vtax-results");
}

static int run_all(struct run *run)
{
	struct campaign *c = run->c;
	size_t n = (size_t)c->plan.blocks_max * c->nworkloads * c->ntechniques;
	int r;

	run->done = xcalloc(n, 1);
	run->primary = xcalloc(n, sizeof *run->primary);
	for (size_t i = 0; i < n; i++)
		run->primary[i] = NAN;
	r = record_replay(c, replay, run, run->err);
	if (r < 0)
		return r;
	r = run_set_up(run);
	if (r == 0) {
		run_warn_if_busy(run);
		r = rounds(run);
	}
	return r;
}

int campaign_run(struct campaign *c, const char *dir, const struct campaign_events *events,
	const volatile int *cancel, struct vt_err *err)
{
	struct vt_err local = { 0 };
	struct run run = {
		.c = c,
		.events = events,
		.gates = gate_limits_of(&c->plan),
		.cancel = cancel,
		.err = err ? err : &local,
		.started_ns = clock_now_ns(),
		.prepared = xcalloc(c->ntechniques, sizeof(bool)),
		.described = xcalloc(c->ntechniques, sizeof(bool)),
	};
	bool existed = c->id[0] != '\0';
	bool parent = access("vtax-results", F_OK) == 0;
	int r, undone;

	c->testbed = (struct testbed){ .client.ns = NETNS_INIT, .sut.ns = NETNS_INIT };
	if (geteuid() != 0) {
		free(run.prepared);
		free(run.described);
		return vt_fail(err, -EPERM, "vtax must be root to make network namespaces and cgroups: try 'sudo vtax run'");
	}
	run_undo_leftovers(&run);
	r = open_store(&run, dir);
	if (r == 0)
		r = run_all(&run);
	if (r == -EINTR || (r < 0 && cancelled(&run)))
		r = vt_fail(run.err, -EINTR, "interrupted");
	undone = run_tear_down(&run);
	if (c->store) {
		if (c->next_sequence > 0 && save_progress(&run, r == 0) < 0 && r == 0)
			r = run.err->code;
		store_close(c->store);
		c->store = NULL;
		if (c->next_sequence == 0 && !existed)
			drop_empty_results(c, parent);
	}
	free(run.done);
	free(run.primary);
	free(run.prepared);
	free(run.described);
	return r < 0 ? r : undone;
}

static int load(struct campaign *c, const char *dir, const char *agent, struct vt_err *err)
{
	struct store_campaign sc = { 0 };
	struct plan plan;
	int r;

	r = store_campaign_get(c->store, &sc, err);
	if (r < 0)
		return r;
	if (sc.complete)
		return vt_usage(err, "campaign '%s' is complete: nothing to resume ('vtax report %s' shows it)", sc.id, dir);
	r = plan_from_json(&plan, sc.plan, err);
	if (r < 0)
		return r;
	struct store *s = c->store;

	r = campaign_init(c, &plan, sc.seed, agent, err);
	c->store = s;
	if (r < 0)
		return r;
	snprintf(c->id, sizeof c->id, "%s", sc.id);
	c->dir = xstrdup(dir);
	c->earlier_wall_s = sc.wall_s;
	c->earlier_measuring_s = sc.measuring_s;
	return 0;
}

int campaign_resume(struct campaign *c, const char *dir, const char *agent, struct vt_err *err)
{
	int r;

	*c = (struct campaign){ 0 };
	r = store_open(&c->store, dir, false, err);
	if (r < 0)
		return r;
	r = load(c, dir, agent, err);
	if (r < 0) {
		store_close(c->store);
		c->store = NULL;
		campaign_release(c);
	}
	return r;
}
