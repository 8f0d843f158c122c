/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading: everything but the histograms comes into memory once (a campaign of a thousand trials is a few
 * megabytes), and the contrasts are computed once, so that no two outputs can disagree. The file may come
 * from anywhere: a trial that points outside the plan is an error, not an index.
 */
#include "report/report.h"

#include "base/cleanup.h"
#include "base/suggest.h"
#include "base/xalloc.h"
#include "report/model.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#define MARGIN_DEFAULT 0.03

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

/* Room for one more of *n elements; the arrays grow by doubling and never shrink. */
static void *grow(void *array, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 16;
	return xrealloc(array, *cap * size);
}

struct loader {
	struct report *r;
	size_t cap; /* of the array being filled */
	struct vt_err *err;
};

static int load_cell(void *arg, const struct store_cell *c)
{
	struct loader *l = arg;
	struct report *r = l->r;

	r->cells = grow(r->cells, r->ncells, &l->cap, sizeof *r->cells);
	r->cells[r->ncells++] = (struct store_cell){
		.workload = c->workload,
		.technique = c->technique,
		.workload_text = copy(c->workload_text),
		.workload_name = copy(c->workload_name),
		.params = copy(c->params),
		.technique_label = copy(c->technique_label),
		.technique_text = copy(c->technique_text),
		.not_run = copy(c->not_run),
	};
	return 0;
}

static int load_def(void *arg, const struct store_metric_def *m)
{
	struct loader *l = arg;
	struct report *r = l->r;

	r->metrics = grow(r->metrics, r->nmetrics, &l->cap, sizeof *r->metrics);
	r->metrics[r->nmetrics++] = (struct store_metric_def){
		.workload_name = copy(m->workload_name),
		.name = copy(m->name),
		.unit = copy(m->unit),
		.summary = copy(m->summary),
		.higher_is_better = m->higher_is_better,
		.primary = m->primary,
	};
	return 0;
}

static int load_metric(void *arg, const char *name, double value)
{
	struct report_trial *t = arg;

	t->metrics = grow(t->metrics, t->nmetrics, &t->metrics_cap, sizeof *t->metrics);
	t->metrics[t->nmetrics++] = (struct report_value){ .name = xstrdup(name), .value = value };
	return 0;
}

static int load_gate(void *arg, const char *name, const char *reason)
{
	struct report_trial *t = arg;

	t->gates = grow(t->gates, t->ngates, &t->gates_cap, sizeof *t->gates);
	t->gates[t->ngates++] = (struct report_gate){ .name = xstrdup(name), .reason = xstrdup(reason) };
	return 0;
}

static const struct store_cell *find_cell(const struct report *r, unsigned workload, unsigned technique)
{
	for (size_t i = 0; i < r->ncells; i++) {
		if (r->cells[i].workload == workload && r->cells[i].technique == technique)
			return &r->cells[i];
	}
	return NULL;
}

static int load_trial(void *arg, const struct store_trial *src)
{
	struct loader *l = arg;
	struct report *r = l->r;
	const struct store_cell *cell = find_cell(r, src->workload, src->technique);
	struct report_trial *t;
	int res;

	if (!cell)
		return vt_fail(l->err, -EBADMSG,
			"results in '%s' are damaged: trial %u is of no cell of the plan",
			store_dir(r->store), src->sequence);
	r->trials = grow(r->trials, r->ntrials, &l->cap, sizeof *r->trials);
	t = &r->trials[r->ntrials++];
	*t = (struct report_trial){ .t = *src, .cell = cell };
	t->t.reason = copy(src->reason);
	t->t.applied = copy(src->applied);
	r->ninvalid += !t->t.valid;
	res = store_each_metric(r->store, t->t.id, load_metric, t, l->err);
	return res < 0 ? res : store_each_gate(r->store, t->t.id, load_gate, t, l->err);
}

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

/* Block numbers need not be dense (they are from a file), so blocks are known by their rank. */
static void index_blocks(struct report *r)
{
	size_t n = 0;

	r->blocks = xcalloc(r->ntrials + 1, sizeof *r->blocks);
	for (size_t i = 0; i < r->ntrials; i++)
		r->blocks[i] = r->trials[i].t.block;
	qsort(r->blocks, r->ntrials, sizeof *r->blocks, by_number);
	for (size_t i = 0; i < r->ntrials; i++) {
		if (n == 0 || r->blocks[n - 1] != r->blocks[i])
			r->blocks[n++] = r->blocks[i];
	}
	r->nblocks = n;
	r->by_block = xcalloc(r->ncells * n + 1, sizeof *r->by_block);
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct report_trial *t = &r->trials[i];
		unsigned *b = bsearch(&t->t.block, r->blocks, n, sizeof *b, by_number);

		if (t->t.valid)
			r->by_block[(size_t)(t->cell - r->cells) * n + (size_t)(b - r->blocks)] = t;
	}
}

static int find_baseline(struct report *r, const char *wanted, struct vt_err *err)
{
	const char *name = wanted ? wanted : *r->campaign.baseline ? r->campaign.baseline : "native";
	_cleanup_free_ const char **labels = xcalloc(r->ncells + 1, sizeof *labels);
	const char *nearest;

	r->baseline_technique = UINT_MAX;
	snprintf(r->baseline, sizeof r->baseline, "%s", name);
	for (size_t i = 0; i < r->ncells; i++) {
		labels[i] = r->cells[i].technique_label;
		if (strcmp(labels[i], name) == 0) {
			r->baseline_technique = r->cells[i].technique;
			return 0;
		}
	}
	for (size_t i = 0; i < r->ncells; i++) {
		if (strcmp(r->cells[i].technique_text, name) == 0) {
			r->baseline_technique = r->cells[i].technique;
			snprintf(r->baseline, sizeof r->baseline, "%s", labels[i]);
			return 0;
		}
	}
	if (!wanted)
		return 0; /* a campaign without its baseline still has values */
	nearest = suggest_nearest(name, labels, r->ncells);
	if (nearest)
		return vt_usage(err, "no technique '%s' in this campaign: did you mean '%s'?", name, nearest);
	return vt_usage(err, "no technique '%s' in this campaign", name);
}

int report_load(struct report *r, struct store *s, const struct report_options *o, struct vt_err *err)
{
	struct report out = { .store = s, .margin = o && o->margin > 0 ? o->margin : MARGIN_DEFAULT };
	struct loader cells = { &out, 0, err }, defs = { &out, 0, err }, trials = { &out, 0, err };
	int res = store_campaign_get(s, &out.campaign, err);

	if (res == 0)
		res = store_each_cell(s, load_cell, &cells, err);
	if (res == 0)
		res = store_each_metric_def(s, load_def, &defs, err);
	if (res == 0)
		res = store_each_trial(s, load_trial, &trials, err);
	if (res == 0)
		res = find_baseline(&out, o ? o->baseline : NULL, err);
	if (res < 0) {
		report_release(&out);
		return res;
	}
	index_blocks(&out);
	report_contrast(&out);
	*r = out;
	return 0;
}

static void trial_release(struct report_trial *t)
{
	for (size_t i = 0; i < t->nmetrics; i++)
		free(t->metrics[i].name);
	for (size_t i = 0; i < t->ngates; i++) {
		free(t->gates[i].name);
		free(t->gates[i].reason);
	}
	free(t->metrics);
	free(t->gates);
	free(t->t.reason);
	free(t->t.applied);
}

void report_release(struct report *r)
{
	for (size_t i = 0; i < r->nrows; i++)
		free(r->rows[i].per_block);
	for (size_t i = 0; i < r->ntrials; i++)
		trial_release(&r->trials[i]);
	for (size_t i = 0; i < r->nmetrics; i++) {
		struct store_metric_def *m = &r->metrics[i];

		free(m->workload_name);
		free(m->name);
		free(m->unit);
		free(m->summary);
	}
	for (size_t i = 0; i < r->ncells; i++) {
		struct store_cell *c = &r->cells[i];

		free(c->workload_text);
		free(c->workload_name);
		free(c->params);
		free(c->technique_label);
		free(c->technique_text);
		free(c->not_run);
	}
	free(r->rows);
	free(r->trials);
	free(r->metrics);
	free(r->cells);
	free(r->blocks);
	free(r->by_block);
	strvec_release(&r->texts);
	*r = (struct report){ 0 };
}
