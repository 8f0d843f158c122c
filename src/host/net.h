/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links, addresses, routes, neighbours and NAT inside namespaces of ours: libnl for rtnetlink, libnftables for
 * NAT, the ethtool ioctl for offloads. Every function takes the namespace's descriptor (or NETNS_SELF); the
 * caller's own namespace never changes. One file per subject: net_link.c, net_addr.c, net_nat.c,
 * net_sysctl.c, net_offload.c.
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
int net_get_address(int ns, const char *name, char *cidr, unsigned size, struct vt_err *err); /* the first one */
int net_add_default_route(int ns, const char *gateway, struct vt_err *err);
int net_flush_neighbours(int ns, const char *name, struct vt_err *err);
bool net_exists(int ns, const char *name);

/* One link as it is now; -ENODEV when absent. */
struct net_link {
	int index;
	int master; /* index of its bridge, 0 none */
	unsigned mtu;
	bool up;
	char mac[18]; /* "02:42:ac:11:00:02" */
};
int net_link_get(int ns, const char *name, struct net_link *link, struct vt_err *err);
int net_set_mtu(int ns, const char *name, unsigned mtu, struct vt_err *err);

/*
 * Back to a known state: deletes every link but `lo` and `keep`; every IPv4 address of `name` but `cidr`, which
 * is added when missing; every IPv4 route that somebody added. What the kernel will not give up (the fallback
 * devices of tunnel modules) stays.
 */
int net_keep_only_link(int ns, const char *keep, struct vt_err *err);
int net_keep_only_address(int ns, const char *name, const char *cidr, struct vt_err *err);
int net_flush_routes(int ns, struct vt_err *err);

/*
 * DNAT of each port (tcp and udp) arriving at `address` to `target`, and masquerading of what leaves from
 * `target_subnet`, in a table "ip vtax" of that namespace; ICMP echo too when `icmp`. Replaces a table of that
 * name. Enables ip_forward there.
 */
struct net_port {
	uint16_t port;
};
int net_nat_add(int ns, const char *address, const char *target, const char *target_subnet, const uint16_t *ports,
	unsigned n, bool icmp, struct vt_err *err);
int net_nat_remove(int ns, struct vt_err *err); /* deletes the table; fine when absent */

/* Deletes every nftables table of the namespace, whoever made it, and forgets its tracked connections. */
int net_nat_flush(int ns, struct vt_err *err);

/* A per-namespace sysctl, by its dotted name; writes and reads back. */
int net_sysctl_set(int ns, const char *name, const char *value, struct vt_err *err);
int net_sysctl_get(int ns, const char *name, char *out, unsigned size, struct vt_err *err);

/* Offloads, as ethtool -K/-k would: rx, tx, sg, tso, gso, gro. */
struct net_offloads {
	bool rx_csum, tx_csum, sg, tso, gso, gro;
};
int net_offloads_get(int ns, const char *name, struct net_offloads *o, struct vt_err *err);
int net_offloads_set(int ns, const char *name, bool on, struct vt_err *err); /* all six; what cannot change stays */
int net_offloads_apply(int ns, const char *name, const struct net_offloads *want, struct vt_err *err); /* likewise */
bool net_offloads_equal(const struct net_offloads *a, const struct net_offloads *b);
/* "rx on, tx on, sg on, tso off, gso on, gro off" */
void net_offloads_format(const struct net_offloads *o, char *out, unsigned size);

/*
 * Does an address or route of the calling thread's namespace (the initial one) overlap 198.18.0.0/15? *where
 * names the first. Default routes, also those in halves as VPNs write them, and blackholes do not count.
 */
int net_range_in_use(bool *used, char *where, unsigned size, struct vt_err *err);

/*
 * The CPU that handles what a link's first queue receives (receive packet steering); -1 none: the sender's, for a
 * veth. get gives -2 for a mask of several.
 */
int net_steer_set(int ns, const char *name, int cpu, struct vt_err *err);
int net_steer_get(int ns, const char *name, int *cpu, struct vt_err *err);

#endif
