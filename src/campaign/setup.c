/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Before the first trial and after the last: everything that a campaign makes on the host, and its undoing. */
#include "campaign/record.h"
#include "campaign/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"

void run_undo_leftovers(struct run *run)
{
	struct journal_clean done = { 0 };
	struct vt_err why = { 0 };

	if (journal_clean(&done, 0, NULL, &why) < 0 || done.failed)
		warn(run, why.msg);
	else if (done.undone)
		warn(run, "undid what a killed run had left behind");
}

static bool wanted(const struct campaign *c, size_t t)
{
	for (size_t w = 0; w < c->nworkloads; w++)
		if (!c->cells[w * c->ntechniques + t].not_run)
			return true;
	return false;
}

/* A technique that cannot be prepared does not run, and says why; without the baseline there is no campaign. */
static int prepare_techniques(struct run *run)
{
	struct campaign *c = run->c;

	for (size_t t = 0; t < c->ntechniques; t++) {
		_cleanup_free_ char *what = xasprintf("preparing %s", c->techniques[t].label);
		struct vt_err why = { 0 };
		int r;

		if (cancelled(run))
			return -EINTR;
		if (!wanted(c, t))
			continue;
		stage(run, what);
		r = technique_prepare(&c->techniques[t], &c->testbed, &c->payload, &why);
		if (r == 0) {
			run->prepared[t] = true;
			continue;
		}
		if (t == c->baseline || is_fatal(r)) {
			*run->err = why;
			return r;
		}
		vt_err_sanitize(&why);
		for (size_t w = 0; w < c->nworkloads; w++)
			if (!c->cells[w * c->ntechniques + t].not_run)
				c->cells[w * c->ntechniques + t].not_run = xstrdup(why.msg);
		_cleanup_free_ char *text = xasprintf("%s does not run: %s", c->techniques[t].label, why.msg);
		warn(run, text);
	}
	return 0;
}

int run_set_up(struct run *run)
{
	static const char *const no_programs[] = { NULL };
	struct campaign *c = run->c;
	struct testbed_config config = { .pin = c->plan.pin, .steer = c->plan.steer, .offload = c->plan.offload, .mtu = c->plan.mtu };
	int r;

	r = journal_create(&c->journal, c->id, run->err);
	if (r < 0)
		return r;
	stage(run, "building the payload");
	r = payload_get(&c->payload, c->agent, no_programs, false, run->err);
	if (r < 0)
		return r;
	stage(run, "making the testbed");
	r = testbed_create(&c->testbed, c->id, &config, c->journal, run->err);
	if (r < 0)
		return r;
	r = prepare_techniques(run);
	if (r < 0)
		return r;
	return record_plan(c, run->err);
}

/*
 * Before minutes are spent on it: is the machine quiet enough for its trials to be valid? Nothing of ours runs yet
 * but daemons that wait.
 */
#define QUIET_LOOK_NS (300 * NS_PER_MS)

void run_warn_if_busy(struct run *run)
{
	double limit = run->c->plan.max_other_load, busy;
	struct cpu_sample a, b;
	struct cpu_usage u;

	if (cpu_sample_read(&a, NULL) < 0)
		return;
	clock_sleep_until(clock_deadline_ns(QUIET_LOOK_NS));
	if (cpu_sample_read(&b, NULL) < 0)
		return;
	cpu_usage_between(&u, &a, &b);
	busy = u.wall_ns > 0 ? u.busy_ns / (u.wall_ns * b.ncpus) : 0;
	if (busy <= limit)
		return;
	_cleanup_free_ char *text = xasprintf("this machine is busy: other processes use %.0f %% of the CPUs, and trials with "
					      "more than %.0f %% are invalid: stop them, or allow more with --max-other-load",
		100 * busy, 100 * limit);
	warn(run, text);
}

int run_tear_down(struct run *run)
{
	struct campaign *c = run->c;
	struct vt_err why = { 0 };
	int r = 0;

	for (size_t t = c->ntechniques; t-- > 0;)
		if (run->prepared[t])
			technique_finish(&c->techniques[t], &c->testbed);
	testbed_release(&c->testbed);
	if (c->journal) {
		r = journal_finish(c->journal, &why);
		c->journal = NULL;
	}
	if (r < 0) {
		_cleanup_free_ char *text = xasprintf("not everything could be undone: %s ('vtax clean' tries again)",
			why.msg);
		warn(run, text);
	}
	return r;
}

