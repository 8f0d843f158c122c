/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller's end of an agent: frames over two descriptors, every wait with a deadline.
 *
 * The agent may be dead, silent, babbling or hostile; whatever it does ends in an error that names it and
 * says what it did, never in a hang or a crash. Bytes that precede the first frame (a console's boot
 * chatter) are skipped up to a limit when `skip_noise` was asked for.
 *
 * What an agent does wrong is VT_ERR_INVALID: it ends a trial, not a campaign. An ERROR message, by which a
 * working agent says what it cannot do, is VT_ERR_HOST.
 */
#ifndef VTAX_LINK_LINK_H
#define VTAX_LINK_LINK_H

#include "abi/wire.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct link {
	int in, out;	   /* we write to `in` (its stdin), read from `out`; owned, -1 closed */
	char name[128];	   /* for errors: "client agent", "agent in docker:net=nat" */
	uint32_t serial;   /* of the last request */
	size_t noise_left; /* bytes that may still be skipped before HELLO */
	uint8_t *body;	   /* last frame received, well-formed; valid until the next receive */
	size_t body_len;
	/* from HELLO; what is unprintable in the texts has become '?' */
	char build[64], uname[256], cpus[256], clocksource[32];
	uint64_t pid, nofile;

	/*
	 * Private to link.c. The frame that is coming in, so that a receive which ran out of time or was
	 * cancelled can be followed by another one.
	 */
	struct abi_head head;
	size_t got; /* bytes of head and body so far */
	size_t body_cap;
	bool greeted; /* HELLO has come */
	bool broken;  /* it broke the protocol, or half a request was sent: nothing it says can be trusted */
	unsigned logged; /* LOG lines shown */
	char noise[128]; /* the last of what was skipped before HELLO */
	size_t noise_len;
};

#define LINK_INIT ((struct link){ .in = -1, .out = -1 })

/*
 * Takes both descriptors (made non-blocking) and waits for HELLO. They may be one and the same (a socket). On
 * failure they are closed and *l is as LINK_INIT.
 */
int link_open(struct link *l, int in, int out, const char *name, bool skip_noise, uint64_t deadline_ns,
	struct vt_err *err);

/*
 * Sends a request under a new serial; *body may be NULL with len 0, and is a multiple of 8 long. -ETIMEDOUT
 * when the agent does not read, -EPIPE when it is gone. Never raises SIGPIPE.
 */
int link_send(struct link *l, uint16_t type, const void *body, size_t len, uint64_t deadline_ns,
	struct vt_err *err);

/*
 * Receives the next frame of the current serial (LOG frames are logged and skipped, stale serials dropped).
 * An ERROR frame becomes our error, with its text and -errno (-EREMOTEIO when that is 0 or one of the four
 * codes below, so that these always mean the link itself). Returns the type (> 0) or negative: -ETIMEDOUT
 * silent, -EPIPE gone, -EBADMSG babbling, -EPROTONOSUPPORT another version, -EINTR when *cancel (may be NULL)
 * became non-zero. What has already arrived is read even when the deadline has passed.
 */
int link_receive(struct link *l, uint64_t deadline_ns, const volatile int *cancel, struct vt_err *err);

/* Send, then receive one reply that must be of type `want`. */
int link_call(struct link *l, uint16_t type, const void *body, size_t len, uint16_t want,
	uint64_t deadline_ns, struct vt_err *err);

/* BYE if it can still be said (never blocks), then closes. Fine on LINK_INIT, and twice. */
void link_close(struct link *l);

#endif
