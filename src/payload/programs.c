/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What workloads may ask the payload for. One row per program, nothing else to register.
 */
#include "payload/payload.h"

#include <stddef.h>

const struct payload_program payload_programs[] = {
	{ .name = "iperf3", .package = "iperf3", .path = "/usr/bin/iperf3" }, /* a peer to compare with */
	{ .name = NULL },
};
