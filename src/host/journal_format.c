/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pure text, no files: what the fuzzer and the unit tests feed directly. The parser trusts nothing: it must
 * neither crash nor invent an entry from a line that journal_format_line() would not have written.
 */
#include "host/journal_format.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC "vtax-journal 1 "

static const char *const kind_names[] = {
	[UNDO_NETNS] = "netns",
	[UNDO_MOUNT] = "mount",
	[UNDO_CGROUP] = "cgroup",
	[UNDO_PID] = "pid",
	[UNDO_FILE] = "file",
	[UNDO_TREE] = "tree",
	[UNDO_COMMAND] = "command",
	[UNDO_LINK] = "link",
};

const char *undo_kind_name(enum undo_kind kind)
{
	return (size_t)kind < ARRAY_SIZE(kind_names) ? kind_names[kind] : NULL;
}

static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

int journal_format_line(struct buf *out, enum undo_kind kind, const char *arg)
{
	size_t len = strlen(arg);
	int r;

	if (!undo_kind_name(kind) || len == 0 || len > JOURNAL_ARG_MAX)
		return -EINVAL;
	r = buf_printf(out, "%s ", undo_kind_name(kind));
	for (size_t i = 0; r == 0 && i < len; i++) {
		unsigned char c = (unsigned char)arg[i];

		r = is_plain(c) ? buf_add(out, &arg[i], 1) : buf_printf(out, "\\x%02x", c);
	}
	return r < 0 ? r : buf_puts(out, "\n");
}

int journal_format_header(struct buf *out, const char *boot_id, uint64_t pid, uint64_t start)
{
	return buf_printf(out, MAGIC "%s %" PRIu64 " %" PRIu64 "\n", boot_id, pid, start);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The argument as it was, malloc'ed; NULL when it is not as we write it. */
static char *unescape(const char *p, size_t len)
{
	_cleanup_free_ char *out = NULL;
	size_t n = 0;

	if (len == 0 || len > JOURNAL_ARG_MAX * (size_t)4)
		return NULL;
	out = xmalloc(len + 1);
	for (size_t i = 0; i < len; i++) {
		int hi, lo;

		if (is_plain((unsigned char)p[i])) {
			out[n++] = p[i];
			continue;
		}
		if (p[i] != '\\' || len - i < 4 || p[i + 1] != 'x')
			return NULL;
		hi = hex_digit(p[i + 2]);
		lo = hex_digit(p[i + 3]);
		if (hi < 0 || lo < 0 || (hi == 0 && lo == 0) || is_plain((unsigned char)(hi * 16 + lo)))
			return NULL;
		out[n++] = (char)(hi * 16 + lo);
		i += 3;
	}
	out[n] = '\0';
	return n <= JOURNAL_ARG_MAX ? steal_ptr(out) : NULL;
}

void journal_text_push(struct journal_text *t, enum undo_kind kind, char *arg, size_t end)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 32;
		t->entries = xrealloc(t->entries, t->cap * sizeof *t->entries);
	}
	t->entries[t->n++] = (struct journal_entry){ .kind = kind, .arg = arg, .end = end };
	t->end = end;
}

void journal_text_pop(struct journal_text *t)
{
	free(t->entries[--t->n].arg);
	t->end = t->n ? t->entries[t->n - 1].end : t->header_end;
}

void journal_text_release(struct journal_text *t)
{
	while (t->n)
		journal_text_pop(t);
	free(t->entries);
	*t = JOURNAL_TEXT_INIT;
}

static bool parse_entry(struct journal_text *t, const char *line, size_t len, size_t end)
{
	const char *blank = memchr(line, ' ', len);
	size_t word = blank ? (size_t)(blank - line) : 0;

	for (size_t k = 0; word && k < ARRAY_SIZE(kind_names); k++) {
		char *arg;

		if (strlen(kind_names[k]) != word || memcmp(line, kind_names[k], word) != 0)
			continue;
		arg = unescape(blank + 1, len - word - 1);
		if (arg)
			journal_text_push(t, (enum undo_kind)k, arg, end);
		return arg != NULL;
	}
	return false;
}

static int parse_header(struct journal_text *t, const char *line, size_t len)
{
	char text[160], boot[JOURNAL_BOOT_ID_MAX], extra;
	uint64_t pid, start;

	if (len >= sizeof text || len < strlen(MAGIC) || memcmp(line, MAGIC, strlen(MAGIC)) != 0 ||
		memchr(line, '\0', len))
		return -EBADMSG;
	memcpy(text, line, len);
	text[len] = '\0';
	if (sscanf(text + strlen(MAGIC), "%39[0-9a-f-] %" SCNu64 " %" SCNu64 "%c", boot, &pid, &start,
		    &extra) != 3)
		return -EBADMSG;
	memcpy(t->boot_id, boot, sizeof boot);
	t->owner_pid = pid;
	t->owner_start = start;
	return 0;
}

int journal_parse(struct journal_text *t, const char *data, size_t len)
{
	size_t at = 0, line = 0;

	while (at < len) {
		const char *nl = memchr(data + at, '\n', len - at);
		size_t end;

		if (!nl)
			break;
		end = (size_t)(nl - data) + 1;
		line++;
		if (line == 1) {
			if (parse_header(t, data, end - 1) < 0)
				return -EBADMSG;
			t->header_end = end;
		} else if (!parse_entry(t, data + at, end - 1 - at, end)) {
			t->damaged++;
			if (!t->first_damaged_line)
				t->first_damaged_line = line;
		}
		at = t->end = end;
	}
	return line ? 0 : -EBADMSG;
}
