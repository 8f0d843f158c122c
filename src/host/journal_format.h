/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of an undo journal:
 *
 *	vtax-journal 1 BOOT-ID PID STARTTIME
 *	cgroup vtax-3f2a
 *	netns /run/netns/vtax-3f2a-sut
 *
 * One line per change, "kind argument"; every byte of the argument that is not printable ASCII other than
 *blank and backslash is written \xHH. A line counts once its newline is there.
 */
#ifndef VTAX_HOST_JOURNAL_FORMAT_H
#define VTAX_HOST_JOURNAL_FORMAT_H

#include "base/buf.h"
#include "host/journal.h"

#include <stdbool.h>

#define JOURNAL_ARG_MAX 16384	     /* longest argument */
#define JOURNAL_SIZE_MAX (16u << 20) /* longest journal */
#define JOURNAL_BOOT_ID_MAX 40

struct journal_entry {
	enum undo_kind kind;
	char *arg;
	size_t end; /* offset of the byte after its newline */
	bool done;  /* undone already, but an entry after it was not */
};

struct journal_text {
	char boot_id[JOURNAL_BOOT_ID_MAX];
	uint64_t owner_pid, owner_start;
	struct journal_entry *entries;
	size_t n, cap;
	size_t header_end;
	size_t end;	/* of the last complete line: what follows is half-written */
	size_t damaged; /* complete lines that make no sense */
	size_t first_damaged_line;
};

#define JOURNAL_TEXT_INIT ((struct journal_text){ 0 })

const char *undo_kind_name(enum undo_kind kind); /* "netns"; NULL for what is no kind */

/* Adds the line, newline included; -EINVAL for an argument that is empty or too long. */
int journal_format_line(struct buf *out, enum undo_kind kind, const char *arg);
int journal_format_header(struct buf *out, const char *boot_id, uint64_t pid, uint64_t start);

/* Reads any bytes. -EBADMSG when even the first line is none of ours; *t must be empty, and be released
 * after. */
int journal_parse(struct journal_text *t, const char *data, size_t len);

/* Takes over `arg`. */
void journal_text_push(struct journal_text *t, enum undo_kind kind, char *arg, size_t end);
void journal_text_pop(struct journal_text *t); /* the newest; t->end becomes the end of the one before it */
void journal_text_release(struct journal_text *t);

#define _cleanup_journal_text_ __attribute__((cleanup(journal_text_release)))

#endif
