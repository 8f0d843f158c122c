/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A RESULT's body, filled by a kernel through its sink. A mark is not kept but sent at once: the controller
 * reads the host's CPU accounts when it comes, so it must not wait for anything.
 */
#include "agent.h"

#include <errno.h>
#include <stdlib.h>

int result_init(struct result *r, struct out *out, struct vt_err *err)
{
	r->out = out;
	r->body = malloc(ABI_BODY_MAX);
	r->scratch = malloc(HIST_ENCODED_MAX);
	if (r->body && r->scratch)
		return 0;
	result_release(r);
	return vt_fail(err, -ENOMEM, "no memory for results");
}

void result_release(struct result *r)
{
	free(r->body);
	free(r->scratch);
	r->body = r->scratch = NULL;
}

static void on_metric(void *arg, const char *name, double value)
{
	struct result *r = arg;

	wire_text(&r->w, ABI_K_NAME, name);
	wire_f64(&r->w, ABI_K_VALUE, value);
}

static void on_hist(void *arg, const char *name, const struct hist *h)
{
	struct result *r = arg;
	long n = hist_encode(h, r->scratch, HIST_ENCODED_MAX);

	if (n < 0) {
		r->failed = true;
		return;
	}
	wire_text(&r->w, ABI_K_NAME, name);
	wire_bytes(&r->w, ABI_K_HIST, r->scratch, (size_t)n);
}

static void on_series(void *arg, const char *name, const double *v, uint32_t n)
{
	struct result *r = arg;

	wire_text(&r->w, ABI_K_NAME, name);
	wire_bytes(&r->w, ABI_K_SERIES, v, n * sizeof *v);
}

static void on_ops(void *arg, uint64_t n)
{
	struct result *r = arg;

	wire_u64(&r->w, ABI_K_OPS, n);
}

static void on_mark(void *arg, int which)
{
	struct result *r = arg;
	uint8_t body[16];
	struct wire_writer w;

	wire_writer_init(&w, body, sizeof body);
	wire_u64(&w, ABI_K_MARK, which ? 1 : 0);
	/* Without a mark the controller would not know what it measured: the request fails. */
	if (out_send(r->out, ABI_MARK, r->serial, body, w.len) < 0)
		r->failed = true;
}

void result_begin(struct result *r, uint32_t serial, struct kernel_sink *sink, const volatile int *cancel)
{
	r->serial = serial;
	r->failed = false;
	wire_writer_init(&r->w, r->body, ABI_BODY_MAX);
	*sink = (struct kernel_sink){
		.arg = r,
		.metric = on_metric,
		.hist = on_hist,
		.series = on_series,
		.ops = on_ops,
		.mark = on_mark,
		.cancel = cancel,
	};
}

int result_finish(struct result *r, struct vt_err *err)
{
	char cpus[FACTS_CPUS_MAX];

	/* Again, as in HELLO: whoever moved us to other CPUs while we measured is found out. */
	facts_cpus_allowed(cpus);
	wire_text(&r->w, ABI_K_CPUS_ALLOWED, cpus);
	if (r->failed || r->w.failed)
		return vt_fail(
			err, -EMSGSIZE, "the results do not fit in one message of %u bytes", ABI_BODY_MAX);
	return 0;
}
