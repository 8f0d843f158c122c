/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ticks are counted from the common begin of the measured time, so that those of several threads line up and
 * can be added. An operation that spans ticks (a lost answer) leaves ticks without progress, as it should.
 */
#include "load/tick.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ticks_init(struct ticks *t, uint64_t tick_ns, uint32_t max)
{
	*t = (struct ticks){ .next_ns = UINT64_MAX };
	if (tick_ns == 0 || max == 0)
		return 0;
	t->total = malloc(max * sizeof *t->total);
	if (!t->total)
		return -ENOMEM;
	memset(t->total, 0, max * sizeof *t->total); /* no page fault while measuring */
	t->tick_ns = tick_ns;
	t->max = max;
	return 0;
}

void ticks_begin(struct ticks *t, uint64_t begin_ns)
{
	t->n = 0;
	t->next_ns = t->max ? begin_ns + t->tick_ns : UINT64_MAX;
}

void ticks_cross(struct ticks *t, uint64_t now_ns, uint64_t total)
{
	while (now_ns >= t->next_ns && t->n < t->max) {
		t->total[t->n++] = total;
		t->next_ns += t->tick_ns;
	}
	if (t->n == t->max)
		t->next_ns = UINT64_MAX;
}

uint32_t ticks_add_rates(const struct ticks *t, double scale, double *rate)
{
	uint64_t before = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		rate[i] += (double)(t->total[i] - before) * scale * 1e9 / (double)t->tick_ns;
		before = t->total[i];
	}
	return t->n;
}

void ticks_release(struct ticks *t)
{
	free(t->total);
	*t = (struct ticks){ .next_ns = UINT64_MAX };
}
