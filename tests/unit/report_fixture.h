/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A synthetic campaign whose truth is known, for test_report.c: effects are injected, BRIDGE is spoiled in
 * block 3, NAT is missing in block 5, EVIL (a hostile label) is invalid in every block of tcp_stream, and
 * ABSENT never runs.
 */
#ifndef VTAX_TESTS_REPORT_FIXTURE_H
#define VTAX_TESTS_REPORT_FIXTURE_H

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "stats/hist.h"
#include "stats/rng.h"
#include "store/store.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 12
#define TECHNIQUES 6
#define WORKLOADS 3
#define HOSTILE "ev\"il', <script>alert(1)</script>\n`touch pwned` & |x| \xff\x1b[31m"

enum { NATIVE, BRIDGE, NAT, SAME, EVIL, ABSENT };

static const struct {
	const char *label;
	double rr, stream; /* injected overhead */
	const char *not_run;
} techniques[TECHNIQUES] = {
	[NATIVE] = { "native", 0, 0, NULL },
	[BRIDGE] = { "oci:runtime=crun,net=bridge", 0.10, 0.02, NULL },
	[NAT] = { "docker:net=nat,rootfs=layered", 0.25, 0.40, NULL },
	[SAME] = { "native:label=again", 0, 0, NULL },
	[EVIL] = { HOSTILE, -0.05, 0.05, NULL },
	[ABSENT] = { "oci:runtime=runsc,net=bridge", 0, 0,
		"'runsc' is not installed: get it from your distribution" },
};

static const struct {
	const char *text, *name, *params;
} workloads[WORKLOADS] = {
	{ "tcp_rr", "tcp_rr", "{\"request\": 1, \"response\": 1}" },
	{ "tcp_stream:message=64K", "tcp_stream", "{\"message\": 65536}" },
	{ "ping", "ping", "not json" },
};

static const struct {
	const char *workload, *name, *unit;
	bool higher, primary;
} defs[] = {
	{ "tcp_rr", "transactions_per_s", "1/s", true, true },
	{ "tcp_rr", "latency_mean_ns", "ns", false, false },
	{ "tcp_rr", "latency_p10_ns", "ns", false, false },
	{ "tcp_rr", "latency_p50_ns", "ns", false, false },
	{ "tcp_rr", "latency_p90_ns", "ns", false, false },
	{ "tcp_rr", "latency_p99_ns", "ns", false, false },
	{ "tcp_rr", "retransmits", "1", false, false },
	{ "tcp_rr", "cpu_host_ns_per_op", "ns/op", false, false },
	{ "tcp_rr", "cpu_host_ns_per_byte", "ns/byte", false, false },
	{ "tcp_stream", "throughput_bits_per_s", "bits/s", true, true },
	{ "tcp_stream", "cpu_host_ns_per_byte", "ns/byte", false, false },
	{ "ping", "latency_p50_ns", "ns", false, true },
};

static double noise(struct rng *r, double sd)
{
	double u = sqrt(-2 * log(rng_uniform(r)));

	return exp(sd * u * cos(2 * M_PI * rng_uniform(r)));
}

struct fixture {
	char dir[64];
	struct store *s;
	unsigned blocks;
	double sd; /* of the log of every value */
	struct rng rng;
};

static void put(struct fixture *f, int64_t trial, const char *name, double value)
{
	assert_int_equal(store_trial_metric(f->s, trial, name, value * noise(&f->rng, f->sd), NULL), 0);
}

static void put_rr(struct fixture *f, int64_t trial, double cost)
{
	_cleanup_free_ struct hist *h = xcalloc(1, sizeof *h);
	_cleanup_free_ char *bytes = xcalloc(1, HIST_ENCODED_MAX);
	long len;

	hist_init(h);
	for (int i = 0; i < 4000; i++) {
		double v = 9000 * cost * noise(&f->rng, 0.15);

		hist_record(h, (uint64_t)(rng_below(&f->rng, 200) == 0 ? v * 8 : v));
	}
	put(f, trial, "transactions_per_s", 104000 / cost);
	put(f, trial, "latency_mean_ns", 9300 * cost);
	put(f, trial, "latency_p10_ns", 7500 * cost);
	put(f, trial, "latency_p50_ns", 9000 * cost);
	put(f, trial, "latency_p90_ns", 11000 * cost * cost);
	put(f, trial, "latency_p99_ns", 16000 * cost);
	put(f, trial, "retransmits", 0);
	put(f, trial, "cpu_host_ns_per_op", 14000 * (1 + 1.5 * (cost - 1)));
	put(f, trial, "undefined_thing", 1);
	len = hist_encode(h, bytes, HIST_ENCODED_MAX);
	assert_true(len > 0);
	assert_int_equal(store_trial_hist(f->s, trial, "latency", bytes, (size_t)len, NULL), 0);
}

static void put_trial(
	struct fixture *f, unsigned w, unsigned t, unsigned b, unsigned position, unsigned sequence)
{
	struct store_trial trial = { .block = b,
		.position = position,
		.workload = w,
		.technique = t,
		.sequence = sequence,
		.duration_s = 1.4,
		.measured_s = 1,
		.valid = true };
	bool spoiled = (t == BRIDGE && b == 3) || (t == EVIL && w == 1);
	double drift = 1 + 0.004 * b;
	char saturated[] = "client saturated: its CPU was 99 % busy, \"full\"";

	snprintf(trial.started_at, sizeof trial.started_at, "2026-11-20T05:%02u:%02uZ", sequence / 60 % 60,
		sequence % 60);
	if (spoiled) {
		trial.valid = false;
		trial.reason = saturated;
	}
	assert_int_equal(store_trial_begin(f->s, &trial, NULL), 0);
	if (w == 0)
		put_rr(f, trial.id, (1 + techniques[t].rr) * drift * (spoiled ? 3 : 1));
	if (w == 1) {
		put(f, trial.id, "throughput_bits_per_s", 20.3e9 / (1 + techniques[t].stream) / drift);
		put(f, trial.id, "cpu_host_ns_per_byte", 0.5 * (1 + techniques[t].stream));
	}
	if (w == 2)
		put(f, trial.id, "latency_p50_ns", 5000 * (1 + techniques[t].rr / 2));
	if (spoiled)
		assert_int_equal(store_trial_gate(f->s, trial.id, "client-saturated", "99 % busy", NULL), 0);
	assert_int_equal(store_trial_commit(f->s, NULL), 0);
}

static void put_plan(struct fixture *f)
{
	struct store_campaign c = { .id = "20261120-050000-ab",
		.suite = "quick",
		.seed = 42,
		.started_at = "2026-11-20T05:00:00Z",
		.wall_s = 231,
		.measuring_s = 180,
		.complete = true,
		.baseline = "native" };
	_cleanup_free_ char *plan =
		xstrdup("{\"suite\": \"quick\", \"blocks\": 12, \"duration_ns\": 1000000000}");
	_cleanup_free_ char *print =
		xstrdup("{\"cpu\": {\"model\": \"Some <CPU>\", \"cores\": 2}, \"kernel\": \"6.18\", "
			"\"mitigations\": [\"a\", \"b\"], \"turbo\": null}");

	c.plan = plan;
	c.fingerprint = print;
	assert_int_equal(store_campaign_put(f->s, &c, NULL), 0);
	for (unsigned w = 0; w < WORKLOADS; w++) {
		for (unsigned t = 0; t < TECHNIQUES; t++) {
			struct store_cell cell = { .workload = w,
				.technique = t,
				.workload_text = (char *)(uintptr_t)workloads[w].text,
				.workload_name = (char *)(uintptr_t)workloads[w].name,
				.params = (char *)(uintptr_t)workloads[w].params,
				.technique_label = (char *)(uintptr_t)techniques[t].label,
				.technique_text = (char *)(uintptr_t)techniques[t].label,
				.not_run = (char *)(uintptr_t)techniques[t].not_run };

			assert_int_equal(store_cell_put(f->s, &cell, NULL), 0);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(defs); i++) {
		struct store_metric_def m = { .workload_name = (char *)(uintptr_t)defs[i].workload,
			.name = (char *)(uintptr_t)defs[i].name,
			.unit = (char *)(uintptr_t)defs[i].unit,
			.summary = (char[]){ "completed <things>" },
			.higher_is_better = defs[i].higher,
			.primary = defs[i].primary };

		assert_int_equal(store_metric_def_put(f->s, &m, NULL), 0);
	}
}

static void fill(struct fixture *f)
{
	unsigned sequence = 0, order[TECHNIQUES];

	rng_seed(&f->rng, 7);
	assert_int_equal(store_open(&f->s, f->dir, true, NULL), 0);
	assert_int_equal(store_begin(f->s, NULL), 0);
	put_plan(f);
	assert_int_equal(store_commit(f->s, NULL), 0);
	for (unsigned b = 0; b < f->blocks; b++) {
		for (unsigned w = 0; w < WORKLOADS; w++) {
			for (unsigned t = 0; t < TECHNIQUES; t++)
				order[t] = t;
			rng_shuffle(&f->rng, order, TECHNIQUES);
			for (unsigned p = 0; p < TECHNIQUES; p++) {
				if (order[p] == ABSENT || (order[p] == NAT && b == 5))
					continue;
				put_trial(f, w, order[p], b, p, sequence++);
			}
		}
	}
}

static struct fixture *make(unsigned blocks, double sd)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	unsetenv("SUDO_UID");
	snprintf(f->dir, sizeof f->dir, "/tmp/vtax-test-report.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->blocks = blocks;
	f->sd = sd;
	fill(f);
	return f;
}

static void remove_tree(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		_cleanup_free_ char *sub = NULL;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		sub = xasprintf("%s/%s", path, e->d_name);
		if (unlink(sub) < 0)
			remove_tree(sub);
	}
	rmdir(path);
}

static void done(struct fixture *f)
{
	store_close(f->s);
	remove_tree(f->dir);
	free(f);
}

#endif
