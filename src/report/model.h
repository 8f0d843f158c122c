/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the outputs share: the trials as loaded, and the questions that more than one output asks of a report.
 * Nobody outside src/report includes this.
 */
#ifndef VTAX_REPORT_MODEL_H
#define VTAX_REPORT_MODEL_H

#include "report/report.h"

struct report_trial {
	struct store_trial t; /* its strings are ours */
	const struct store_cell *cell;
	struct report_value {
		char *name;
		double value;
	} * metrics; /* by name */
	size_t nmetrics, metrics_cap;
	struct report_gate {
		char *name, *reason;
	} * gates;
	size_t ngates, gates_cap;
};

/* contrast.c: fills rows from trials. */
void report_contrast(struct report *r);

/* The trial's value of a metric; NaN when it has none. */
double report_trial_value(const struct report_trial *t, const char *metric);

/* notes.c. Workloads are walked by the index of their first cell: for (c = 0; c < ncells; c = report_next(r,
 * c)). */
size_t report_next(const struct report *r, size_t cell);
const struct store_metric_def *report_metric(
	const struct report *r, const char *workload_name, const char *name);
const struct store_metric_def *report_primary(
	const struct report *r, const char *workload_name); /* NULL: none */
const struct report_cell *report_row(
	const struct report *r, const struct store_cell *cell, const char *metric);

/* The first metric of a NULL-terminated list that any technique of the workload has a value of; NULL: none.
 */
const char *report_first_of(const struct report *r, size_t first_cell, const char *const *metrics);
extern const char *const report_latency_metrics[]; /* median latency or response time */
extern const char *const report_cpu_metrics[];	   /* host CPU per operation, else per byte */

/* What the blocks so far can say about a workload's primary metric. */
struct report_noise {
	double floor;  /* an overhead above this would have been found in every technique; NaN: too few blocks
			*/
	size_t pairs;  /* fewest complete pairs of any technique that ran */
	size_t needed; /* blocks for ±2 % in every technique; 0: unknown */
};
#define REPORT_TARGET 0.02
void report_noise(struct report_noise *n, const struct report *r, size_t first_cell);

/* Invalid trials by kind (the failed gates, or the reason), most frequent first. Caller frees with the
 * release. */
struct report_kind {
	char *what;
	size_t n;
};
size_t report_invalid_kinds(const struct report *r, struct report_kind **kinds);
void report_kinds_free(struct report_kind *kinds, size_t n);

/* "no tax > 3 %", "1 block" and the like, for people; the machine-readable word is verdict_name(). */
void report_verdict_text(char *out, size_t size, const struct report *r, const struct report_cell *row);

/* "104 k/s" and "± 1.2 %", half of the mean's 95 % interval relative to it; "" without an interval. */
void report_value_text(char *value, size_t size, char *half, size_t half_size, const struct report_cell *row);

/* It ran, and every trial failed a gate: not the same as a cell that cannot run here. */
bool report_all_invalid(const struct report *r, const struct report_cell *row);

/* "not run: …" or "invalid: …" for a row without values. Owned by the caller. */
char *report_absence_text(const struct report *r, const struct report_cell *row);

/*
 * "+9.8 % [+8.1, +11.5]"; "–" without a pair. Ends of the interval past -90 and +1000 % are shown as "<-90"
 * and
 * ">+1000", unless the overhead itself is there; the JSON has them in full.
 */
void report_overhead_text(char *out, size_t size, const struct overhead *o);

/* One sentence on what a workload's isolation costs, for people, as plain text. */
void report_finding(const struct report *r, size_t first_cell, struct buf *out);

#endif
