/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For test_load: a sink that keeps what a kernel reports, and a kernel's two sides in one process. */
#ifndef VTAX_TESTS_LOAD_SIDES_H
#define VTAX_TESTS_LOAD_SIDES_H

#include "base/cleanup.h"
#include "base/clock.h"
#include "load/kernel.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SHORT_NS (50 * NS_PER_MS)

struct heard {
	struct {
		char name[32];
		double value;
	} metrics[32];
	unsigned nmetrics, nseries, marks[2];
	uint64_t ops;
	struct hist latency;
	uint32_t ticks;
	double tick_sum;
	int cpu;
	volatile int cancel;
};

static void on_metric(void *arg, const char *name, double value)
{
	struct heard *h = arg;

	assert_true(h->nmetrics < ARRAY_SIZE(h->metrics));
	assert_true(isfinite(value));
	snprintf(h->metrics[h->nmetrics].name, sizeof h->metrics[0].name, "%s", name);
	h->metrics[h->nmetrics++].value = value;
}

static void on_hist(void *arg, const char *name, const struct hist *hist)
{
	struct heard *h = arg;

	assert_string_equal(name, "latency");
	h->latency = *hist;
}

static void on_series(void *arg, const char *name, const double *v, uint32_t n)
{
	struct heard *h = arg;

	assert_string_equal(name, "rate");
	h->nseries++;
	h->ticks = n;
	for (uint32_t i = 0; i < n; i++)
		h->tick_sum += v[i];
}

static void on_ops(void *arg, uint64_t n)
{
	struct heard *h = arg;

	h->ops = n;
}

static void on_mark(void *arg, int which)
{
	struct heard *h = arg;

	assert_true(which == 0 || (which == 1 && h->marks[0] == 1));
	h->marks[which]++;
}

static void on_cpu(void *arg, int cpu)
{
	struct heard *h = arg;

	h->cpu = cpu;
}

static struct kernel_sink sink_of(struct heard *h)
{
	memset(h, 0, sizeof *h);
	h->cpu = -1;
	return (struct kernel_sink){ h, on_metric, on_hist, on_series, on_ops, on_mark, &h->cancel, on_cpu };
}

static double metric(const struct heard *h, const char *name)
{
	for (unsigned i = 0; i < h->nmetrics; i++)
		if (strcmp(h->metrics[i].name, name) == 0)
			return h->metrics[i].value;
	return NAN;
}

struct sides {
	const struct kernel *kernel;
	struct kernel_server *server;
	struct kernel_params p;
	struct heard client, at_server;
	struct vt_err err;
};

static void start(struct sides *s, const char *name, const char *address)
{
	memset(s, 0, sizeof *s);
	s->kernel = kernel_find(name);
	assert_non_null(s->kernel);
	snprintf(s->p.address, sizeof s->p.address, "%s", address);
	s->p.duration_ns = SHORT_NS;
	s->p.nodelay = true;
}

static void serve(struct sides *s)
{
	if (s->kernel->serve && s->kernel->serve(&s->server, &s->p, &s->p.port, &s->err) < 0)
		fail_msg("%s: %s", s->kernel->name, s->err.msg);
}

static int load(struct sides *s)
{
	struct kernel_sink out = sink_of(&s->client);

	return s->kernel->load(&s->p, &out, &s->err);
}

static void stop(struct sides *s)
{
	struct kernel_sink out = sink_of(&s->at_server);

	if (s->server && s->kernel->stop(s->server, &out, &s->err) < 0)
		fail_msg("%s: %s", s->kernel->name, s->err.msg);
	s->server = NULL;
}

static void run(struct sides *s)
{
	serve(s);
	if (load(s) < 0)
		fail_msg("%s: %s", s->kernel->name, s->err.msg);
	stop(s);
	assert_true(s->client.marks[0] == 1 && s->client.marks[1] == 1);
	assert_true(s->client.ops > 0);
	assert_true(s->client.cpu >= 0);
}

#endif
