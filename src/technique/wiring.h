/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an environment's own network namespace hangs on the cable, where vtax does the wiring itself:
 *
 *	bridge   client ─ vtax0 ═ vtax1 ─ [bridge] ─ veth ─ eth0, with TESTBED_GUEST_ADDR
 *	nat      client ─ vtax0 ═ vtax1 ─ (DNAT, routing) ─ [bridge] ─ veth ─ eth0, with TESTBED_INNER_ADDR
 *	macvlan  client ─ vtax0 ═ vtax1 ─ macvlan eth0, with TESTBED_GUEST_ADDR
 *	host     the environment is in the SUT's namespace itself: nothing to wire
 *
 * Everything is inside namespaces of ours.
 */
#ifndef VTAX_TECHNIQUE_WIRING_H
#define VTAX_TECHNIQUE_WIRING_H

#include "technique/technique.h"

enum wiring_mode { WIRING_HOST, WIRING_BRIDGE, WIRING_NAT, WIRING_MACVLAN };
/* In the order of the enum, so that opt_num() is the mode. */
#define WIRING_CHOICES "host|bridge|nat|macvlan"
#define WIRING_GUEST_IF "eth0"

/*
 * Wires the namespace `ns` in `mode`, and sets env->address. `n` numbers the environment. The namespace is
 * the caller's; with an empty path it is one that vtax did not make (ns->fd is all that is used). Links are
 * journalled; NAT rules and forwarding are swept by testbed_reset().
 */
int wiring_up(struct testbed *tb, enum wiring_mode mode, const struct netns *ns, unsigned n,
	const struct env_request *req, struct env *env, struct vt_err *err);

/* The address that a mode gives to the client, and the interface as the environment sees it. */
const char *wiring_address(enum wiring_mode mode);
const char *wiring_ifname(const struct testbed *tb, enum wiring_mode mode);

#endif
