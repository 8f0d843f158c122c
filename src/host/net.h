/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links, addresses, routes, neighbours and NAT inside namespaces of ours: libnl-route for rtnetlink,
 * libnftables for NAT, the ethtool ioctl for offloads. Every function takes the namespace's descriptor.
 */
#ifndef VTAX_HOST_NET_H
#define VTAX_HOST_NET_H

#include "base/err.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* A veth pair: `a` in ns_a and `b` in ns_b, both up, with this MTU (0: default). */
int net_veth(int ns_a, const char *a, int ns_b, const char *b, unsigned mtu, struct vt_err *err);
int net_bridge(int ns, const char *name, unsigned mtu, struct vt_err *err); /* up, STP off, forward delay 0 */
int net_macvlan(int ns, const char *parent, int target_ns, const char *name, struct vt_err *err); /* mode bridge, up */
int net_delete(int ns, const char *name, struct vt_err *err); /* fine when absent */
int net_set_master(int ns, const char *name, const char *bridge /* NULL: none */, struct vt_err *err);
int net_set_up(int ns, const char *name, bool up, struct vt_err *err);
int net_add_address(int ns, const char *name, const char *cidr /* "198.18.0.2/24" */, struct vt_err *err);
int net_del_address(int ns, const char *name, const char *cidr, struct vt_err *err);
int net_add_default_route(int ns, const char *gateway, struct vt_err *err);
int net_flush_neighbours(int ns, const char *name, struct vt_err *err);
bool net_exists(int ns, const char *name);

/*
 * DNAT of each port (tcp and udp) arriving at `address` to `target`, and masquerading of what leaves from
 * `target_subnet`, in a table "vtax" of that namespace; ICMP echo too when `icmp`. Enables ip_forward there.
 */
struct net_port {
	uint16_t port;
};
int net_nat_add(int ns, const char *address, const char *target, const char *target_subnet, const uint16_t *ports,
	unsigned n, bool icmp, struct vt_err *err);
int net_nat_remove(int ns, struct vt_err *err); /* deletes the table; fine when absent */

/* A per-namespace sysctl, by its dotted name; writes and reads back. */
int net_sysctl_set(int ns, const char *name, const char *value, struct vt_err *err);
int net_sysctl_get(int ns, const char *name, char *out, unsigned size, struct vt_err *err);

/* Offloads, as ethtool -K/-k would: rx, tx, sg, tso, gso, gro. */
struct net_offloads {
	bool rx_csum, tx_csum, sg, tso, gso, gro;
};
int net_offloads_get(int ns, const char *name, struct net_offloads *o, struct vt_err *err);
int net_offloads_set(int ns, const char *name, bool on, struct vt_err *err); /* all six; what cannot change stays */

/* Is any address or route of the range 198.18.0.0/15 present in the initial namespace? *where names it. */
int net_range_in_use(bool *used, char *where, unsigned size, struct vt_err *err);

#endif
