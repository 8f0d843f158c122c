/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From texts to something that can run: parse, match techniques with workloads by capability, probe the
 * machine. Nothing here changes the host. Running is in runner.c, the stored form in record.c.
 */
#include "campaign/campaign.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"

#include <dirent.h>
#include <string.h>

#define START_GUESS_NS (150 * NS_PER_MS) /* per trial, until trials have shown their own */

static int parse_workloads(struct campaign *c, struct vt_err *err)
{
	c->workloads = xcalloc(c->plan.workloads.n, sizeof *c->workloads);
	for (size_t i = 0; i < c->plan.workloads.n; i++) {
		int r = workload_parse(&c->workloads[i], c->plan.workloads.v[i], err);

		if (r < 0)
			return r;
		c->nworkloads++;
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->workloads[k].text, c->workloads[i].text) == 0)
				return vt_usage(err, "workload '%s' is in the plan twice", c->workloads[i].text);
	}
	return 0;
}

static int parse_techniques(struct campaign *c, struct vt_err *err)
{
	c->techniques = xcalloc(c->plan.techniques.n, sizeof *c->techniques);
	for (size_t i = 0; i < c->plan.techniques.n; i++) {
		int r = technique_parse(&c->techniques[i], c->plan.techniques.v[i], err);

		if (r < 0)
			return r;
		c->ntechniques++;
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->techniques[k].label, c->techniques[i].label) == 0)
				return vt_usage(err, "two techniques are called '%s': tell them apart with label=TEXT",
					c->techniques[i].label);
	}
	return 0;
}

static bool has_technique(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->techniques.n; i++) {
		struct technique t = { 0 };
		bool same = strcmp(p->techniques.v[i], name) == 0;

		if (!same && technique_parse(&t, p->techniques.v[i], NULL) == 0)
			same = strcmp(t.label, name) == 0;
		technique_release(&t);
		if (same)
			return true;
	}
	return false;
}

/* Without its baseline a block has nothing to be compared with: a plan that lacks it gets it, in front. */
static void add_baseline(struct plan *p)
{
	const char *name = p->baseline ? p->baseline : "native";
	struct strvec with = STRVEC_INIT;

	if (has_technique(p, name))
		return;
	strvec_push(&with, name);
	for (size_t i = 0; i < p->techniques.n; i++)
		strvec_push(&with, p->techniques.v[i]);
	strvec_release(&p->techniques);
	p->techniques = with;
}

static size_t find_baseline(const struct campaign *c)
{
	const char *name = c->plan.baseline ? c->plan.baseline : "native";

	for (size_t i = 0; i < c->ntechniques; i++)
		if (strcmp(c->techniques[i].label, name) == 0 || strcmp(c->techniques[i].text, name) == 0)
			return i;
	return 0;
}

static void mark_not_run(struct campaign *c, size_t w, size_t t, const char *reason)
{
	struct campaign_cell *cell = &c->cells[w * c->ntechniques + t];

	if (!cell->not_run)
		cell->not_run = xstrdup(reason);
}

/* The bits of enum workload_need and enum technique_cap mean the same. */
static const char *missing_capability(unsigned needs, unsigned caps)
{
	unsigned lack = needs & ~caps;

	if (lack & TECH_AGENT)
		return "the technique cannot run the agent";
	if (lack & TECH_ICMP)
		return "ICMP to its address is answered by the host, not by the environment";
	if (lack & TECH_UDP)
		return "UDP ports of the environment cannot be reached";
	if (lack & TECH_TCP)
		return "TCP ports of the environment cannot be reached";
	return NULL;
}

static void match(struct campaign *c)
{
	for (size_t w = 0; w < c->nworkloads; w++)
		for (size_t t = 0; t < c->ntechniques; t++) {
			const char *lack = missing_capability(c->workloads[w].ops->needs,
				technique_caps(&c->techniques[t]));

			if (lack)
				mark_not_run(c, w, t, lack);
		}
}

static int probe(struct campaign *c, struct vt_err *err)
{
	for (size_t t = 0; t < c->ntechniques; t++) {
		_cleanup_buf_ struct buf detail = BUF_INIT(4096);
		struct vt_err why = { 0 };
		int r = technique_probe(&c->techniques[t], &detail, &why);

		if (r == 0)
			continue;
		if (t == c->baseline) {
			if (err)
				*err = why;
			return vt_wrap(err, "the baseline '%s' cannot run here", c->techniques[t].label);
		}
		for (size_t w = 0; w < c->nworkloads; w++)
			mark_not_run(c, w, t, why.msg);
	}
	return 0;
}

static int init(struct campaign *c, struct vt_err *err)
{
	int r;

	r = plan_check(&c->plan, err);
	if (r < 0)
		return r;
	add_baseline(&c->plan);
	r = parse_workloads(c, err);
	if (r < 0)
		return r;
	r = parse_techniques(c, err);
	if (r < 0)
		return r;
	c->baseline = find_baseline(c);
	c->cells = xcalloc(c->nworkloads * c->ntechniques, sizeof *c->cells);
	match(c);
	return probe(c, err);
}

int campaign_init(struct campaign *c, struct plan *plan, uint64_t seed, const char *agent, struct vt_err *err)
{
	int r;

	*c = (struct campaign){ .plan = *plan, .seed = seed, .agent = xstrdup(agent) };
	*plan = (struct plan){ 0 };
	r = init(c, err);
	if (r < 0)
		campaign_release(c);
	return r;
}

void campaign_release(struct campaign *c)
{
	for (size_t i = 0; i < c->nworkloads; i++)
		workload_release(&c->workloads[i]);
	for (size_t i = 0; i < c->ntechniques; i++)
		technique_release(&c->techniques[i]);
	if (c->cells)
		for (size_t i = 0; i < c->nworkloads * c->ntechniques; i++)
			free(c->cells[i].not_run);
	free(c->workloads);
	free(c->techniques);
	free(c->cells);
	free(c->agent);
	free(c->dir);
	plan_release(&c->plan);
	store_close(c->store);
	*c = (struct campaign){ 0 };
}

static size_t runnable_cells(const struct campaign *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nworkloads * c->ntechniques; i++)
		n += c->cells[i].not_run == NULL;
	return n;
}

uint64_t campaign_estimate_ns(const struct campaign *c, unsigned rounds)
{
	if (rounds == 0)
		rounds = campaign_planned_rounds(c);
	return rounds * runnable_cells(c) * (c->plan.duration_ns + c->plan.warmup_ns + START_GUESS_NS);
}

unsigned campaign_planned_rounds(const struct campaign *c)
{
	uint64_t round = runnable_cells(c) * (c->plan.duration_ns + c->plan.warmup_ns + START_GUESS_NS);
	uint64_t fit;

	if (c->plan.time_budget_ns == 0 || round == 0)
		return c->plan.target > 0 ? c->plan.blocks_max : c->plan.blocks_min;
	fit = c->plan.time_budget_ns / round;
	if (fit < 1)
		fit = 1;
	return fit < c->plan.blocks_max ? (unsigned)fit : c->plan.blocks_max;
}

static int newest(char **dir, struct vt_err *err)
{
	struct dirent **list;
	int n = scandir("vtax-results", &list, NULL, alphasort);
	char *found = NULL;

	for (int i = n - 1; i >= 0; i--) {
		_cleanup_free_ char *db = xasprintf("vtax-results/%s/results.db", list[i]->d_name);

		if (!found && access(db, F_OK) == 0)
			found = xasprintf("vtax-results/%s", list[i]->d_name);
	}
	for (int i = 0; i < n; i++)
		free(list[i]);
	if (n >= 0)
		free(list);
	if (!found)
		return vt_usage(err, "no campaign in './vtax-results': name a results folder, or run one with 'vtax run'");
	*dir = found;
	return 0;
}

int campaign_find_dir(const char *name, char **dir, struct vt_err *err)
{
	_cleanup_free_ char *here = NULL, *below = NULL;

	if (!name)
		return newest(dir, err);
	here = xasprintf("%s/results.db", name);
	if (access(here, F_OK) == 0) {
		*dir = xstrdup(name);
		return 0;
	}
	below = xasprintf("vtax-results/%s/results.db", name);
	if (access(below, F_OK) == 0) {
		*dir = xasprintf("vtax-results/%s", name);
		return 0;
	}
	return vt_usage(err, "no campaign in '%s' nor in './vtax-results/%s': there is no results.db", name, name);
}
