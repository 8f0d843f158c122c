/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every workload, in the order in which it is listed. One line each. */
#include "workload/workload.h"

#include <stddef.h>

extern const struct workload_ops workload_tcp_stream, workload_tcp_maerts, workload_tcp_rr, workload_tcp_crr,
	workload_udp_stream, workload_udp_rr, workload_ping;

const struct workload_ops *const workload_registry[] = {
	&workload_tcp_stream,
	&workload_tcp_maerts,
	&workload_tcp_rr,
	&workload_tcp_crr,
	&workload_udp_stream,
	&workload_udp_rr,
	&workload_ping,
	NULL,
};
