/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vtax list`: what there is to choose from. */
#include "cmd/verb.h"

#include "base/cleanup.h"
#include "base/suggest.h"
#include "campaign/plan.h"
#include "technique/technique.h"
#include "workload/workload.h"

#include <string.h>

extern const struct verb verb_list;

static const struct flag flags[] = { { .name = NULL } };

static int techniques(void)
{
	for (size_t i = 0; technique_registry[i]; i++)
		printf("  %-14s %s\n", technique_registry[i]->name, technique_registry[i]->summary);
	return EXIT_OK;
}

static int workloads(void)
{
	for (size_t i = 0; workload_registry[i]; i++)
		printf("  %-14s %s\n", workload_registry[i]->name, workload_registry[i]->summary);
	return EXIT_OK;
}

static int suites(void)
{
	_cleanup_strvec_ struct strvec names = STRVEC_INIT;
	struct vt_err err = { 0 };

	if (plan_list(&names, &err) < 0)
		return verb_fail(&err);
	for (size_t i = 0; i < names.n; i++) {
		struct plan p;

		if (plan_load(&p, names.v[i], &err) < 0) {
			printf("  %-14s (broken: %s)\n", names.v[i], err.msg);
			continue;
		}
		printf("  %-14s %s\n", names.v[i], p.description ? p.description : "");
		plan_release(&p);
	}
	return EXIT_OK;
}

static void metric_rows(const struct metric_def *m, const struct workload_ops *ops)
{
	for (; m->name; m++)
		if (!ops || workload_metric(ops, m->name) == m)
			printf("  %-32s %-8s %-6s %s\n", m->name, m->unit, m->higher_is_better ? "higher" : "lower", m->summary);
}

static int metrics(void)
{
	for (size_t i = 0; workload_registry[i]; i++) {
		printf("%s\n", workload_registry[i]->name);
		metric_rows(workload_registry[i]->metrics, workload_registry[i]);
	}
	printf("every workload\n");
	metric_rows(workload_common_metrics, NULL);
	return EXIT_OK;
}

static const struct {
	const char *name, *title;
	int (*show)(void);
} topics[] = {
	{ "techniques", "Techniques ('vtax help NAME' shows the options)", techniques },
	{ "workloads", "Workloads ('vtax help NAME' shows the options)", workloads },
	{ "suites", "Suites", suites },
	{ "metrics", "Metrics (name, unit, better)", metrics },
};

static int one(const char *name)
{
	const char *names[ARRAY_SIZE(topics)], *near;

	for (size_t i = 0; i < ARRAY_SIZE(topics); i++) {
		if (strcmp(topics[i].name, name) == 0)
			return topics[i].show();
		names[i] = topics[i].name;
	}
	near = suggest_nearest(name, names, ARRAY_SIZE(topics));
	return verb_usage(&verb_list, "nothing to list is called '%s'%s%s%s", name, near ? ": did you mean '" : "",
		near ? near : "", near ? "'?" : "");
}

static int run(int argc, char **argv)
{
	const char *arg;
	int rest, status;

	verb_next(&verb_list, argc, argv, &arg, &rest, &status);
	if (status >= 0)
		return status;
	if (argc - rest > 1)
		return verb_usage(&verb_list, "one topic at a time");
	if (argc - rest == 1)
		return one(argv[rest]);
	for (size_t i = 0; i < ARRAY_SIZE(topics); i++) {
		printf("%s%s:\n", i ? "\n" : "", topics[i].title);
		if (topics[i].show() != EXIT_OK)
			return EXIT_CANNOT_RUN;
	}
	return EXIT_OK;
}

const struct verb verb_list = {
	.name = "list",
	.args = "[techniques|workloads|suites|metrics]",
	.summary = "list techniques, workloads, suites and metrics",
	.flags = flags,
	.run = run,
};
