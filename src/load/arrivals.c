/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On the receiver's hot path: the usual case, the next number in order, touches one word of the ring. */
#include "load/arrivals.h"

#include <string.h>

static uint64_t *word(struct arrivals *a, uint64_t sequence)
{
	return &a->seen[sequence % ARRIVALS_WINDOW / 64];
}

static uint64_t bit(uint64_t sequence)
{
	return UINT64_C(1) << (sequence % 64);
}

/* The window moves up to hold `sequence`; numbers that were skipped are not seen yet. */
static void advance(struct arrivals *a, uint64_t sequence)
{
	if (sequence - a->next >= ARRIVALS_WINDOW)
		memset(a->seen, 0, sizeof a->seen);
	else
		for (uint64_t s = a->next; s < sequence; s++)
			*word(a, s) &= ~bit(s);
	*word(a, sequence) |= bit(sequence);
	a->next = sequence + 1;
}

static void jitter(struct arrivals *a, uint64_t sent_ns, uint64_t now_ns)
{
	int64_t transit = (int64_t)(now_ns - sent_ns);
	double d;

	if (a->received > 0) {
		d = (double)transit - (double)a->transit_ns;
		a->jitter_ns += ((d < 0 ? -d : d) - a->jitter_ns) / 16;
	}
	a->transit_ns = transit;
}

bool arrivals_add(struct arrivals *a, uint64_t sequence, uint64_t sent_ns, uint64_t now_ns)
{
	if (__builtin_expect(sequence >= a->next, 1)) {
		if (sequence == UINT64_MAX)
			return false; /* no sender of ours gets there */
		advance(a, sequence);
	} else if (a->next - sequence > ARRIVALS_WINDOW) {
		a->reordered++;
	} else if (*word(a, sequence) & bit(sequence)) {
		a->duplicates++;
		return false;
	} else {
		*word(a, sequence) |= bit(sequence);
		a->reordered++;
	}
	jitter(a, sent_ns, now_ns);
	a->received++;
	return true;
}
