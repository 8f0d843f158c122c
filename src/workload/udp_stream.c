/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP_STREAM: datagrams from the client into the environment as fast as the socket takes them (or paced by
 * interval=). What counts is what arrived; losses are a result here, not a fault.
 */
#include "workload/netperf.h"

#include <errno.h>
#include <math.h>

static const struct opt_def own_options[] = {
	{ "message", OPT_SIZE, "0", NULL, 0, 65507, "bytes of a datagram, at least 24; 0 is the socket buffer, at most 65507" },
	{ "streams", OPT_UINT, "1", NULL, 1, 256, "parallel senders" },
	{ "interval", OPT_DURATION, "0", NULL, 0, UINT64_C(1000000000), "time between datagrams; 0 is as fast as possible" },
	OPT_END,
};

static const struct opt_def *const options[] = { own_options, netperf_socket_options, NULL };

static const struct metric_def metrics[] = {
	{ "throughput_bits_per_s", "bits/s", true, true, "payload that arrived, client to SUT" },
	{ "offered_bits_per_s", "bits/s", true, false, "payload that was sent" },
	{ "lost_ratio", "ratio", false, false, "datagrams sent that never arrived" },
	{ "reordered_datagrams", "1", false, false, "datagrams that arrived after a later one" },
	{ "duplicate_datagrams", "1", false, false, "datagrams that arrived twice" },
	{ "jitter_ns", "ns", false, false, "delay jitter at the receiver (RFC 3550)" },
	{ "sent_datagrams", "1", true, false, "datagrams sent" },
	{ "sent_bytes", "bytes", true, false, "payload bytes sent" },
	{ "received_datagrams", "1", true, false, "datagrams that arrived" },
	{ "received_bytes", "bytes", true, false, "payload bytes that arrived" },
	{ "elapsed_ns", "ns", false, false, "measured time on the client" },
	{ .name = NULL },
};

static int check(const struct workload *w, struct vt_err *err)
{
	uint64_t message = opt_num(&w->opts, "message");

	if (message > 0 && message < 24)
		return vt_usage(err, "udp_stream: message=%s is too short: a datagram carries 24 bytes of sequence number and time",
			opt_str(&w->opts, "message"));
	return 0;
}

static int run(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err)
{
	int n = netperf_run(w, ctx, r, err);
	double seconds, sent, received;

	if (n < 0)
		return n;
	seconds = trial_metric_get(r, "elapsed_ns") / 1e9;
	sent = trial_metric_get(r, "sent_datagrams");
	received = trial_metric_get(r, "received_datagrams");
	if (!(seconds > 0) || !(sent > 0) || isnan(received))
		return vt_invalid(err, -ENODATA, "udp_stream: the agents reported no datagrams");
	r->bytes = (uint64_t)trial_metric_get(r, "received_bytes");
	r->ops = (uint64_t)received;
	trial_metric(r, "throughput_bits_per_s", 8 * (double)r->bytes / seconds);
	trial_metric(r, "offered_bits_per_s", 8 * trial_metric_get(r, "sent_bytes") / seconds);
	trial_metric(r, "lost_ratio", received < sent ? (sent - received) / sent : 0);
	if (received == 0)
		trial_gate(r, "loss", "none of %.0f datagrams arrived", sent);
	return 0;
}

const struct workload_ops workload_udp_stream = {
	.name = "udp_stream",
	.summary = "bulk UDP from the client into the environment (netperf UDP_STREAM)",
	.group = "network",
	.needs = WORK_AGENT | WORK_UDP,
	.saturates = true,
	.options = options,
	.metrics = metrics,
	.ports = netperf_ports,
	.check = check,
	.run = run,
};
