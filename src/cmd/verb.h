/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A verb is a sub-command. How to add one: a file here with a `const struct verb verb_NAME`, one line in
 * main.c's table, a section in docs/man/vtax.1.scd, and a word in the completion (made from this table).
 */
#ifndef VTAX_CMD_VERB_H
#define VTAX_CMD_VERB_H

#include "base/err.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit codes; documented in docs/manual.md. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_REGRESSION = 1,
	EXIT_USAGE = 2,
	EXIT_INVALID = 3,
	EXIT_CANNOT_RUN = 77,
	EXIT_INTERRUPTED = 130,
};

/* One flag of a verb: the parser, the help and the completion are made from it. */
struct flag {
	char letter;	  /* 0: none */
	const char *name; /* "duration" */
	const char *arg;  /* "TIME"; NULL: a switch */
	const char *help;
};

struct verb {
	const char *name, *args, *summary, *details;
	const struct flag *flags; /* ends with name NULL; --help is understood by all */
	int (*run)(int argc, char **argv);
};

extern const struct verb *const verbs[]; /* NULL-terminated */
const struct verb *verb_find(const char *name);

/*
 * Steps through a verb's command line. Returns the flag given (its argument in *arg), NULL at the end of the
 * flags (*rest is the index of the first operand) or on an error (*status set: exit with it). Prints usage
 * errors and --help itself.
 */
const struct flag *verb_next(const struct verb *v, int argc, char **argv, const char **arg, int *rest, int *status);

void verb_help(const struct verb *v, FILE *out);

/* Prints the error as one line and returns the exit code of its kind. */
int verb_fail(const struct vt_err *err);
int verb_usage(const struct verb *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Flushes stdout; a full disk or closed pipe must not look like success. */
int verb_finish(int status);

#endif
