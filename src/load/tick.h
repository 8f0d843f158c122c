/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time series of a trial: how much had been done at each tick. It is sampled with the time stamp that
 * the measured path takes anyway; in between it costs one comparison.
 */
#ifndef VTAX_LOAD_TICK_H
#define VTAX_LOAD_TICK_H

#include <stdint.h>

struct ticks {
	uint64_t next_ns, tick_ns; /* next_ns is UINT64_MAX when nothing is to be sampled */
	uint32_t n, max;
	uint64_t *total; /* at the end of each tick; max of them */
};

/* At most `max` ticks; tick_ns 0 or max 0: none. -ENOMEM. */
int ticks_init(struct ticks *t, uint64_t tick_ns, uint32_t max);

/* The series begins at this instant. Forgets what was sampled before. */
void ticks_begin(struct ticks *t, uint64_t begin_ns);

void ticks_cross(struct ticks *t, uint64_t now_ns, uint64_t total);

/* `total` is what had been done before the operation that ended now: that one belongs to the next tick. */
static inline void ticks_at(struct ticks *t, uint64_t now_ns, uint64_t total)
{
	if (__builtin_expect(now_ns >= t->next_ns, 0))
		ticks_cross(t, now_ns, total);
}

/* Adds this thread's rates (times `scale`, per second) to rate[]; returns how many ticks are complete. */
uint32_t ticks_add_rates(const struct ticks *t, double scale, double *rate);

void ticks_release(struct ticks *t);

#endif
