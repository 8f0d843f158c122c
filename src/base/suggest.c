/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damerau–Levenshtein distance in its "optimal string alignment" form (Damerau 1964): insert, delete, replace
 * and swapping two neighbours cost 1 each, and no part is edited twice. Transpositions are the typo people
 * make most ("nta" for "nat"), which plain Levenshtein counts as two. Three rows on the stack are enough;
 * words longer than any of our names are never near one of them.
 */
#include "base/suggest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 64

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *prev = rows[1], *cur = rows[2];

	for (size_t j = 0; j <= nb; j++)
		prev[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *recycled = before;

		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned replace = prev[j - 1] + (a[i - 1] != b[j - 1]);

			cur[j] = min3(prev[j] + 1, cur[j - 1] + 1, replace);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < cur[j])
				cur[j] = before[j - 2] + 1;
		}
		before = prev;
		prev = cur;
		cur = recycled;
	}
	return prev[nb];
}

const char *suggest_nearest(const char *word, const char *const *words, size_t n)
{
	size_t len = strlen(word);
	unsigned best = 1 + (unsigned)(len < WORD_MAX ? len : WORD_MAX) / 3;
	const char *found = NULL;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t other = strlen(words[i]);
		unsigned d;

		if (other > WORD_MAX)
			continue;
		d = distance(word, len, words[i], other);
		if (d >= (len > other ? len : other))
			continue; /* every letter differs: not a typo of it */
		if (d < best || (d == best && !found)) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
