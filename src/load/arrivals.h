/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a receiver of numbered datagrams learns about the way they came: duplicates, reordering, jitter.
 *
 * The last ARRIVALS_WINDOW numbers are remembered in a ring of bits. A number below the highest seen is
 * reordered if its bit is clear, a duplicate if it is set; older than the window it counts as reordered
 * (a duplicate that late is indistinguishable, and would need a path that held it for 65,536 datagrams).
 */
#ifndef VTAX_LOAD_ARRIVALS_H
#define VTAX_LOAD_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#define ARRIVALS_WINDOW 65536

/* All zero is empty. */
struct arrivals {
	uint64_t received; /* without duplicates */
	uint64_t duplicates, reordered;
	uint64_t next;	    /* highest sequence number seen, plus one */
	int64_t transit_ns; /* of the last datagram: the clocks' offset is in it, and drops out */
	double jitter_ns;   /* RFC 3550, 6.4.1 */
	uint64_t seen[ARRIVALS_WINDOW / 64];
};

/* False when it is a duplicate. */
bool arrivals_add(struct arrivals *a, uint64_t sequence, uint64_t sent_ns, uint64_t now_ns);

#endif
