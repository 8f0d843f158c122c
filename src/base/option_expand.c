/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Globs in option values: "net=*,rootfs=b*" becomes every combination that matches. Each piece of the text is
 * a list of alternatives (one, when it has no glob); the combinations are counted before any is made, so that
 * a plan cannot ask for millions, and then numbered like a mixed-radix counter whose last piece turns
 * fastest.
 */
#include "base/option.h"

#include "base/cleanup.h"

#include <fnmatch.h>
#include <string.h>

#define PIECES_MAX 64
#define RESULTS_MAX 256

/* The words that "key=glob" may stand for: "a|b|c", or NULL when the piece is to be taken as it is. */
static const char *choices_of(const struct opt_def *const *tables, const char *piece)
{
	size_t key = strcspn(piece, "=");

	if (!piece[key] || !strpbrk(piece + key + 1, "*?["))
		return NULL;
	for (; tables && *tables; tables++)
		for (const struct opt_def *d = *tables; d->name; d++) {
			if (strlen(d->name) != key || memcmp(d->name, piece, key) != 0)
				continue;
			if (d->type == OPT_ENUM)
				return d->choices;
			return d->type == OPT_BOOL ? "on|off" : NULL;
		}
	return NULL; /* unknown: opt_parse() says so, with a suggestion */
}

static int alternatives(const struct opt_def *const *tables, const char *piece, const char *owner,
	struct strvec *out, struct vt_err *err)
{
	const char *choices = choices_of(tables, piece);
	size_t key = strcspn(piece, "=");

	if (!choices) {
		strvec_push(out, piece);
		return 0;
	}
	for (const char *c = choices; *c;) {
		size_t len = strcspn(c, "|");
		char word[128];

		snprintf(word, sizeof word, "%.*s", (int)len, c);
		if (fnmatch(piece + key + 1, word, 0) == 0)
			strvec_pushf(out, "%.*s=%s", (int)key, piece, word);
		c += len + (c[len] == '|');
	}
	if (out->n == 0)
		return vt_usage(err, "'%.64s' matches none of %s of '%s'", piece, choices, owner);
	return 0;
}

static void combine(const struct strvec *alts, size_t n, size_t total, struct strvec *out)
{
	for (size_t k = 0; k < total; k++) {
		_cleanup_buf_ struct buf text = BUF_INIT(4 * OPT_TEXT_MAX);
		size_t radix = total, rest = k;

		for (size_t i = 0; i < n; i++) {
			radix /= alts[i].n;
			buf_printf(&text, "%s%s", i ? "," : "", alts[i].v[rest / radix]);
			rest %= radix;
		}
		strvec_push(out, buf_str(&text));
	}
}

int opt_expand(const struct opt_def *const *tables, const char *text, const char *owner, struct strvec *out,
	struct vt_err *err)
{
	struct strvec alts[PIECES_MAX] = { 0 };
	_cleanup_free_ char *copy = NULL;
	size_t n = 0, total = 1;
	char *next;
	int r = 0;

	text = text ? text : "";
	if (strnlen(text, OPT_TEXT_MAX + 1) > OPT_TEXT_MAX)
		return vt_usage(err, "the options of '%s' are longer than %d bytes; shorten them", owner,
			OPT_TEXT_MAX);
	next = copy = strdup(text);
	if (!copy)
		return vt_fail(err, -ENOMEM, "out of memory");
	for (char *piece = strsep(&next, ","); piece && r == 0; piece = strsep(&next, ",")) {
		if (n == PIECES_MAX) {
			r = vt_usage(err, "'%s' is given more than %d options; remove some", owner,
				PIECES_MAX);
			break;
		}
		r = alternatives(tables, piece, owner, &alts[n++], err);
		if (r == 0 && (total *= alts[n - 1].n) > RESULTS_MAX)
			r = vt_usage(err, "'%.64s' of '%s' stands for more than %d combinations; narrow it",
				text, owner, RESULTS_MAX);
	}
	if (r == 0)
		combine(alts, n, total, out);
	for (size_t i = 0; i < n; i++)
		strvec_release(&alts[i]);
	return r;
}
