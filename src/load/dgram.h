/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What udp_rr and udp_stream have in common. */
#ifndef VTAX_LOAD_DGRAM_H
#define VTAX_LOAD_DGRAM_H

#include "load/crew.h"
#include "load/server.h"

#define DGRAM_MAX UINT32_C(65507)	    /* largest UDP payload over IPv4 */
#define DGRAM_HELLO_NS UINT64_C(2000000000) /* a server that has not answered by then is not there */

/*
 * Sends the first `len` bytes of w->buffer until they are answered by a datagram that begins with the first
 * `echo` of them. Tries every 50 ms up to DGRAM_HELLO_NS, so that a bridge or a neighbour table that is still
 * learning costs a datagram, not the trial. A refused port fails at once. The answer is put behind the first
 * DGRAM_MAX bytes of w->buffer; the receive timeout is left at 50 ms.
 */
int dgram_hello(struct worker *w, size_t len, size_t echo, struct vt_err *err);

#endif
