/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as options of a table that has every type. What is accepted formats back to a text that gives the
 * same values; what a glob expands to has no glob left where a word was expected; what is refused says why in
 * one line and leaves the outputs alone.
 */
#include "base/cleanup.h"
#include "base/option.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct opt_def own[] = {
	{ "net", OPT_ENUM, "bridge", "host|bridge|nat|macvlan", 0, 0, "network" },
	{ "ro", OPT_BOOL, NULL, NULL, 0, 0, "read-only" },
	{ "n", OPT_UINT, "1", NULL, 1, 64, "count" },
	{ "any", OPT_UINT, NULL, NULL, 0, 0, "number" },
	{ "mem", OPT_SIZE, "64M", NULL, 0, 0, "memory" },
	{ "t", OPT_DURATION, "1.5s", NULL, 1, UINT64_C(3600000000000), "time" },
	OPT_END,
};
static const struct opt_def common[] = { { "label", OPT_STRING, NULL, NULL, 0, 0, "name" }, OPT_END };
static const struct opt_def *const tables[] = { own, common, NULL };

static void require(int true_)
{
	if (!true_)
		abort();
}

static void check_refusal(const struct vt_err *err)
{
	require(err->kind == VT_ERR_USAGE && err->code < 0 && err->msg[0] &&
		strlen(err->msg) < sizeof err->msg - 1);
}

static void same_values(const struct opt_set *a, const struct opt_set *b)
{
	require(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct opt_val *x = &a->vals[i], *y = &b->vals[i];

		require(x->num == y->num && !x->text == !y->text);
		require(!x->text || strcmp(x->text, y->text) == 0);
	}
}

static void check_parse(const char *text)
{
	_cleanup_buf_ struct buf out = BUF_INIT(2 * OPT_TEXT_MAX);
	struct opt_set set = OPT_SET_INIT, again = OPT_SET_INIT;
	struct vt_err err = { 0 };

	if (opt_parse(&set, tables, text, "fuzz", &err) < 0) {
		check_refusal(&err);
		require(!set.vals && !set.n);
		return;
	}
	require(opt_num(&set, "n") >= 1 && opt_num(&set, "n") <= 64);
	require(opt_num(&set, "net") < 4 && opt_num(&set, "ro") <= 1);
	require(opt_format(&set, false, &out) == 0);
	/* "ro" comes back as "ro=on": a text at the limit may have grown past it. */
	if (out.len <= OPT_TEXT_MAX) {
		require(opt_parse(&again, tables, buf_str(&out), "fuzz", NULL) == 0);
		same_values(&set, &again);
	}
	opt_release(&again);
	opt_release(&set);
}

static void check_expand(const char *text)
{
	_cleanup_strvec_ struct strvec out = STRVEC_INIT;
	struct vt_err err = { 0 };

	if (opt_expand(tables, text, "fuzz", &out, &err) < 0) {
		check_refusal(&err);
		require(out.n == 0);
		return;
	}
	require(out.n >= 1 && out.n <= 256);
	for (size_t i = 0; i < out.n; i++) {
		_cleanup_strvec_ struct strvec once = STRVEC_INIT;

		/* Expanding again changes nothing. Past the limit it may be refused, never multiplied. */
		if (opt_expand(tables, out.v[i], "fuzz", &once, NULL) == 0)
			require(once.n == 1 && strcmp(once.v[0], out.v[i]) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check_parse(text);
	check_expand(text);
	return 0;
}
