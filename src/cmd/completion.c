/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vtax completion`: a bash completion made from the verb, technique and workload tables. */
#include "cmd/verb.h"

#include "technique/technique.h"
#include "workload/workload.h"

#include <string.h>

extern const struct verb verb_completion;

static void words(const char *name)
{
	printf("\tlocal %s=\"", name);
}

static void flags_case(void)
{
	printf("\tcase $verb in\n");
	for (size_t i = 0; verbs[i]; i++) {
		printf("\t%s) flags=\"--help", verbs[i]->name);
		for (const struct flag *f = verbs[i]->flags; f && f->name; f++)
			printf(" --%s", f->name);
		printf("\" ;;\n");
	}
	printf("\tesac\n");
}

static int run(int argc, char **argv)
{
	const char *arg;
	int rest, status;

	verb_next(&verb_completion, argc, argv, &arg, &rest, &status);
	if (status >= 0)
		return status;
	if (argc - rest > 1)
		return verb_usage(&verb_completion, "one shell at a time");
	if (argc - rest == 1 && strcmp(argv[rest], "bash") != 0)
		return verb_usage(&verb_completion, "only bash is known, not '%s'", argv[rest]);
	printf("# bash completion for vtax; made by 'vtax completion bash'\n_vtax()\n{\n");
	printf("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} flags=\n");
	words("verbs");
	for (size_t i = 0; verbs[i]; i++)
		printf("%s%s", i ? " " : "", verbs[i]->name);
	printf(" --version --help\"\n");
	words("techniques");
	for (size_t i = 0; technique_registry[i]; i++)
		printf("%s%s", i ? " " : "", technique_registry[i]->name);
	printf("\"\n");
	words("workloads");
	for (size_t i = 0; workload_registry[i]; i++)
		printf("%s%s", i ? " " : "", workload_registry[i]->name);
	printf("\"\n");
	flags_case();
	printf("\tif ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\")); return; fi\n"
	       "\tcase $prev in\n"
	       "\t-t|--technique|--baseline) COMPREPLY=($(compgen -W \"$techniques\" -- \"$cur\")); return ;;\n"
	       "\t-w|--workload) COMPREPLY=($(compgen -W \"$workloads\" -- \"$cur\")); return ;;\n"
	       "\tlist) COMPREPLY=($(compgen -W \"techniques workloads suites metrics\" -- \"$cur\")); return ;;\n"
	       "\thelp) COMPREPLY=($(compgen -W \"$verbs $techniques $workloads plan\" -- \"$cur\")); return ;;\n"
	       "\tesac\n"
	       "\tif [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\")); return; fi\n"
	       "\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	       "}\ncomplete -F _vtax vtax\n");
	return EXIT_OK;
}

const struct verb verb_completion = {
	.name = "completion",
	.args = "[bash]",
	.summary = "print a bash completion script: source <(vtax completion bash)",
	.run = run,
};
