/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long form: one line per trial and metric, ready for R or pandas. A trial without any metric (its
 * environment never started) still has one line, with an empty metric, so that no trial is invisible. Quoting
 * as in RFC 4180; lines end in LF, as Unix tools expect.
 */
#include "report/report.h"

#include "base/cleanup.h"
#include "report/model.h"
#include "report/text.h"

#include <math.h>

static void number(struct buf *out, double v)
{
	char s[40];

	if (isnan(v))
		return;
	/* The shorter form whenever it reads back as the same number. */
	snprintf(s, sizeof s, "%.15g", v);
	if (strtod(s, NULL) != v)
		snprintf(s, sizeof s, "%.17g", v);
	buf_puts(out, s);
}

static void line(
	struct buf *out, const struct report *r, const struct report_trial *t, const struct report_value *v)
{
	const struct store_metric_def *def = v ? report_metric(r, t->cell->workload_name, v->name) : NULL;

	buf_printf(out, "%u,%u,%u,", t->t.block, t->t.position, t->t.sequence);
	text_csv(out, t->t.started_at);
	buf_puts(out, ",");
	text_csv(out, t->cell->workload_name);
	buf_puts(out, ",");
	text_csv(out, t->cell->params);
	buf_puts(out, ",");
	text_csv(out, t->cell->technique_label);
	buf_puts(out, ",");
	text_csv(out, v ? v->name : "");
	buf_puts(out, ",");
	text_csv(out, def ? def->unit : "");
	buf_puts(out, ",");
	number(out, v ? v->value : NAN);
	buf_printf(out, ",%s,", t->t.valid ? "true" : "false");
	text_csv(out, t->t.reason ? t->t.reason : "");
	buf_puts(out, "\n");
}

int report_csv(const struct report *r, struct buf *out, struct vt_err *err)
{
	buf_puts(out, "block,position,sequence,started_at,workload,params,technique,metric,unit,value,valid,"
		      "reason\n");
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct report_trial *t = &r->trials[i];

		for (size_t m = 0; m < t->nmetrics; m++)
			line(out, r, t, &t->metrics[m]);
		if (!t->nmetrics)
			line(out, r, t, NULL);
	}
	return out->failed ? vt_fail(err, -ENOBUFS, "the CSV is larger than %zu bytes", out->max) : 0;
}
