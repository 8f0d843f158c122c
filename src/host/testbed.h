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

#include <jansson.h>
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
	bool steer; /* each side's CPU handles what that side receives (net_steer.c); needs pin */
	bool pin;
	/*
	 * true: rx, tx, sg, tso and gso of both cable ends on and gro off, which is how a veth pair is born (gro
	 * would move it to NAPI, another data path). false: all six off.
	 */
	bool offload;
	unsigned mtu; /* 0: 1500 */
};

struct testbed {
	char id[32]; /* campaign id: every name we make starts with "vtax-ID" */
	struct testbed_config config;
	struct side client, sut;
	struct cgroup root; /* "vtax-ID"; holds sides, monitors and environments as children */
	struct journal *journal; /* not owned */
};

/*
 * The sysctls of the two namespaces: what the testbed sets, and (value NULL) what it leaves alone but records,
 * since results depend on it. Ends with a NULL name.
 */
#define TESTBED_ON_CLIENT 1
#define TESTBED_ON_SUT 2
#define TESTBED_ON_BOTH (TESTBED_ON_CLIENT | TESTBED_ON_SUT)

struct testbed_sysctl {
	const char *name, *value;
	unsigned sides;
	bool optional; /* a kernel without it is fine */
	const char *why;
};
extern const struct testbed_sysctl testbed_sysctls[];

/* Cannot-run errors when not root, when the address range is in use, or a kernel feature is missing. */
int testbed_create(struct testbed *tb, const char *id, const struct testbed_config *c, struct journal *j,
	struct vt_err *err);

/*
 * Before each trial: whatever an environment left in the SUT namespace (links, routes, nftables rules, tracked
 * connections) is deleted, so nothing of a provider may stay there between trials; both ends of the cable are
 * up, bare, with their own address alone, MTU, offloads and sysctls as asked (a lost cable is laid again), and
 * neighbours are forgotten. Neither forks nor sleeps; about a millisecond when there is nothing to delete.
 */
int testbed_reset(struct testbed *tb, struct vt_err *err);

/* Reads back both cable ends: up, MTU, offloads; *ok false with *why when they are not as asked. */
int testbed_verify(const struct testbed *tb, bool *ok, char *why, unsigned size, struct vt_err *err);

/* As applied, read back: addresses, MTU, offloads, CPUs, sysctls of both sides. A new object. */
int testbed_describe(const struct testbed *tb, json_t **out, struct vt_err *err);

/* Descriptors only: everything on the host is undone by the journal. */
void testbed_release(struct testbed *tb);

/* For struct child_spec.prepare: enter the side's cgroup, namespace and CPU. arg is a struct side. */
int side_prepare(void *arg, struct vt_err *err);

#endif
