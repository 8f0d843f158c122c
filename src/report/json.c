/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vtax.report/1, as docs/json-schema.md and docs/report.schema.json say. Numbers are SI base units; what does
 * not exist is null, so that a reader never meets NaN, which JSON has not.
 */
#include "report/report.h"

#include "report/compare.h"
#include "report/model.h"
#include "report/text.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

/* jansson refuses text that is not UTF-8; the report must not fail for it. */
static json_t *string(const char *s)
{
	json_t *j = json_string(s ? s : "");
	_cleanup_buf_ struct buf clean = BUF_INIT(1 << 20);

	if (j)
		return j;
	text_plain(&clean, s);
	return json_string(buf_str(&clean));
}

/* An object from its stored text; anything else becomes {}. */
static json_t *object(const char *text)
{
	json_t *j = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (json_is_object(j))
		return j;
	json_decref(j);
	return json_object();
}

static json_t *campaign(const struct report *r)
{
	const struct store_campaign *c = &r->campaign;
	json_t *j = json_object();

	json_object_set_new(j, "id", string(c->id));
	json_object_set_new(j, "suite", string(c->suite));
	/* A 64-bit seed past 2^63 has no jansson integer: it goes as the same bits would, through a string.
	 */
	if (c->seed <= INT64_MAX)
		json_object_set_new(j, "seed", json_integer((json_int_t)c->seed));
	else
		json_object_set_new(j, "seed", json_sprintf("%llu", (unsigned long long)c->seed));
	json_object_set_new(j, "started_at", string(c->started_at));
	json_object_set_new(j, "wall_s", number(c->wall_s));
	json_object_set_new(j, "measuring_s", number(c->measuring_s));
	json_object_set_new(j, "complete", json_boolean(c->complete));
	return j;
}

/* [lo, hi] of ratios whose logarithms are given; null without an interval. */
static json_t *ratio_interval(const struct comparison *pair)
{
	json_t *j;

	if (isnan(pair->lo))
		return json_null();
	j = json_array();
	json_array_append_new(j, number(exp(pair->lo)));
	json_array_append_new(j, number(exp(pair->hi)));
	return j;
}

static json_t *pairs(const struct report_comparison *c)
{
	json_t *all = json_array();

	for (size_t i = 0; c->tukey && i < COMPARISONS(c->n); i++) {
		const struct comparison *t = &c->tukey[i], *g = &c->games_howell[i];
		json_t *j = json_object(), *other = json_object();

		json_object_set_new(j, "a", string(c->cells[t->a]->technique_label));
		json_object_set_new(j, "b", string(c->cells[t->b]->technique_label));
		json_object_set_new(j, "ratio", number(exp(t->diff)));
		json_object_set_new(j, "ratio_ci95", ratio_interval(t));
		json_object_set_new(j, "p", number(t->p));
		json_object_set_new(other, "ratio_ci95", ratio_interval(g));
		json_object_set_new(other, "p", number(g->p));
		json_object_set_new(j, "games_howell", other);
		json_array_append_new(all, j);
	}
	return all;
}

static json_t *labels(const struct store_cell *const *cells, size_t n)
{
	json_t *j = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(j, string(cells[i]->technique_label));
	return j;
}

static json_t *comparison(const struct report *r, size_t first_cell)
{
	_cleanup_comparison_ struct report_comparison c = { 0 };
	json_t *j = json_object(), *anova = json_null(), *kruskal = json_null();

	report_compare(&c, r, first_cell);
	if (c.tukey) {
		anova = json_object();
		json_object_set_new(anova, "f", number(c.anova.treatment.f));
		json_object_set_new(anova, "df", number(c.anova.treatment.df));
		json_object_set_new(anova, "df_error", number(c.anova.error_df));
		json_object_set_new(anova, "p", number(c.anova.treatment.p));
		kruskal = json_object();
		json_object_set_new(kruskal, "h", number(c.kruskal.h));
		json_object_set_new(kruskal, "df", number(c.kruskal.df));
		json_object_set_new(kruskal, "p", number(c.kruskal.p));
	}
	json_object_set_new(j, "workload", string(r->cells[first_cell].workload_name));
	json_object_set_new(j, "params", object(r->cells[first_cell].params));
	json_object_set_new(j, "metric", c.metric ? string(c.metric->name) : json_null());
	json_object_set_new(j, "techniques", labels(c.cells, c.n));
	json_object_set_new(j, "left_out", labels(c.left_out, c.nleft));
	json_object_set_new(j, "blocks", json_integer((json_int_t)c.blocks));
	json_object_set_new(j, "anova", anova);
	json_object_set_new(j, "kruskal_wallis", kruskal);
	json_object_set_new(j, "pairs", pairs(&c));
	json_object_set_new(j, "reason", string(c.reason));
	return j;
}

static json_t *result(const struct report *r, const struct report_cell *row)
{
	json_t *j = json_object(), *ci = json_null();

	if (!isnan(row->overhead.lo)) {
		ci = json_array();
		json_array_append_new(ci, number(row->overhead.lo));
		json_array_append_new(ci, number(row->overhead.hi));
	}
	json_object_set_new(j, "workload", string(row->cell->workload_name));
	json_object_set_new(j, "params", object(row->cell->params));
	json_object_set_new(j, "technique", string(row->cell->technique_label));
	json_object_set_new(j, "metric", string(row->metric->name));
	json_object_set_new(j, "unit", string(row->metric->unit));
	json_object_set_new(j, "better", json_string(row->metric->higher_is_better ? "higher" : "lower"));
	json_object_set_new(j, "n", json_integer((json_int_t)row->values.n));
	json_object_set_new(j, "mean", number(row->values.mean));
	json_object_set_new(j, "sd", number(row->values.sd));
	json_object_set_new(j, "median", number(row->values.median));
	json_object_set_new(j, "min", number(row->values.min));
	json_object_set_new(j, "max", number(row->values.max));
	json_object_set_new(j, "baseline", string(r->baseline));
	json_object_set_new(j, "overhead", number(row->overhead.ratio));
	json_object_set_new(j, "overhead_ci95", ci);
	json_object_set_new(j, "verdict", json_string(verdict_name(row->verdict)));
	json_object_set_new(j, "reason", string(row->reason));
	return j;
}

static json_t *trial(const struct report_trial *t)
{
	json_t *j = json_object(), *metrics = json_object(), *gates = json_array();
	_cleanup_buf_ struct buf name = BUF_INIT(1 << 16);

	for (size_t i = 0; i < t->nmetrics; i++) {
		buf_clear(&name);
		text_plain(&name, t->metrics[i].name); /* a key must be UTF-8 as well */
		json_object_set_new(metrics, buf_str(&name), number(t->metrics[i].value));
	}
	for (size_t i = 0; i < t->ngates; i++) {
		json_t *g = json_object();

		json_object_set_new(g, "name", string(t->gates[i].name));
		json_object_set_new(g, "reason", string(t->gates[i].reason));
		json_array_append_new(gates, g);
	}
	json_object_set_new(j, "block", json_integer(t->t.block));
	json_object_set_new(j, "position", json_integer(t->t.position));
	json_object_set_new(j, "workload", string(t->cell->workload_name));
	json_object_set_new(j, "params", object(t->cell->params));
	json_object_set_new(j, "technique", string(t->cell->technique_label));
	json_object_set_new(j, "started_at", string(t->t.started_at));
	json_object_set_new(j, "duration_s", number(t->t.duration_s));
	json_object_set_new(j, "valid", json_boolean(t->t.valid));
	json_object_set_new(j, "reason", string(t->t.reason));
	json_object_set_new(j, "gates", gates);
	json_object_set_new(j, "metrics", metrics);
	return j;
}

static int dump(const char *data, size_t size, void *arg)
{
	return buf_add(arg, data, size) < 0 ? -1 : 0;
}

int report_json(const struct report *r, struct buf *out, struct vt_err *err)
{
	json_auto_t *root = json_object();
	json_t *results = json_array(), *comparisons = json_array(), *trials = json_array();

	for (size_t i = 0; i < r->nrows; i++)
		json_array_append_new(results, result(r, &r->rows[i]));
	for (size_t c = 0; c < r->ncells; c = report_next(r, c))
		json_array_append_new(comparisons, comparison(r, c));
	for (size_t i = 0; i < r->ntrials; i++)
		json_array_append_new(trials, trial(&r->trials[i]));
	json_object_set_new(root, "schema", json_string("vtax.report/1"));
	json_object_set_new(root, "campaign", campaign(r));
	json_object_set_new(root, "results", results);
	json_object_set_new(root, "comparisons", comparisons);
	json_object_set_new(root, "trials", trials);
	json_object_set_new(root, "fingerprint", object(r->campaign.fingerprint));
	/* 15 digits: more than any clock gives, and 0.1 stays 0.1. */
	if (json_dump_callback(root, dump, out, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) < 0 ||
		buf_puts(out, "\n") < 0)
		return vt_fail(err, -ENOBUFS, "the JSON report is larger than %zu bytes", out->max);
	return 0;
}
