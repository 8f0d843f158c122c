/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that is made from a stored campaign, for `run`, `resume` and `report` alike. */
#ifndef VTAX_CMD_OUTPUT_H
#define VTAX_CMD_OUTPUT_H

#include "base/err.h"
#include "report/report.h"

struct output_options {
	const char *json, *csv, *markdown; /* file, "-" for stdout, NULL: none */
	bool html;			   /* report.html and figures in the results folder */
	bool table;			   /* on stdout */
	bool all_metrics;
	struct report_options report;
};

/*
 * Writes what is asked for from DIR. *no_valid is set when a cell that ran has no valid trial. Prints the table on
 * stdout, unless stdout was given to a machine-readable form.
 */
int output_campaign(const char *dir, const struct output_options *o, bool *no_valid, struct vt_err *err);

/* The argument of --margin: a share above 0. */
int output_margin(const char *text, double *margin, struct vt_err *err);

#endif
