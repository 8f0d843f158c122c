/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean …?": the nearest of some words by edit distance (Damerau–Levenshtein). */
#ifndef VTAX_BASE_SUGGEST_H
#define VTAX_BASE_SUGGEST_H

#include <stddef.h>

/*
 * The nearest of the n words, the first of equals; NULL when none is near enough (distance ≤ 1 + length/3,
 * and at least one letter kept).
 */
const char *suggest_nearest(const char *word, const char *const *words, size_t n);

#endif
