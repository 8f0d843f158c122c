/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The undo journal's text. Beyond not crashing: every entry found must be exactly what we would have written
 * there, byte for byte, so that no damage can pass for an entry.
 */
#include "host/journal_format.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_journal_text_ struct journal_text t = JOURNAL_TEXT_INIT;

	if (journal_parse(&t, (const char *)data, size) < 0)
		return 0;
	if (t.end > size || t.header_end > t.end || data[t.end - 1] != '\n')
		abort();
	for (size_t i = 0; i < t.n; i++) {
		_cleanup_buf_ struct buf line = BUF_INIT(JOURNAL_ARG_MAX * 4 + 64);
		const struct journal_entry *e = &t.entries[i];

		if (journal_format_line(&line, e->kind, e->arg) < 0 || e->end < line.len || e->end > t.end)
			abort();
		if (memcmp(data + e->end - line.len, line.data, line.len) != 0)
			abort();
	}
	return 0;
}
