/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A relay that adds a known cost: what arrives from clients is forwarded to the target after delay_ns, what
 * comes back passes at once. The method is checked with it: the delay that was put in must be recovered.
 */
#ifndef VTAX_LOAD_RELAY_H
#define VTAX_LOAD_RELAY_H

#include "base/err.h"

#include <stdint.h>

struct relay_config {
	const char *listen, *target; /* numeric addresses */
	uint64_t delay_ns;	     /* client → target, per chunk read (TCP) or datagram (UDP) */
	const uint16_t *ports;	     /* TCP and UDP on each */
	unsigned nports;
	int ready_fd; /* gets "ready\n" once everything listens; -1: none */
	int stop_fd;  /* end-of-file or data ends the relay */
};

/* Returns 0 after stop_fd said so, or an error when it could not start. Descriptors stay the caller's. */
int relay_run(const struct relay_config *config, struct vt_err *err);

#endif
