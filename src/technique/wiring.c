/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wiring; see wiring.h. Links are journalled although they would die with their namespaces: a namespace is
 * taken down by the kernel some milliseconds after its last user, and until then a macvlan would still hold
 * the cable's end against the next trial's bridge. Undone newest first, links go before the namespace.
 */
#include "technique/wiring.h"

#include "base/cleanup.h"

#include <string.h>

#define BRIDGE_IF "vtaxbr0"
#define CIDR(addr) addr "/24"
_Static_assert(TESTBED_CABLE_PREFIX == 24, "CIDR() writes the prefix of the address plan");

const char *wiring_address(enum wiring_mode mode)
{
	return mode == WIRING_BRIDGE || mode == WIRING_MACVLAN ? TESTBED_GUEST_ADDR : TESTBED_SUT_ADDR;
}

const char *wiring_ifname(const struct testbed *tb, enum wiring_mode mode)
{
	return mode == WIRING_HOST ? tb->sut.ifname : WIRING_GUEST_IF;
}

/* A namespace without a name is somebody else's: the link in it dies with it, no path would stay true. */
static int journal_link(struct testbed *tb, const char *ns_path, const char *ifname, struct vt_err *err)
{
	if (!ns_path[0])
		return 0;
	return journal_addf(tb->journal, UNDO_LINK, err, "%s\x1f%s", ns_path, ifname);
}

/* The cable's offloads are asked for on every link of a path, or the comparison would be of offloads. */
static int match_offloads(struct testbed *tb, int ns, const char *ifname, struct vt_err *err)
{
	return tb->config.offload ? 0 : net_offloads_set(ns, ifname, false, err);
}

static int add_bridge(struct testbed *tb, struct vt_err *err)
{
	int r = journal_link(tb, tb->sut.ns.path, BRIDGE_IF, err);

	return r < 0 ? r : net_bridge(tb->sut.ns.fd, BRIDGE_IF, tb->config.mtu, err);
}

/* A veth pair from the bridge to eth0 in `ns`. */
static int add_veth(struct testbed *tb, const struct netns *ns, unsigned n, struct vt_err *err)
{
	char port[IFNAMSIZ];
	int sut = tb->sut.ns.fd, r;

	snprintf(port, sizeof(port), "vtaxe%u", n);
	r = journal_link(tb, tb->sut.ns.path, port, err);
	if (r == 0)
		r = net_veth(sut, port, ns->fd, WIRING_GUEST_IF, tb->config.mtu, err);
	if (r == 0)
		r = match_offloads(tb, sut, port, err);
	if (r == 0)
		r = match_offloads(tb, ns->fd, WIRING_GUEST_IF, err);
	return r < 0 ? r : net_set_master(sut, port, BRIDGE_IF, err);
}

static int up_bridge(struct testbed *tb, const struct netns *ns, unsigned n, struct vt_err *err)
{
	int r = add_bridge(tb, err);

	if (r == 0)
		r = add_veth(tb, ns, n, err);
	if (r == 0)
		r = net_add_address(ns->fd, WIRING_GUEST_IF, CIDR(TESTBED_GUEST_ADDR), err);
	return r < 0 ? r : net_set_master(tb->sut.ns.fd, tb->sut.ifname, BRIDGE_IF, err);
}

static int up_nat(struct testbed *tb, const struct netns *ns, unsigned n, const struct env_request *req,
	struct vt_err *err)
{
	int sut = tb->sut.ns.fd;
	int r = add_bridge(tb, err);

	if (r == 0)
		r = net_add_address(sut, BRIDGE_IF, CIDR(TESTBED_INNER_GATEWAY), err);
	if (r == 0)
		r = add_veth(tb, ns, n, err);
	if (r == 0)
		r = net_add_address(ns->fd, WIRING_GUEST_IF, CIDR(TESTBED_INNER_ADDR), err);
	if (r == 0)
		r = net_add_default_route(ns->fd, TESTBED_INNER_GATEWAY, err);
	return r < 0 ? r
		     : net_nat_add(sut, TESTBED_SUT_ADDR, TESTBED_INNER_ADDR, TESTBED_INNER_SUBNET,
			       req->ports, req->nports, true, err);
}

static int up_macvlan(struct testbed *tb, const struct netns *ns, struct vt_err *err)
{
	int r = journal_link(tb, ns->path, WIRING_GUEST_IF, err);

	if (r == 0)
		r = net_macvlan(tb->sut.ns.fd, tb->sut.ifname, ns->fd, WIRING_GUEST_IF, err);
	if (r == 0)
		r = match_offloads(tb, ns->fd, WIRING_GUEST_IF, err);
	return r < 0 ? r : net_add_address(ns->fd, WIRING_GUEST_IF, CIDR(TESTBED_GUEST_ADDR), err);
}

int wiring_up(struct testbed *tb, enum wiring_mode mode, const struct netns *ns, unsigned n,
	const struct env_request *req, struct env *env, struct vt_err *err)
{
	int r = 0;

	switch (mode) {
	case WIRING_HOST:
		break;
	case WIRING_BRIDGE:
		r = up_bridge(tb, ns, n, err);
		break;
	case WIRING_NAT:
		r = up_nat(tb, ns, n, req, err);
		break;
	case WIRING_MACVLAN:
		r = up_macvlan(tb, ns, err);
		break;
	}
	if (r == 0)
		snprintf(env->address, sizeof(env->address), "%s", wiring_address(mode));
	return r;
}
