/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "campaign/record.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "host/fingerprint.h"

#include <math.h>
#include <string.h>

size_t record_index(const struct campaign *c, unsigned round, size_t workload, size_t technique)
{
	return ((size_t)round * c->nworkloads + workload) * c->ntechniques + technique;
}

const struct metric_def *record_primary(const struct workload_ops *ops)
{
	for (const struct metric_def *m = ops->metrics; m->name; m++)
		if (m->primary)
			return m;
	return ops->metrics;
}

/* Options as an object: numbers as numbers, switches as booleans, the rest as text. */
static json_t *options_json(const struct opt_set *opts)
{
	json_t *o = json_object();
	const struct opt_def *def;
	const struct opt_val *val;

	for (size_t i = 0; opt_at(opts, i, &def, &val); i++) {
		json_t *v;

		switch (def->type) {
		case OPT_BOOL:
			v = json_boolean(val->num);
			break;
		case OPT_UINT:
		case OPT_SIZE:
		case OPT_DURATION:
			v = json_integer((json_int_t)val->num);
			break;
		default:
			v = json_string(val->text);
		}
		json_object_set_new(o, def->name, v);
	}
	return o;
}

int record_cell(struct campaign *c, size_t w, size_t t, struct vt_err *err)
{
	json_t *params = options_json(&c->workloads[w].opts);
	_cleanup_free_ char *text = json_dumps(params, JSON_COMPACT);
	struct store_cell cell = {
		.workload = (unsigned)w,
		.technique = (unsigned)t,
		.workload_text = c->workloads[w].text,
		.workload_name = (char *)c->workloads[w].ops->name,
		.params = text,
		.technique_label = c->techniques[t].label,
		.technique_text = c->techniques[t].text,
		.not_run = c->cells[w * c->ntechniques + t].not_run,
	};

	json_decref(params);
	return store_cell_put(c->store, &cell, err);
}

static int put_cells(struct campaign *c, struct vt_err *err)
{
	for (size_t w = 0; w < c->nworkloads; w++)
		for (size_t t = 0; t < c->ntechniques; t++) {
			int r = record_cell(c, w, t, err);

			if (r < 0)
				return r;
		}
	return 0;
}

static int put_metric(struct campaign *c, const struct workload_ops *ops, const struct metric_def *m,
	struct vt_err *err)
{
	struct store_metric_def def = {
		.workload_name = (char *)ops->name,
		.name = (char *)m->name,
		.unit = (char *)m->unit,
		.summary = (char *)m->summary,
		.higher_is_better = m->higher_is_better,
		.primary = m->primary,
	};

	return store_metric_def_put(c->store, &def, err);
}

/* A metric named twice in a table (a primary one that is also a percentile) is stored as its first row says. */
static int put_metrics(struct campaign *c, const struct workload_ops *ops, struct vt_err *err)
{
	int r;

	for (const struct metric_def *m = ops->metrics; m->name; m++) {
		if (workload_metric(ops, m->name) != m)
			continue;
		r = put_metric(c, ops, m, err);
		if (r < 0)
			return r;
	}
	for (const struct metric_def *m = workload_common_metrics; m->name; m++) {
		r = put_metric(c, ops, m, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int fingerprint(struct campaign *c, char **text, struct vt_err *err)
{
	_cleanup_strvec_ struct strvec binaries = STRVEC_INIT;
	json_t *o = NULL, *testbed = NULL;
	int r;

	strvec_push(&binaries, "/proc/self/exe");
	strvec_push(&binaries, c->payload.agent);
	r = fingerprint_read(&o, &binaries, err);
	if (r < 0)
		return r;
	r = testbed_describe(&c->testbed, &testbed, err);
	if (r < 0) {
		json_decref(o);
		return r;
	}
	json_object_set_new(o, "testbed", testbed);
	json_object_set_new(o, "vtax_version", json_string(VTAX_VERSION));
	json_object_set_new(o, "payload_digest", json_string(c->payload.digest));
	*text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return *text ? 0 : vt_fail(err, -ENOMEM, "the fingerprint cannot be written as JSON");
}

static int put_rows(struct campaign *c, const struct store_campaign *sc, struct vt_err *err)
{
	int r = store_campaign_put(c->store, sc, err);

	for (size_t w = 0; r == 0 && w < c->nworkloads; w++)
		r = put_metrics(c, c->workloads[w].ops, err);
	return r < 0 ? r : put_cells(c, err);
}

/* All or nothing, and one flush to the disk instead of one per row. */
static int put_plan(struct campaign *c, const struct store_campaign *sc, struct vt_err *err)
{
	int r = store_begin(c->store, err);

	if (r < 0)
		return r;
	r = put_rows(c, sc, err);
	if (r == 0)
		r = store_commit(c->store, err);
	if (r < 0)
		store_rollback(c->store);
	return r;
}

int record_plan(struct campaign *c, struct vt_err *err)
{
	_cleanup_free_ char *plan = NULL, *print = NULL;
	struct store_campaign sc = { .seed = c->seed };
	json_t *o;
	int r;

	r = fingerprint(c, &print, err);
	if (r < 0)
		return r;
	o = plan_to_json(&c->plan);
	plan = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	snprintf(sc.id, sizeof sc.id, "%s", c->id);
	snprintf(sc.suite, sizeof sc.suite, "%s", c->plan.suite);
	clock_iso_utc(sc.started_at);
	snprintf(sc.baseline, sizeof sc.baseline, "%s", c->techniques[c->baseline].label);
	sc.plan = plan;
	sc.fingerprint = print;
	return put_plan(c, &sc, err);
}

static int put_values(struct store *s, int64_t id, const struct trial_result *r, struct vt_err *err)
{
	_cleanup_free_ char *blob = xmalloc(HIST_ENCODED_MAX);
	int n;

	for (unsigned i = 0; i < r->nmetrics; i++) {
		n = store_trial_metric(s, id, r->metrics[i].name, r->metrics[i].value, err);
		if (n < 0)
			return n;
	}
	for (unsigned i = 0; i < r->nhists; i++) {
		long len = hist_encode(r->hists[i].hist, blob, HIST_ENCODED_MAX);

		if (len < 0)
			return vt_fail(err, (int)len, "a histogram cannot be stored");
		n = store_trial_hist(s, id, r->hists[i].name, blob, (size_t)len, err);
		if (n < 0)
			return n;
	}
	for (unsigned i = 0; i < r->nseries; i++) {
		n = store_trial_series(s, id, r->series[i].name, r->series[i].v, r->series[i].n, err);
		if (n < 0)
			return n;
	}
	for (unsigned i = 0; i < r->ngates; i++) {
		n = store_trial_gate(s, id, r->gates[i].name, r->gates[i].reason, err);
		if (n < 0)
			return n;
	}
	return 0;
}

int record_trial(struct campaign *c, const struct record_trial *t, const struct trial_result *r,
	const struct trial_info *info, struct vt_err *err)
{
	_cleanup_free_ char *applied = info->applied ? json_dumps(info->applied, JSON_COMPACT) : NULL;
	_cleanup_free_ char *reason = NULL;
	struct store_trial st = {
		.block = t->block,
		.position = t->position,
		.workload = t->workload,
		.technique = t->technique,
		.sequence = t->sequence,
		.duration_s = t->duration_s,
		.measured_s = t->measured_s,
		.valid = !t->failure && r->ngates == 0,
		.applied = applied,
	};
	int n;

	if (t->failure)
		reason = xstrdup(t->failure);
	else if (r->ngates)
		reason = xasprintf("%s: %s", r->gates[0].name, r->gates[0].reason);
	st.reason = reason;
	snprintf(st.started_at, sizeof st.started_at, "%s", t->started_at);
	n = store_trial_begin(c->store, &st, err);
	if (n < 0)
		return n;
	n = put_values(c->store, st.id, r, err);
	if (n == 0)
		n = store_trial_commit(c->store, err);
	if (n < 0)
		store_trial_rollback(c->store);
	return n;
}

struct replay {
	struct campaign *c;
	void (*fn)(struct campaign *c, unsigned block, unsigned w, unsigned t, double primary, void *arg);
	void *arg;
	struct vt_err *err;
	const char *wanted;
	double value;
};

static int pick_metric(void *arg, const char *name, double value)
{
	struct replay *p = arg;

	if (strcmp(name, p->wanted) == 0)
		p->value = value;
	return 0;
}

static int replay_trial(void *arg, const struct store_trial *t)
{
	struct replay *p = arg;
	struct campaign *c = p->c;
	int r;

	if (t->workload >= c->nworkloads || t->technique >= c->ntechniques || t->block >= c->plan.blocks_max)
		return vt_fail(p->err, -EBADMSG, "the stored trials do not fit the stored plan");
	p->wanted = record_primary(c->workloads[t->workload].ops)->name;
	p->value = NAN;
	if (t->valid) {
		r = store_each_metric(c->store, t->id, pick_metric, p, p->err);
		if (r < 0)
			return r;
	}
	if (t->sequence >= c->next_sequence)
		c->next_sequence = t->sequence + 1;
	p->fn(c, t->block, t->workload, t->technique, p->value, p->arg);
	return 0;
}

int record_replay(struct campaign *c,
	void (*fn)(struct campaign *c, unsigned block, unsigned w, unsigned t, double primary, void *arg), void *arg,
	struct vt_err *err)
{
	struct replay p = { .c = c, .fn = fn, .arg = arg, .err = err };

	return store_each_trial(c->store, replay_trial, &p, err);
}
