/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vtax help [VERB|TECHNIQUE|WORKLOAD|plan]`: everything it prints is made from the tables that the parsers use. */
#include "cmd/verb.h"

#include "base/cleanup.h"
#include "technique/technique.h"
#include "workload/workload.h"

#include <string.h>

extern const struct verb verb_help_verb;

static const char plan_help[] =
	"A plan (suite) is a YAML file. Every key is optional but techniques and workloads:\n"
	"\n"
	"  suite: NAME             what the results are called\n"
	"  description: TEXT\n"
	"  duration: 1s            measured time of a trial (ns us ms s m h)\n"
	"  warmup: 100ms           run before it and discarded\n"
	"  blocks: 5               at least this many blocks of each workload, if the budget allows\n"
	"  max_blocks: 30\n"
	"  time_budget: 4m         no round is started that would not fit; 0 is no budget\n"
	"  target: 2%              stop when every interval's half-width is below it; 0 never stops early\n"
	"  pin: on                 client and SUT on a core each\n"
	"  steer: off              each side's CPU handles what it receives (RPS), as with two machines\n"
	"  offload: on             checksum and segmentation offloads of the cable\n"
	"  mtu: 1500\n"
	"  max_steal: 5%           a trial with more stolen CPU time is invalid\n"
	"  max_other_load: 10%     likewise for CPU time of other processes\n"
	"  start_timeout: 30s      an environment that says nothing for so long has failed\n"
	"  baseline: native        technique (or label) that the others are compared with\n"
	"  techniques: [native, \"oci:net=*\", \"docker:net=nat,label=d\"]\n"
	"  workloads: [tcp_rr, \"tcp_stream:message=64K\"]\n"
	"\n"
	"Techniques and workloads are written as on the command line (-t, -w). 'vtax list suites' shows those that\n"
	"come with vtax; a file of your own is run with 'vtax run PATH.yaml'.\n";

void verb_help(const struct verb *v, FILE *out)
{
	fprintf(out, "usage: vtax %s%s%s\n\n%s.\n", v->name, *v->args ? " " : "", v->args, v->summary);
	if (v->details)
		fprintf(out, "\n%s", v->details);
	if (!v->flags || !v->flags->name)
		return;
	fputs("\nFlags:\n", out);
	for (const struct flag *f = v->flags; f->name; f++) {
		char left[64];

		snprintf(left, sizeof left, "%c%c%c --%s%s%s", f->letter ? '-' : ' ', f->letter ? f->letter : ' ',
			f->letter ? ',' : ' ', f->name, f->arg ? " " : "", f->arg ? f->arg : "");
		fprintf(out, "  %-30s %s\n", left, f->help);
	}
	fputs("  -h, --help                     this text\n", out);
}

static void overview(FILE *out)
{
	fputs("vtax measures the virtualization tax: what isolating a workload costs, and where the cost comes from.\n\n"
	      "usage: vtax COMMAND [ARGUMENTS]\n\nCommands:\n",
		out);
	for (size_t i = 0; verbs[i]; i++)
		fprintf(out, "  %-11s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\nStart with 'sudo vtax run', or see what this machine can do with 'vtax doctor'.\n"
	      "'vtax help COMMAND', 'vtax help TECHNIQUE', 'vtax help WORKLOAD' and 'vtax help plan' say more.\n\n"
	      "Exit status: 0 ok, 1 regression or failed gate, 2 usage, 3 inconclusive or invalid, 77 cannot run here,\n"
	      "130 interrupted (what is done is kept: 'vtax resume').\n",
		out);
}

static void tables_help(const struct opt_def *const *tables, struct buf *out)
{
	for (; *tables; tables++)
		opt_help(*tables, out);
}

static void technique_help(const struct technique_ops *ops)
{
	_cleanup_buf_ struct buf b = BUF_INIT(64 << 10);

	buf_printf(&b, "technique %s[:key=value,…] — %s\n\nOptions:\n", ops->name, ops->summary);
	tables_help(technique_tables(ops), &b);
	fputs(buf_str(&b), stdout);
}

static void workload_help(const struct workload_ops *ops)
{
	_cleanup_buf_ struct buf b = BUF_INIT(64 << 10);

	buf_printf(&b, "workload %s[:key=value,…] — %s\n\nOptions:\n", ops->name, ops->summary);
	tables_help(ops->options, &b);
	buf_puts(&b, "\nMetrics (* in the short table):\n");
	for (const struct metric_def *m = ops->metrics; m->name; m++)
		if (workload_metric(ops, m->name) == m)
			buf_printf(&b, "%c %-28s %-8s %s\n", m->primary ? '*' : ' ', m->name, m->unit, m->summary);
	buf_puts(&b, "  and the CPU metrics of every workload: 'vtax list metrics'\n");
	fputs(buf_str(&b), stdout);
}

static int run(int argc, char **argv)
{
	const char *word, *arg;
	int rest, status;

	verb_next(&verb_help_verb, argc, argv, &arg, &rest, &status);
	if (status >= 0)
		return status;
	if (argc - rest > 1)
		return verb_usage(&verb_help_verb, "one thing at a time");
	word = argv[rest];
	if (!word) {
		overview(stdout);
		return EXIT_OK;
	}
	if (strcmp(word, "plan") == 0) {
		fputs(plan_help, stdout);
		return EXIT_OK;
	}
	if (verb_find(word)) {
		verb_help(verb_find(word), stdout);
		return EXIT_OK;
	}
	if (workload_find(word)) {
		workload_help(workload_find(word));
		return EXIT_OK;
	}
	if (technique_find(word)) {
		technique_help(technique_find(word));
		return EXIT_OK;
	}
	return verb_usage(&verb_help_verb, "nothing is called '%s'", word);
}

const struct verb verb_help_verb = {
	.name = "help",
	.args = "[COMMAND|TECHNIQUE|WORKLOAD|plan]",
	.summary = "explain a command, a technique, a workload or the plan format",
	.run = run,
};
