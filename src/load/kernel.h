/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel is the code of a workload that runs inside agents: its server side ("serve") in the SUT agent,
 * its client side ("load") in the client agent. A kernel knows nothing of techniques, pipes or the
 * controller; it gets parameters, and gives metrics, histograms and series.
 *
 * How to add one: write src/load/NAME.c with a `const struct kernel kernel_NAME`, add it to the table in
 * src/load/kernel.c, give it a row in tests/unit/test_load.c (both sides over a real socket), and a workload
 * in src/workload that drives it.
 */
#ifndef VTAX_LOAD_KERNEL_H
#define VTAX_LOAD_KERNEL_H

#include "base/err.h"
#include "stats/hist.h"

#include <stdbool.h>
#include <stdint.h>

struct kernel_params {
	char kernel[32];
	char address[64];	/* numeric IPv4 or IPv6 */
	char local_address[64]; /* "" = any */
	uint16_t port, target_port;
	uint64_t duration_ns, warmup_ns, timeout_ns, interval_ns, tick_ns, delay_ns;
	uint32_t request_bytes, response_bytes, message_bytes, sockbuf_bytes;
	uint32_t streams;
	bool nodelay;
};

/* What parameters may be; they come from outside, so every kernel starts with kernel_params_check(). */
#define KERNEL_STREAMS_MAX 256
#define KERNEL_BYTES_MAX (UINT32_C(64) << 20)
#define KERNEL_SOCKBUF_MAX (UINT32_C(1) << 30)
#define KERNEL_TIME_MAX_NS (UINT64_C(7) * 24 * 3600 * 1000000000)
#define KERNEL_TICKS_MAX 4096

/*
 * A checked copy with defaults filled in: 0 request or response bytes are 1, 0 streams are 1, a tick that
 * would give more than KERNEL_TICKS_MAX samples is lengthened. Usage errors; `client` asks for a duration.
 */
int kernel_params_check(
	struct kernel_params *out, const struct kernel_params *in, bool client, struct vt_err *err);

/* Where a kernel puts what it measured; one implementation encodes it for the wire, tests use another. */
struct kernel_sink {
	void *arg;
	void (*metric)(void *arg, const char *name, double value);
	void (*hist)(void *arg, const char *name, const struct hist *h);
	void (*series)(void *arg, const char *name, const double *v, uint32_t n);
	void (*ops)(void *arg, uint64_t n);
	/* The measured time begins (0) or has ended (1). Called once each, outside the measured path. */
	void (*mark)(void *arg, int which);
	/* Non-zero asks the kernel to end soon; polled at least every 100 ms. May be NULL. */
	const volatile int *cancel;
	/* The CPU the (first) measuring thread last ran on: kernels measure in threads of their own. May be
	 * NULL. */
	void (*cpu)(void *arg, int cpu);
};

struct kernel_server; /* private to src/load; its first member is `const struct kernel *` */

struct kernel {
	const char *name, *summary;
	/* Binds and starts threads; *port is the port that listens. NULL: the kernel needs no server. */
	int (*serve)(
		struct kernel_server **s, const struct kernel_params *p, uint16_t *port, struct vt_err *err);
	/* Ends it, reports what the server counted, frees it. */
	int (*stop)(struct kernel_server *s, const struct kernel_sink *out, struct vt_err *err);
	int (*load)(const struct kernel_params *p, const struct kernel_sink *out, struct vt_err *err);
};

extern const struct kernel kernel_tcp_stream, kernel_tcp_maerts, kernel_tcp_rr, kernel_tcp_crr,
	kernel_udp_stream, kernel_udp_rr, kernel_ping;
extern const struct kernel *const kernels[]; /* NULL-terminated */
const struct kernel *kernel_find(const char *name);

#endif
