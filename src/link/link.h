/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller's end of an agent: frames over two descriptors, every wait with a deadline.
 *
 * The agent may be dead, silent, babbling or hostile; whatever it does ends in an error that names it and
 * says what it did, never in a hang or a crash. Bytes that precede the first frame (a console's boot
 * chatter) are skipped up to a limit when `skip_noise` was asked for.
 */
#ifndef VTAX_LINK_LINK_H
#define VTAX_LINK_LINK_H

#include "abi/wire.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct link {
	int in, out;	    /* we write to `in` (its stdin), read from `out`; owned, -1 closed */
	char name[64];	    /* for errors: "client agent", "agent in docker:net=nat" */
	uint32_t serial;    /* of the last request */
	size_t noise_left;  /* bytes that may still be skipped before HELLO */
	uint8_t *body;	    /* last frame received; valid until the next receive */
	size_t body_len;
	/* from HELLO */
	char build[64], uname[256], cpus[256], clocksource[32];
	uint64_t pid, nofile;
};

#define LINK_INIT ((struct link){ .in = -1, .out = -1 })

/* Takes both descriptors (made non-blocking) and waits for HELLO. On failure they are closed. */
int link_open(struct link *l, int in, int out, const char *name, bool skip_noise, uint64_t deadline_ns,
	struct vt_err *err);

/* Sends a request; *body may be NULL with len 0. */
int link_send(struct link *l, uint16_t type, const void *body, size_t len, uint64_t deadline_ns, struct vt_err *err);

/*
 * Receives the next frame of the current serial (LOG frames are logged and skipped, stale serials dropped).
 * An ERROR frame becomes our error, with its text. Returns the type (> 0) or negative: -ETIMEDOUT silent,
 * -EPIPE gone, -EBADMSG babbling, -EINTR when *cancel (may be NULL) became non-zero.
 */
int link_receive(struct link *l, uint64_t deadline_ns, const volatile int *cancel, struct vt_err *err);

/* Send, then receive one reply that must be of type `want`. */
int link_call(struct link *l, uint16_t type, const void *body, size_t len, uint16_t want, uint64_t deadline_ns,
	struct vt_err *err);

/* BYE if it can still be said (never blocks), then closes. */
void link_close(struct link *l);

#endif
