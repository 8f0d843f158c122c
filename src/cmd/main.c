/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program: find the verb, run it, make sure that what it printed arrived. */
#include "cmd/verb.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/suggest.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>

extern const struct verb verb_run, verb_resume, verb_report, verb_doctor, verb_list, verb_clean, verb_help_verb,
	verb_completion;

const struct verb *const verbs[] = {
	&verb_run, &verb_resume, &verb_report, &verb_doctor, &verb_list, &verb_clean, &verb_help_verb, &verb_completion, NULL,
};

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

int verb_fail(const struct vt_err *err)
{
	struct vt_err e = *err;

	vt_err_sanitize(&e);
	log_error("%s", e.msg);
	if (e.code == -EINTR)
		return EXIT_INTERRUPTED;
	switch (e.kind) {
	case VT_ERR_USAGE:
		return EXIT_USAGE;
	case VT_ERR_INVALID:
		return EXIT_INVALID;
	default:
		return EXIT_CANNOT_RUN;
	}
}

int verb_usage(const struct verb *v, const char *fmt, ...)
{
	char msg[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	log_error("%s ('vtax %s --help' shows how it is used)", msg, v->name);
	return EXIT_USAGE;
}

int verb_finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	log_error("cannot write to standard output: %s", strerror(errno));
	return status ? status : EXIT_CANNOT_RUN;
}

#define MAX_FLAGS 40

/* getopt's tables from ours; 'h' and --help come with every verb. */
static void getopt_tables(const struct verb *v, struct option *longs, char *shorts)
{
	size_t n = 0, k = 0;

	shorts[k++] = ':';
	for (const struct flag *f = v->flags; f && f->name && n < MAX_FLAGS; f++, n++) {
		longs[n] = (struct option){ f->name, f->arg ? required_argument : no_argument, NULL, 256 + (int)n };
		if (f->letter) {
			shorts[k++] = f->letter;
			if (f->arg)
				shorts[k++] = ':';
		}
	}
	longs[n++] = (struct option){ "help", no_argument, NULL, 'h' };
	longs[n] = (struct option){ 0 };
	shorts[k++] = 'h';
	shorts[k] = '\0';
}

static const struct flag *flag_of(const struct verb *v, int c)
{
	if (c >= 256)
		return &v->flags[c - 256];
	for (const struct flag *f = v->flags; f && f->name; f++)
		if (f->letter == c)
			return f;
	return NULL;
}

static int unknown_flag(const struct verb *v, const char *word)
{
	const char *names[MAX_FLAGS], *near;
	char name[64];
	size_t n = 0;

	snprintf(name, sizeof name, "%s", word);
	name[strcspn(name, "=")] = '\0';
	if (strncmp(word, "--", 2) != 0)
		return verb_usage(v, "no such flag '%s'", name);
	for (const struct flag *f = v->flags; f && f->name && n < MAX_FLAGS; f++)
		names[n++] = f->name;
	near = suggest_nearest(name + 2, names, n);
	if (near)
		return verb_usage(v, "no such flag '%s': did you mean '--%s'?", name, near);
	return verb_usage(v, "no such flag '%s'", name);
}

/*
 * What getopt did not like. It has just stepped over a long flag; of a group of letters it may still be inside, and
 * names the letter in optopt. (Where optind was before the call says nothing: operands may stand in between.)
 */
static int bad_flag(const struct verb *v, int c, char **argv)
{
	char letter[] = { '-', (char)optopt, '\0' };
	const char *word = optopt > 0 && optopt < 256 ? letter : argv[optind - 1];

	if (c == ':')
		return verb_usage(v, "'%s' needs an argument", word);
	if (optopt >= 256)
		return verb_usage(v, "'--%s' takes no argument", v->flags[optopt - 256].name);
	return unknown_flag(v, word);
}

const struct flag *verb_next(const struct verb *v, int argc, char **argv, const char **arg, int *rest, int *status)
{
	struct option longs[MAX_FLAGS + 2];
	char shorts[2 * MAX_FLAGS + 4];
	int c;

	getopt_tables(v, longs, shorts);
	opterr = 0;
	c = getopt_long(argc, argv, shorts, longs, NULL);
	*arg = optarg;
	*rest = optind;
	*status = -1;
	if (c == 'h') {
		verb_help(v, stdout);
		*status = EXIT_OK;
	} else if (c == ':' || c == '?') {
		*status = bad_flag(v, c, argv);
	}
	return *status >= 0 || c == -1 ? NULL : flag_of(v, c);
}

static int no_such_verb(const char *name)
{
	const char *names[ARRAY_SIZE(verbs)], *near;
	size_t n = 0;

	for (; verbs[n]; n++)
		names[n] = verbs[n]->name;
	near = suggest_nearest(name, names, n);
	if (near)
		log_error("no such command '%s': did you mean '%s'?", name, near);
	else
		log_error("no such command '%s': 'vtax help' shows all", name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const struct verb *v;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		char *help[] = { (char *)"help", NULL };

		verb_help_verb.run(1, help);
		return verb_finish(argc < 2 ? EXIT_USAGE : EXIT_OK);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("vtax %s\n", VTAX_VERSION);
		return verb_finish(EXIT_OK);
	}
	v = verb_find(argv[1]);
	if (!v)
		return no_such_verb(argv[1]);
	return verb_finish(v->run(argc - 1, argv + 1));
}
