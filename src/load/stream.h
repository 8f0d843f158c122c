/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tcp_stream and tcp_maerts have in common. */
#ifndef VTAX_LOAD_STREAM_H
#define VTAX_LOAD_STREAM_H

#include "load/crew.h"
#include "load/server.h"

#define STREAM_STALL_NS UINT64_C(10000000000)

/* Smallest read of a receiver: what netperf and iperf3 use on Linux, whatever the size of a message. */
#define STREAM_RECEIVE_BYTES (UINT32_C(128) << 10)

/* The sink's answer at end-of-file, two little-endian u64. */
struct stream_answer {
	uint64_t bytes;	  /* it received */
	uint64_t span_ns; /* from accept to end-of-file */
};
_Static_assert(sizeof(struct stream_answer) == 16, "stream_answer is 16 bytes on the wire");

/* netperf's default size of a message: SO_SNDBUF of a fresh socket (a connected one has grown already). */
int stream_default_message(const struct kernel_params *p, uint32_t *bytes, struct vt_err *err);

/* Size of a receiver's reads: SO_RCVBUF, at least STREAM_RECEIVE_BYTES. */
uint32_t stream_receive_bytes(int fd);

/* retransmits, cwnd_segments, rtt_ns: of n connections whose TCP_INFO add up to *sum. */
void stream_report_tcp(const struct kernel_sink *out, const struct sock_tcp_info *sum, uint64_t n);

/* Checked parameters, the crew's run, and the metrics common to both directions. */
int stream_load(struct crew *crew, struct kernel_params *p, const struct kernel_params *params,
	const struct crew_job *job, const struct kernel_sink *out, struct vt_err *err);

#endif
