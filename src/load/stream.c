/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bulk TCP, one direction. Both directions are timed on the client and counted at the receiver, on a
 * connection of their own: the warm-up has another, so that neither its window nor what it left in flight
 * reaches into the measured time.
 */
#include "load/stream.h"
#include "base/cleanup.h"

int stream_default_message(const struct kernel_params *p, uint32_t *bytes, struct vt_err *err)
{
	_cleanup_close_ int fd = -1;
	struct sock_addr a;
	int rc;

	rc = sock_addr_parse(&a, p->address, p->port, err);
	if (rc < 0)
		return rc;
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vt_fail_errno(err, "cannot make a socket for '%s'", p->address);
	rc = sock_set_buffers(fd, p->sockbuf_bytes, err);
	if (rc < 0)
		return rc;
	*bytes = sock_buffer_bytes(fd, SO_SNDBUF);
	if (*bytes > KERNEL_BYTES_MAX)
		*bytes = KERNEL_BYTES_MAX;
	return 0;
}

uint32_t stream_receive_bytes(int fd)
{
	uint32_t bytes = sock_buffer_bytes(fd, SO_RCVBUF);

	if (bytes < STREAM_RECEIVE_BYTES)
		return STREAM_RECEIVE_BYTES;
	return bytes < KERNEL_BYTES_MAX ? bytes : KERNEL_BYTES_MAX;
}

void stream_report_tcp(const struct kernel_sink *out, const struct sock_tcp_info *sum, uint64_t n)
{
	out->metric(out->arg, "retransmits", (double)sum->retransmits);
	if (n == 0)
		return;
	out->metric(out->arg, "cwnd_segments", (double)sum->cwnd_segments / (double)n);
	out->metric(out->arg, "rtt_ns", (double)sum->rtt_ns / (double)n);
}

int stream_load(struct crew *crew, struct kernel_params *p, const struct kernel_params *params,
	const struct crew_job *job, const struct kernel_sink *out, struct vt_err *err)
{
	uint64_t bytes = 0, elapsed;
	int rc;

	rc = kernel_params_check(p, params, true, err);
	if (rc < 0)
		return rc;
	rc = crew_run(crew, p, job, out, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < p->streams; i++)
		bytes += crew->workers[i].bytes;
	elapsed = crew_elapsed_ns(crew);
	out->ops(out->arg, crew_ops(crew));
	out->metric(out->arg, "throughput_bits_per_s", elapsed ? 8e9 * (double)bytes / (double)elapsed : 0);
	out->metric(out->arg, "received_bytes", (double)bytes);
	out->metric(out->arg, "elapsed_ns", (double)elapsed);
	crew_report_common(crew, params->tick_ns);
	return 0;
}
