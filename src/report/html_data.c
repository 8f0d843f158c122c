/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON for people, and the command line that repeats a campaign. */
#include "report/html.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "report/text.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define DEPTH_MAX 12 /* nested deeper, a value is shown as JSON */

static bool is_scalar(const json_t *j)
{
	return !json_is_object(j) && !json_is_array(j);
}

static void scalar(const json_t *j, struct buf *out)
{
	_cleanup_free_ char *text = NULL;

	if (json_is_string(j)) {
		text_html(out, *json_string_value(j) ? json_string_value(j) : "–");
		return;
	}
	if (json_is_null(j)) {
		buf_puts(out, "<span class=\"ci\">unknown</span>");
		return;
	}
	text = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
	text_html(out, text ? text : "");
}

/* "level 1, type Data, size 48K": an object of plain values on one line, as a list of such objects reads
 * best. */
static bool one_line(const json_t *j, struct buf *out)
{
	const char *key, *sep = "";
	json_t *v;

	if (!json_is_object(j))
		return false;
	json_object_foreach((json_t *)(uintptr_t)j, key, v)
	{
		if (!is_scalar(v))
			return false;
	}
	json_object_foreach((json_t *)(uintptr_t)j, key, v)
	{
		buf_printf(out, "%s<span class=\"ci\">", sep);
		text_html(out, key);
		buf_puts(out, "</span> ");
		scalar(v, out);
		sep = ", ";
	}
	return true;
}

static void value(const json_t *j, unsigned depth, struct buf *out)
{
	const char *key;
	json_t *v;
	size_t i;

	if (is_scalar(j) || depth == DEPTH_MAX) {
		scalar(j, out);
		return;
	}
	if (json_is_array(j)) {
		json_array_foreach(j, i, v)
		{
			buf_puts(out, i ? (is_scalar(v) ? ", " : "<br>") : "");
			if (!one_line(v, out))
				value(v, depth + 1, out);
		}
		return;
	}
	buf_puts(out, "<dl>");
	json_object_foreach((json_t *)(uintptr_t)j, key, v)
	{
		buf_puts(out, "<dt>");
		text_html(out, key);
		buf_puts(out, "</dt><dd>");
		value(v, depth + 1, out);
		buf_puts(out, "</dd>\n");
	}
	buf_puts(out, "</dl>\n");
}

void html_json(const char *json, struct buf *out)
{
	json_auto_t *j = json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;

	if (j) {
		value(j, 0, out);
	} else if (json && *json) {
		buf_puts(out, "<pre>");
		text_html(out, json);
		buf_puts(out, "</pre>\n");
	} else {
		buf_puts(out, "<p>Not recorded.</p>\n");
	}
}

static void add_duration(struct buf *cmd, const json_t *plan, const char *key, const char *flag)
{
	const json_t *v = json_object_get(plan, key);
	json_int_t ns = json_integer_value(v);

	if (!json_is_integer(v))
		return;
	if (ns % 1000000 == 0)
		buf_printf(cmd, " %s %" JSON_INTEGER_FORMAT "ms", flag, ns / 1000000);
	else
		buf_printf(cmd, " %s %" JSON_INTEGER_FORMAT "ns", flag, ns);
}

static void add_switch(struct buf *cmd, const json_t *plan, const char *key)
{
	if (json_is_false(json_object_get(plan, key)))
		buf_printf(cmd, " --%s off", key);
}

static void add_word(struct buf *cmd, const char *flag, const char *word)
{
	buf_printf(cmd, " \\\n  %s ", flag);
	text_shell(cmd, word);
}

/* Each technique and workload once, in plan order. */
static void add_cells(const struct report *r, struct buf *cmd)
{
	for (size_t c = 0; c < r->ncells; c++) {
		size_t i = 0;

		while (r->cells[i].technique != r->cells[c].technique)
			i++;
		if (i == c)
			add_word(cmd, "-t", r->cells[c].technique_text);
	}
	for (size_t c = 0; c < r->ncells; c = report_next(r, c))
		add_word(cmd, "-w", r->cells[c].workload_text);
}

void html_command(const struct report *r, struct buf *out)
{
	json_auto_t *plan = r->campaign.plan ? json_loads(r->campaign.plan, 0, NULL) : NULL;
	_cleanup_buf_ struct buf cmd = BUF_INIT(1 << 20);
	json_int_t mtu = json_integer_value(json_object_get(plan, "mtu"));

	buf_printf(&cmd, "sudo vtax run --seed %" PRIu64, r->campaign.seed);
	if (r->nblocks)
		buf_printf(&cmd, " --blocks %zu", r->nblocks);
	add_duration(&cmd, plan, "duration_ns", "--duration");
	add_duration(&cmd, plan, "warmup_ns", "--warmup");
	add_switch(&cmd, plan, "pin");
	add_switch(&cmd, plan, "offload");
	if (mtu > 0)
		buf_printf(&cmd, " --mtu %" JSON_INTEGER_FORMAT, mtu);
	if (strcmp(r->baseline, "native") != 0)
		add_word(&cmd, "--baseline", r->baseline);
	add_cells(r, &cmd);
	buf_puts(out, "<pre>");
	/* Line ends are ours, and text_html() would make spaces of them. */
	for (const char *p = buf_str(&cmd); *p;) {
		size_t len = strcspn(p, "\n");
		_cleanup_free_ char *line = xasprintf("%.*s", (int)len, p);

		text_html(out, line);
		p += len + (p[len] == '\n');
		buf_puts(out, *p ? "\n" : "");
	}
	buf_puts(out, "</pre>\n");
}
