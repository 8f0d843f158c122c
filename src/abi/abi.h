/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages between the controller (vtax) and an agent (vtax-agent), over the agent's stdin and stdout.
 *
 * A message is a 16-byte little-endian head and a body of fields. A field is an 8-byte head (key, type,
 * length) and its value, padded with zero bytes to a multiple of 8. A reader skips keys it does not know, so
 * that fields can be added without a new version; ABI_VERSION changes when the meaning of one changes.
 *
 * Conversation (C controller, A agent):
 *	A HELLO		version, build, pid, host facts; first thing an agent says
 *	C SERVE		start the server side of a kernel           → A READY (port) or ERROR
 *	C LOAD		run the client side of a kernel             → A MARK(begin) … TICK … MARK(end) RESULT, or ERROR
 *	C STOP		end the server, hand over what it counted   → A RESULT or ERROR
 *	C BYE		leave                                        → A exits 0
 * Every reply carries the serial of the request. End-of-file on stdin means BYE. LOG may come at any time.
 * Each side treats the other as hostile: every length is checked against the bytes that are there.
 *
 * This folder is freestanding: it includes nothing but <stdint.h>-class headers.
 */
#ifndef VTAX_ABI_ABI_H
#define VTAX_ABI_ABI_H

#include <stddef.h>
#include <stdint.h>

#define ABI_MAGIC UINT32_C(0x58415456) /* "VTAX" */
#define ABI_VERSION 1
#define ABI_BODY_MAX (UINT32_C(4) << 20)
#define ABI_STRING_MAX 4096

struct abi_head {
	uint32_t magic;
	uint16_t version;
	uint16_t type; /* enum abi_type */
	uint32_t length; /* of the body, bytes, ≤ ABI_BODY_MAX, multiple of 8 */
	uint32_t serial;
};
_Static_assert(sizeof(struct abi_head) == 16, "abi_head is 16 bytes on the wire");

struct abi_field {
	uint16_t key;  /* enum abi_key */
	uint16_t type; /* enum abi_field_type */
	uint32_t length; /* of the value, without padding */
};
_Static_assert(sizeof(struct abi_field) == 8, "abi_field is 8 bytes on the wire");

enum abi_type {
	ABI_HELLO = 1,
	ABI_SERVE = 2,
	ABI_READY = 3,
	ABI_LOAD = 4,
	ABI_MARK = 5,
	ABI_TICK = 6,
	ABI_RESULT = 7,
	ABI_STOP = 8,
	ABI_BYE = 9,
	ABI_ERROR = 10,
	ABI_LOG = 11,
};

enum abi_field_type {
	ABI_U64 = 1,   /* 8 bytes */
	ABI_F64 = 2,   /* 8 bytes, IEEE 754 */
	ABI_TEXT = 3,  /* UTF-8 without NUL */
	ABI_BYTES = 4, /* opaque */
};

enum abi_key {
	/* HELLO */
	ABI_K_BUILD = 1,     /* text: version string of the agent */
	ABI_K_PID,	     /* u64: in its own pid namespace */
	ABI_K_UNAME,	     /* text: "sysname release version machine" as it sees them */
	ABI_K_CPUS_ALLOWED,  /* text: its affinity as a list, "0,2-3" */
	ABI_K_CLOCKSOURCE,   /* text: current_clocksource, or "" */
	ABI_K_MONOTONIC_NS,  /* u64: its CLOCK_MONOTONIC when it spoke */
	ABI_K_NOFILE,	     /* u64: RLIMIT_NOFILE soft limit after raising it */

	/* SERVE, LOAD: parameters of a kernel */
	ABI_K_KERNEL = 32,   /* text: "tcp_rr" */
	ABI_K_ADDRESS,	     /* text: numeric address to bind (SERVE) or to reach (LOAD) */
	ABI_K_PORT,	     /* u64; in READY: the port that listens */
	ABI_K_DURATION_NS,   /* u64: measured time */
	ABI_K_WARMUP_NS,     /* u64: run before it, discarded */
	ABI_K_TIMEOUT_NS,    /* u64: one answer that takes longer is lost */
	ABI_K_REQUEST_BYTES, /* u64 */
	ABI_K_RESPONSE_BYTES,/* u64 */
	ABI_K_MESSAGE_BYTES, /* u64: 0 = the kernel's default */
	ABI_K_SOCKBUF_BYTES, /* u64: SO_SNDBUF and SO_RCVBUF, 0 = leave to the system */
	ABI_K_NODELAY,	     /* u64: 1 switches Nagle's algorithm off */
	ABI_K_STREAMS,	     /* u64: parallel connections, one thread each */
	ABI_K_INTERVAL_NS,   /* u64: between probes (ping); 0 = next as soon as answered */
	ABI_K_TICK_NS,	     /* u64: length of a sample of the time series; 0 = none */
	ABI_K_DELAY_NS,	     /* u64: relay: added one way */
	ABI_K_TARGET_PORT,   /* u64: relay: where to forward */
	ABI_K_LOCAL_ADDRESS, /* text: source address to bind; absent = let the kernel choose */

	/* MARK */
	ABI_K_MARK = 96, /* u64: 0 begin of the measured time, 1 its end */

	/* TICK, RESULT. NAME precedes each value it names. */
	ABI_K_NAME = 128, /* text: metric, histogram or series name */
	ABI_K_VALUE,	  /* f64: metric value in its SI base unit */
	ABI_K_HIST,	  /* bytes: hist_encode() form, ns */
	ABI_K_SERIES,	  /* bytes: little-endian doubles, one per tick */
	ABI_K_CPU,	  /* u64: CPU this side's measuring thread last ran on */
	ABI_K_OPS,	  /* u64: transactions (or datagrams, or sends) done in the measured time */

	/* ERROR, LOG */
	ABI_K_TEXT = 160, /* text: one line */
	ABI_K_ERRNO,	  /* u64: positive errno, 0 unknown */
};

#endif
