/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for people: "20.3 Gb/s", "5.12 µs", "104 k/s". Machine-readable output never passes through here. */
#ifndef VTAX_BASE_UNITS_H
#define VTAX_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Formats a value of an SI base unit with a prefix and 3 significant digits. Units known: "ns" (scaled to
 * ns, µs, ms, s), "bits/s", "bytes", "1/s" (printed "/s"), "ns/op", "ns/byte", "ratio" (as it is), others:
 * the number, a space and the unit. NaN prints "–".
 */
void units_format(char *out, size_t size, double value, const char *unit);

/* "2 m 05 s", "41 s", "0.8 s" */
void units_duration(char *out, size_t size, uint64_t ns);

/* "+12.3 %" from 0.123; NaN prints "–" */
void units_percent(char *out, size_t size, double ratio);

#endif
