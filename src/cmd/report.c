/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vtax report`: the results of a campaign again, in any form. Needs neither root nor the machine. */
#include "cmd/output.h"
#include "cmd/verb.h"

#include "base/cleanup.h"
#include "campaign/campaign.h"

#include <string.h>

extern const struct verb verb_report;

static const struct flag flags[] = {
	{ 'j', "json", "FILE", "write the results as JSON (default file: -, standard output)" },
	{ 0, "csv", "FILE", "write every trial as CSV; - is standard output" },
	{ 0, "markdown", "FILE", "write the table as Markdown; - is standard output" },
	{ 0, "html", NULL, "write report.html and its figures again" },
	{ 0, "baseline", "TECHNIQUE", "compare with this technique" },
	{ 0, "margin", "SHARE", "a tax proven smaller than this counts as none (default 3%)" },
	{ 'a', "all-metrics", NULL, "a row for every metric, not only the main ones" },
	{ .name = NULL },
};

static int take(struct output_options *o, const struct flag *f, const char *arg, struct vt_err *err)
{
	if (strcmp(f->name, "json") == 0)
		o->json = arg;
	else if (strcmp(f->name, "csv") == 0)
		o->csv = arg;
	else if (strcmp(f->name, "markdown") == 0)
		o->markdown = arg;
	else if (strcmp(f->name, "html") == 0)
		o->html = true;
	else if (strcmp(f->name, "baseline") == 0)
		o->report.baseline = arg;
	else if (strcmp(f->name, "all-metrics") == 0)
		o->all_metrics = true;
	else
		return output_margin(arg, &o->report.margin, err);
	return 0;
}

static int run(int argc, char **argv)
{
	struct output_options o = { .table = true };
	_cleanup_free_ char *dir = NULL;
	struct vt_err err = { 0 };
	const struct flag *f;
	bool no_valid = false;
	const char *arg;
	int rest, status;

	while ((f = verb_next(&verb_report, argc, argv, &arg, &rest, &status)))
		if (take(&o, f, arg, &err) < 0)
			return verb_fail(&err);
	if (status >= 0)
		return status;
	if (argc - rest > 1)
		return verb_usage(&verb_report, "one campaign at a time");
	if (campaign_find_dir(argc - rest == 1 ? argv[rest] : NULL, &dir, &err) < 0 ||
		output_campaign(dir, &o, &no_valid, &err) < 0)
		return verb_fail(&err);
	return no_valid ? EXIT_INVALID : EXIT_OK;
}

const struct verb verb_report = {
	.name = "report",
	.args = "[CAMPAIGN] [FLAGS]",
	.summary = "show the results of a campaign: table, Markdown, JSON, CSV, HTML",
	.details = "CAMPAIGN is a results folder or the name of one in ./vtax-results; the newest when left out.\n",
	.flags = flags,
	.run = run,
};
