/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workload/agents.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"

#include <math.h>
#include <string.h>

#define SERVE_TIMEOUT_NS (10 * NS_PER_S)
#define STOP_TIMEOUT_NS (10 * NS_PER_S)
#define LOAD_GRACE_NS (20 * NS_PER_S) /* beyond warm-up and duration: connects, last answers, drains */
#define TICKS_PER_TRIAL 20
#define SERIES_MAX_BYTES (4096 * sizeof(double))

/* The name a VALUE, HIST or SERIES field is about; kept between fields of one body. */
struct naming {
	char name[48];
	bool set;
};

static int take_hist(struct trial_result *r, const char *name, const struct wire_field *f)
{
	_cleanup_free_ struct hist *h = NULL;

	if (r->nhists == TRIAL_HISTS_MAX)
		return -EBADMSG;
	h = xmalloc(sizeof *h);
	if (hist_decode(h, f->data, f->length) < 0)
		return -EBADMSG;
	snprintf(r->hists[r->nhists].name, sizeof r->hists[0].name, "%.31s", name);
	r->hists[r->nhists++].hist = steal_ptr(h);
	return 0;
}

static int take_series(struct trial_result *r, const char *name, const struct wire_field *f)
{
	unsigned n = f->length / sizeof(double);

	if (f->length % sizeof(double) || f->length > SERIES_MAX_BYTES || r->nseries == TRIAL_SERIES_MAX)
		return -EBADMSG;
	r->series[r->nseries].v = xmalloc(f->length);
	memcpy(r->series[r->nseries].v, f->data, f->length);
	r->series[r->nseries].n = n;
	snprintf(r->series[r->nseries].name, sizeof r->series[0].name, "%.31s", name);
	r->nseries++;
	return 0;
}

static bool own_metric(const struct workload *w, const char *name)
{
	for (const struct metric_def *m = w->ops->metrics; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return true;
	return false;
}

static int take_field(const struct workload *w, struct trial_result *r, struct naming *named,
	const struct wire_field *f)
{
	if (f->key == ABI_K_NAME && f->type == ABI_TEXT) {
		wire_get_text(f, named->name, sizeof named->name);
		named->set = true;
		return 0;
	}
	if (f->key == ABI_K_OPS && f->type == ABI_U64) {
		if (f->u64 > r->ops)
			r->ops = f->u64;
		return 0;
	}
	if (f->key != ABI_K_VALUE && f->key != ABI_K_HIST && f->key != ABI_K_SERIES)
		return 0;
	if (!named->set)
		return -EBADMSG;
	named->set = false;
	if (f->key == ABI_K_VALUE && f->type == ABI_F64) {
		if (own_metric(w, named->name) && isfinite(f->f64))
			trial_metric(r, named->name, f->f64);
		return 0;
	}
	if (f->key == ABI_K_HIST && f->type == ABI_BYTES)
		return take_hist(r, named->name, f);
	if (f->key == ABI_K_SERIES && f->type == ABI_BYTES)
		return take_series(r, named->name, f);
	return -EBADMSG;
}

static int take_result(const struct workload *w, const struct link *l, struct trial_result *r, struct vt_err *err)
{
	struct naming named = { .set = false };
	struct wire_reader reader;
	struct wire_field f;
	int n;

	wire_reader_init(&reader, l->body, l->body_len);
	while ((n = wire_next(&reader, &f)) > 0) {
		n = take_field(w, r, &named, &f);
		if (n < 0)
			break;
	}
	if (n < 0)
		return vt_fail(err, -EBADMSG, "%s sent a result that makes no sense", l->name);
	return 0;
}

static int mark_of(const struct link *l, int *which, struct vt_err *err)
{
	struct wire_field f;

	if (wire_find(l->body, l->body_len, ABI_K_MARK, ABI_U64, &f) != 1 || f.u64 > 1)
		return vt_fail(err, -EBADMSG, "%s sent a mark that makes no sense", l->name);
	*which = (int)f.u64;
	return 0;
}

static int serve(const struct agents_job *job, const struct trial_ctx *ctx, struct vt_err *err)
{
	uint8_t body[AGENTS_BODY_MAX];
	struct wire_writer w;

	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, ABI_K_KERNEL, job->kernel);
	wire_text(&w, ABI_K_ADDRESS, ctx->bind_address);
	wire_u64(&w, ABI_K_PORT, job->port);
	if (job->params)
		job->params(job->w, &w);
	return link_call(ctx->sut, ABI_SERVE, body, w.len, ABI_READY, clock_deadline_ns(SERVE_TIMEOUT_NS), err);
}

static int send_load(const struct agents_job *job, const struct trial_ctx *ctx, struct vt_err *err)
{
	uint8_t body[AGENTS_BODY_MAX];
	struct wire_writer w;

	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, ABI_K_KERNEL, job->kernel);
	wire_text(&w, ABI_K_ADDRESS, ctx->address);
	wire_u64(&w, ABI_K_PORT, job->port);
	wire_u64(&w, ABI_K_DURATION_NS, ctx->duration_ns);
	wire_u64(&w, ABI_K_WARMUP_NS, ctx->warmup_ns);
	wire_u64(&w, ABI_K_TICK_NS, ctx->duration_ns / TICKS_PER_TRIAL);
	if (job->params)
		job->params(job->w, &w);
	return link_send(ctx->client, ABI_LOAD, body, w.len, clock_deadline_ns(SERVE_TIMEOUT_NS), err);
}

/* Receives until RESULT; the marks must come in order, once each, or the CPU window would be a guess. */
static int watch_load(const struct agents_job *job, const struct trial_ctx *ctx, struct trial_result *r,
	struct vt_err *err)
{
	uint64_t deadline = clock_deadline_ns(ctx->warmup_ns + ctx->duration_ns + LOAD_GRACE_NS);
	int expected = 0, which = 0, type, n;

	for (;;) {
		type = link_receive(ctx->client, deadline, ctx->cancel, err);
		if (type < 0)
			return type;
		if (type == ABI_RESULT)
			break;
		if (type != ABI_MARK)
			continue;
		n = mark_of(ctx->client, &which, err);
		if (n < 0)
			return n;
		if (which != expected)
			return vt_fail(err, -EBADMSG, "%s sent its marks out of order", ctx->client->name);
		expected++;
		ctx->mark(ctx->mark_arg, which);
	}
	if (expected != 2)
		return vt_fail(err, -EBADMSG, "%s sent a result without marking its measured time", ctx->client->name);
	return take_result(job->w, ctx->client, r, err);
}

int agents_run(const struct agents_job *job, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err)
{
	int n;

	if (job->serve) {
		n = serve(job, ctx, err);
		if (n < 0)
			return n;
	}
	n = send_load(job, ctx, err);
	if (n < 0)
		return n;
	n = watch_load(job, ctx, r, err);
	if (n < 0 || !job->serve)
		return n;
	n = link_call(ctx->sut, ABI_STOP, NULL, 0, ABI_RESULT, clock_deadline_ns(STOP_TIMEOUT_NS), err);
	if (n < 0)
		return n;
	return take_result(job->w, ctx->sut, r, err);
}

void agents_latency_metrics(struct trial_result *r)
{
	char name[48];

	for (unsigned i = 0; i < r->nhists; i++) {
		const struct hist *h = r->hists[i].hist;

		if (strcmp(r->hists[i].name, "latency") != 0 || h->n == 0)
			continue;
		trial_metric(r, "latency_mean_ns", hist_mean(h));
		trial_metric(r, "latency_min_ns", (double)h->min);
		trial_metric(r, "latency_max_ns", (double)h->max);
		for (size_t k = 0; k < hist_percentiles_n; k++) {
			snprintf(name, sizeof name, "latency_%s_ns", hist_percentiles[k].name);
			trial_metric(r, name, hist_quantile(h, hist_percentiles[k].q));
		}
	}
}
