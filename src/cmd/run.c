/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vtax run` and `vtax resume`: from a suite and flags to a campaign, and from its results to a report. */
#include "cmd/output.h"
#include "cmd/progress.h"
#include "cmd/verb.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/option.h"
#include "base/units.h"
#include "base/xalloc.h"
#include "campaign/schedule.h"

#include <math.h>
#include <signal.h>
#include <string.h>

extern const struct verb verb_run, verb_resume;

static volatile int cancel;

/* The first signal ends the campaign cleanly; the second leaves at once, and the journal does the rest. */
static void on_signal(int sig)
{
	static const char first[] = "\nvtax: stopping: the running trial is dropped, what is done is kept (again: leave at once)\n";
	static const char second[] = "\nvtax: left at once: 'vtax clean' undoes what remains\n";
	ssize_t n;

	if (cancel) {
		n = write(STDERR_FILENO, second, sizeof second - 1);
		_exit(EXIT_INTERRUPTED);
	}
	n = write(STDERR_FILENO, first, sizeof first - 1);
	(void)n;
	cancel = sig;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

/* The agent lies beside the program in a build tree, and in libexec when installed. */
static char *agent_path(void)
{
	const char *env = getenv("VTAX_AGENT");
	char exe[512];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	char *slash, *beside;

	if (env && *env)
		return xstrdup(env);
	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	beside = xasprintf("%s/vtax-agent", exe);
	if (access(beside, X_OK) == 0)
		return beside;
	free(beside);
	return xasprintf("%s/../libexec/vtax/vtax-agent", exe);
}

struct request {
	const char *suite, *out;
	struct strvec techniques, workloads;
	struct output_options output;
	uint64_t seed;
	bool seed_given, dry_run, quiet;
	struct strvec keys, values; /* scalars of the plan that flags replace, in the order given */
	const char *baseline;
};

static void request_release(struct request *q)
{
	strvec_release(&q->techniques);
	strvec_release(&q->workloads);
	strvec_release(&q->keys);
	strvec_release(&q->values);
}

/* The flags that run and resume share; take_output() understands them. */
#define OUTPUT_FLAGS \
	{ 'j', "json", "FILE", "write the results as JSON; - is standard output" }, \
		{ 0, "csv", "FILE", "write every trial as CSV; - is standard output" }, \
		{ 0, "markdown", "FILE", "write the table as Markdown; - is standard output" }, \
		{ 'a', "all-metrics", NULL, "a row for every metric, not only the main ones" }, \
		{ 0, "no-html", NULL, "do not write report.html and its figures" }
#define PROGRESS_FLAGS \
	{ 'q', "quiet", NULL, "no progress" }, \
		{ 'v', "verbose", NULL, "tell every trial" }

static const struct flag run_flags[] = {
	{ 's', "suite", "NAME", "suite to run, by name or YAML file (default quick)" },
	{ 't', "technique", "TECHNIQUE", "run this technique instead of the suite's; repeatable; globs" },
	{ 'w', "workload", "WORKLOAD", "run this workload instead of the suite's; repeatable; globs" },
	{ 'b', "blocks", "N", "run exactly N blocks of each workload (no time budget unless given)" },
	{ 0, "max-blocks", "N", "at most N blocks" },
	{ 'd', "duration", "TIME", "measured time of a trial, like 500ms or 10s" },
	{ 0, "warmup", "TIME", "run before it and discarded" },
	{ 0, "time-budget", "TIME", "start no round that would not fit; 0 is no budget" },
	{ 0, "target", "SHARE", "stop when every interval's half-width is below it, like 2%" },
	{ 0, "baseline", "TECHNIQUE", "compare with this technique (default native)" },
	{ 0, "margin", "SHARE", "a tax proven smaller than this counts as none (default 3%)" },
	{ 0, "seed", "N", "seed of the random order (default: from the system's entropy)" },
	{ 0, "pin", "on|off", "client and SUT on a core each (default on)" },
	{ 0, "steer", "on|off", "each side's CPU handles what it receives (RPS), as with two machines (default off)" },
	{ 0, "offload", "on|off", "checksum and segmentation offloads of the cable (default on)" },
	{ 0, "mtu", "BYTES", "MTU of the cable (default 1500)" },
	{ 0, "start-timeout", "TIME", "an environment that says nothing for so long has failed (default 30s)" },
	{ 0, "max-steal", "SHARE", "a trial with more stolen CPU time is invalid (default 5%)" },
	{ 0, "max-other-load", "SHARE", "likewise for CPU time of other processes (default 10%)" },
	{ 'o', "out", "DIR", "results folder (default ./vtax-results/CAMPAIGN)" },
	OUTPUT_FLAGS,
	{ 'n', "dry-run", NULL, "print the plan and a time estimate, run nothing" },
	PROGRESS_FLAGS,
	{ .name = NULL },
};

/* The flags that run, resume and report share. True when it was one of them. */
static bool take_output(struct request *q, const char *name, const char *arg)
{
	if (strcmp(name, "json") == 0)
		q->output.json = arg;
	else if (strcmp(name, "csv") == 0)
		q->output.csv = arg;
	else if (strcmp(name, "markdown") == 0)
		q->output.markdown = arg;
	else if (strcmp(name, "all-metrics") == 0)
		q->output.all_metrics = true;
	else if (strcmp(name, "no-html") == 0)
		q->output.html = false;
	else if (strcmp(name, "quiet") == 0)
		q->quiet = true;
	else if (strcmp(name, "verbose") == 0)
		log_set_level(LOG_DEBUG);
	else
		return false;
	return true;
}

static const struct opt_def seed_option = { "seed", OPT_UINT, NULL, NULL, 0, (UINT64_C(1) << 53) - 1, "" };

/* Checked at once, on a plan that is thrown away; applied when the suite has been read. */
static int take_scalar(struct request *q, const char *name, const char *arg, struct vt_err *err)
{
	struct plan scratch;

	plan_init(&scratch);
	strvec_push(&q->keys, name);
	strvec_push(&q->values, arg);
	return plan_set(&scratch, name, arg, NULL, err);
}

static int take_flag(struct request *q, const struct flag *f, const char *arg, struct vt_err *err)
{
	if (take_output(q, f->name, arg))
		return 0;
	if (strcmp(f->name, "suite") == 0)
		q->suite = arg;
	else if (strcmp(f->name, "technique") == 0)
		return technique_expand(arg, &q->techniques, err);
	else if (strcmp(f->name, "workload") == 0)
		return workload_expand(arg, &q->workloads, err);
	else if (strcmp(f->name, "baseline") == 0)
		q->baseline = arg;
	else if (strcmp(f->name, "out") == 0)
		q->out = arg;
	else if (strcmp(f->name, "dry-run") == 0)
		q->dry_run = true;
	else if (strcmp(f->name, "margin") == 0)
		return output_margin(arg, &q->output.report.margin, err);
	else if (strcmp(f->name, "seed") == 0) {
		q->seed_given = true;
		return opt_parse_value(&seed_option, arg, NULL, &q->seed, err);
	} else
		return take_scalar(q, f->name, arg, err);
	return 0;
}

static int expand_plan(struct plan *p, struct vt_err *err)
{
	struct strvec t = STRVEC_INIT, w = STRVEC_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->techniques.n; i++)
		r = technique_expand(p->techniques.v[i], &t, err);
	for (size_t i = 0; r == 0 && i < p->workloads.n; i++)
		r = workload_expand(p->workloads.v[i], &w, err);
	if (r < 0) {
		strvec_release(&t);
		strvec_release(&w);
		return r;
	}
	strvec_release(&p->techniques);
	strvec_release(&p->workloads);
	p->techniques = t;
	p->workloads = w;
	return 0;
}

static void replace_list(struct strvec *into, struct strvec *from)
{
	if (!from->n)
		return;
	strvec_release(into);
	*into = *from;
	*from = STRVEC_INIT;
}

/*
 * What the flags say goes over what the suite says. --blocks N means exactly N: it sets both bounds and lifts the
 * suite's time budget; --max-blocks and --time-budget given beside it hold.
 */
static void apply(struct request *q, struct plan *p)
{
	bool blocks = strvec_contains(&q->keys, "blocks");

	replace_list(&p->techniques, &q->techniques);
	replace_list(&p->workloads, &q->workloads);
	if (blocks)
		p->time_budget_ns = 0;
	for (size_t i = 0; i < q->keys.n; i++)
		plan_set(p, q->keys.v[i], q->values.v[i], "", NULL); /* checked when it was taken */
	if (!strvec_contains(&q->keys, "max-blocks")) {
		if (blocks)
			p->blocks_max = p->blocks_min;
	} else if (!blocks && p->blocks_min > p->blocks_max) {
		p->blocks_min = p->blocks_max;
	}
	if (q->baseline) {
		free(p->baseline);
		p->baseline = xstrdup(q->baseline);
	}
}

static void print_order(const struct campaign *c, size_t w)
{
	_cleanup_free_ unsigned *order = xcalloc(c->ntechniques, sizeof *order);
	const char *sep = "";

	schedule_techniques(c->seed, 0, (unsigned)w, order, c->ntechniques);
	printf("  %s\n    first block:", c->workloads[w].text);
	for (size_t i = 0; i < c->ntechniques; i++) {
		if (c->cells[w * c->ntechniques + order[i]].not_run)
			continue;
		printf("%s %s", sep, c->techniques[order[i]].label);
		sep = ",";
	}
	putchar('\n');
	for (size_t t = 0; t < c->ntechniques; t++)
		if (c->cells[w * c->ntechniques + t].not_run)
			printf("    not run: %s: %s\n", c->techniques[t].label, c->cells[w * c->ntechniques + t].not_run);
}

static void print_dry_run(const struct campaign *c)
{
	unsigned planned = campaign_planned_rounds(c);
	char total[32], trial[32], warmup[32];

	units_duration(total, sizeof total, campaign_estimate_ns(c, planned));
	units_format(trial, sizeof trial, (double)c->plan.duration_ns, "ns");
	units_format(warmup, sizeof warmup, (double)c->plan.warmup_ns, "ns");
	printf("suite %s, seed %llu, baseline %s\n", c->plan.suite, (unsigned long long)c->seed,
		c->techniques[c->baseline].label);
	printf("each trial: %s warm-up and %s measured; %s, offloads %s\n", warmup, trial,
		c->plan.pin ? "pinned" : "not pinned", c->plan.offload ? "on" : "off");
	printf("workloads and techniques:\n");
	for (size_t w = 0; w < c->nworkloads; w++)
		print_order(c, w);
	printf("about %u blocks of each workload, about %s\n", planned, total);
}

static bool only_baseline_runs(const struct campaign *c)
{
	if (c->ntechniques < 2)
		return false;
	for (size_t w = 0; w < c->nworkloads; w++)
		for (size_t t = 0; t < c->ntechniques; t++)
			if (t != c->baseline && !c->cells[w * c->ntechniques + t].not_run)
				return false;
	return true;
}

/* Runs what *c holds and reports it, whether it ended by itself or was interrupted. */
static int carry_out(struct campaign *c, struct request *q)
{
	struct campaign_events events;
	struct vt_err err = { 0 }, report_err = { 0 };
	bool no_valid = false, lonely;
	char *dir;
	int r, status = EXIT_OK;

	catch_signals();
	progress_start(&events, q->quiet);
	r = campaign_run(c, q->out, &events, &cancel, &err);
	progress_stop();
	lonely = only_baseline_runs(c);
	dir = c->dir ? xstrdup(c->dir) : NULL;
	if (r < 0)
		status = verb_fail(&err);
	if (dir && c->next_sequence > 0) {
		if (output_campaign(dir, &q->output, &no_valid, &report_err) < 0)
			status = verb_fail(&report_err);
		log_info("results: %s", dir);
		if (r < 0)
			log_info("go on with: vtax resume %s", dir);
		else if (no_valid && status == EXIT_OK)
			status = EXIT_INVALID;
		else if (lonely && status == EXIT_OK)
			status = EXIT_CANNOT_RUN;
	}
	free(dir);
	return status;
}

static struct request fresh_request(void)
{
	return (struct request){
		.output = { .html = true, .table = true },
	};
}

static int run_request(struct request *q)
{
	_cleanup_free_ char *agent = agent_path();
	struct campaign c = { 0 };
	struct vt_err err = { 0 };
	struct plan plan;
	int status;

	if (plan_load(&plan, q->suite, &err) < 0)
		return verb_fail(&err);
	apply(q, &plan);
	if (expand_plan(&plan, &err) < 0 ||
		campaign_init(&c, &plan, q->seed_given ? q->seed : schedule_fresh_seed(), agent, &err) < 0) {
		plan_release(&plan);
		return verb_fail(&err);
	}
	if (q->dry_run) {
		print_dry_run(&c);
		status = EXIT_OK;
	} else {
		status = carry_out(&c, q);
	}
	campaign_release(&c);
	return status;
}

static int run(int argc, char **argv)
{
	struct request q = fresh_request();
	struct vt_err err = { 0 };
	const struct flag *f;
	const char *arg;
	int rest, status;

	while ((f = verb_next(&verb_run, argc, argv, &arg, &rest, &status)))
		if (take_flag(&q, f, arg, &err) < 0) {
			request_release(&q);
			return verb_fail(&err);
		}
	if (status < 0 && argc - rest > 1)
		status = verb_usage(&verb_run, "one suite at a time, not '%s' and '%s'", argv[rest], argv[rest + 1]);
	if (status < 0) {
		if (argc - rest == 1 && q.suite)
			status = verb_usage(&verb_run, "one suite at a time, not '%s' and '%s'", q.suite, argv[rest]);
		else if (argc - rest == 1)
			q.suite = argv[rest];
	}
	if (status < 0) {
		if (!q.suite)
			q.suite = "quick";
		status = run_request(&q);
	}
	request_release(&q);
	return status;
}

const struct verb verb_run = {
	.name = "run",
	.args = "[SUITE] [FLAGS]",
	.summary = "measure: run a suite and print what each technique costs",
	.details = "Without arguments it runs the suite 'quick'. Examples:\n"
		   "  vtax run                                  the network tax of containers\n"
		   "  vtax run -w tcp_rr -t 'oci:net=*'         one workload, every network mode\n"
		   "  vtax run -t native -t native:label=again  A against A: this machine's noise\n"
		   "  vtax run -t delay:us=50 -t delay:us=0 --baseline delay:us=0 -w tcp_rr\n",
	.flags = run_flags,
	.run = run,
};

static const struct flag resume_flags[] = {
	OUTPUT_FLAGS,
	PROGRESS_FLAGS,
	{ .name = NULL },
};

static int resume(int argc, char **argv)
{
	_cleanup_free_ char *agent = agent_path();
	_cleanup_free_ char *dir = NULL;
	struct request q = fresh_request();
	struct campaign c = { 0 };
	struct vt_err err = { 0 };
	const struct flag *f;
	const char *arg;
	int rest, status;

	while ((f = verb_next(&verb_resume, argc, argv, &arg, &rest, &status)))
		take_output(&q, f->name, arg);
	if (status >= 0)
		return status;
	if (argc - rest > 1)
		return verb_usage(&verb_resume, "one campaign at a time");
	if (campaign_find_dir(argc - rest == 1 ? argv[rest] : NULL, &dir, &err) < 0 ||
		campaign_resume(&c, dir, agent, &err) < 0)
		return verb_fail(&err);
	status = carry_out(&c, &q);
	campaign_release(&c);
	return status;
}

const struct verb verb_resume = {
	.name = "resume",
	.args = "[CAMPAIGN] [FLAGS]",
	.summary = "go on with a campaign that was interrupted",
	.details = "CAMPAIGN is a results folder or the name of one in ./vtax-results; the newest when left out.\n"
		   "Trials that are stored are not run again; the order goes on as it was drawn.\n",
	.flags = resume_flags,
	.run = resume,
};
