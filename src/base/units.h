/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for people: "20.3 Gb/s", "5.12 µs", "104 k/s". Output for machines never passes through here. */
#ifndef VTAX_BASE_UNITS_H
#define VTAX_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Formats a value of an SI base unit with a prefix (of 1000) and 3 significant digits. Units known: "ns"
 * (scaled to ns, µs, ms, s), "bits/s", "bytes", "bytes/s", "1/s" (printed "/s"), "ns/op", "ns/byte" (printed
 * "/B"), "ratio" (as it is), "1" (a bare number), others: the number, a space and the unit. Whole numbers of
 * bytes and of other units stay whole. NaN prints "–".
 */
void units_format(char *out, size_t size, double value, const char *unit);

/* "1 h 02 m", "2 m 05 s", "41 s", "0.8 s" (tenths below 10 s) */
void units_duration(char *out, size_t size, uint64_t ns);

/* "+12.3 %" from 0.123; NaN prints "–" */
void units_percent(char *out, size_t size, double ratio);

#endif
