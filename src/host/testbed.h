/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The testbed: a client side and a SUT side joined by a cable.
 *
 * On one machine each side is a network namespace and a cgroup, and the cable is a veth pair. A side says
 * how to start a process on it (side_prepare), never that it shares our host: a later side may be reached by
 * ssh instead. Addresses are taken from 198.18.0.0/15 (RFC 2544).
 */
#ifndef VTAX_HOST_TESTBED_H
#define VTAX_HOST_TESTBED_H

#include "host/cgroup.h"
#include "host/journal.h"
#include "host/net.h"
#include "host/netns.h"

#include <stdbool.h>

/* The plan of addresses (all /24). The client may reach anything in CABLE directly. */
#define TESTBED_CLIENT_ADDR "198.18.0.1"
#define TESTBED_SUT_ADDR "198.18.0.2"
#define TESTBED_GUEST_ADDR "198.18.0.3" /* an environment bridged onto the cable */
#define TESTBED_CABLE_PREFIX 24
#define TESTBED_INNER_GATEWAY "198.18.1.1" /* behind NAT */
#define TESTBED_INNER_ADDR "198.18.1.2"
#define TESTBED_INNER_SUBNET "198.18.1.0/24"
#define TESTBED_CLIENT_IF "vtax0" /* client's end of the cable */
#define TESTBED_SUT_IF "vtax1"	  /* SUT's end */

struct side {
	struct netns ns;
	struct cgroup cgroup; /* of the agent on this side, when it runs there bare */
	const char *ifname, *address;
	int cpu; /* pinned to, or -1 */
};

struct testbed_config {
	bool pin;
	bool offload; /* offloads of the cable on (the default) or off */
	unsigned mtu; /* 0: 1500 */
};

struct testbed {
	char id[32]; /* campaign id: every name we make starts with "vtax-ID" */
	struct testbed_config config;
	struct side client, sut;
	struct cgroup root; /* "vtax-ID"; holds sides, monitors and environments as children */
	struct journal *journal; /* not owned */
};

/* Cannot-run errors when not root, when the address range is in use, or a kernel feature is missing. */
int testbed_create(struct testbed *tb, const char *id, const struct testbed_config *c, struct journal *j,
	struct vt_err *err);

/* Before each trial: neighbour caches flushed, the cable's ends up with their own addresses, offloads as asked. */
int testbed_reset(struct testbed *tb, struct vt_err *err);

/* Reads back offloads of both cable ends; *ok false with *why when they are not as asked. */
int testbed_verify(const struct testbed *tb, bool *ok, char *why, unsigned size, struct vt_err *err);

/* Descriptors only: everything on the host is undone by the journal. */
void testbed_release(struct testbed *tb);

/* For struct child_spec.prepare: enter the side's cgroup, namespace and CPU. arg is a struct side. */
int side_prepare(void *arg, struct vt_err *err);

#endif
