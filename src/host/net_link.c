/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links. Both ends of a veth pair are created right where they belong (IFLA_NET_NS_FD) and with their MTU:
 * nothing ever appears in the host's namespace, where udev, NetworkManager or the user's firewall would react
 * to it.
 */
#include "host/net.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "host/netlink.h"

#include <linux/if_link.h>
#include <linux/veth.h>
#include <string.h>

static struct nl_msg *new_link(const char *name, int flags, unsigned ifi_flags)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_flags = ifi_flags, .ifi_change = ifi_flags };
	struct nl_msg *msg = netlink_msg(RTM_NEWLINK, flags, &head, sizeof head);

	nla_put_string(msg, IFLA_IFNAME, name);
	return msg;
}

static int check_name(const char *name, struct vt_err *err)
{
	if (!*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/ \t\n:"))
		return vt_fail(err, -EINVAL, "'%s' cannot be the name of a link (1 to %d characters)", name,
			IFNAMSIZ - 1);
	return 0;
}

/* Sends a request that creates a link of that kind, and says what it means when it fails. */
static int create(
	struct netlink *nl, struct nl_msg *msg, const char *kind, const char *name, struct vt_err *err)
{
	int r = netlink_talk(nl, msg, NULL, NULL);

	if (r == -EOPNOTSUPP)
		return vt_fail(err, r,
			"this kernel has no %s: try 'modprobe %s', or choose another way to connect", kind,
			kind);
	if (r == -EEXIST)
		return vt_fail(
			err, r, "cannot make the %s '%s': a link of that name exists already", kind, name);
	if (r < 0)
		return netlink_fail(nl, err, r, "cannot make the %s '%s'", kind, name);
	return 0;
}

int net_veth(int ns_a, const char *a, int ns_b, const char *b, unsigned mtu, struct vt_err *err)
{
	struct ifinfomsg peer = { .ifi_family = AF_UNSPEC };
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct nlattr *info, *data, *end;
	int r;

	r = check_name(a, err);
	if (r == 0)
		r = check_name(b, err);
	if (r == 0)
		r = netlink_open(&nl, ns_a, NETLINK_ROUTE, err);
	if (r < 0)
		return r;
	/* a is created last and brought up at once. */
	msg = new_link(a, NLM_F_CREATE | NLM_F_EXCL, IFF_UP);
	if (mtu)
		nla_put_u32(msg, IFLA_MTU, mtu);
	info = nla_nest_start(msg, IFLA_LINKINFO);
	nla_put_string(msg, IFLA_INFO_KIND, "veth");
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	end = nla_nest_start(msg, VETH_INFO_PEER);
	nlmsg_append(msg, &peer, sizeof peer, NLMSG_ALIGNTO);
	nla_put_string(msg, IFLA_IFNAME, b);
	if (mtu)
		nla_put_u32(msg, IFLA_MTU, mtu);
	if (ns_b >= 0)
		nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)ns_b);
	nla_nest_end(msg, end);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	r = create(&nl, msg, "veth", a, err);
	/* The peer has no other end yet while it is being created, so it cannot be up then (-ENOTCONN). */
	return r < 0 ? r : net_set_up(ns_b, b, true, err);
}

int net_bridge(int ns, const char *name, unsigned mtu, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct nlattr *info, *data;
	int r;

	r = check_name(name, err);
	if (r == 0)
		r = netlink_open(&nl, ns, NETLINK_ROUTE, err);
	if (r < 0)
		return r;
	msg = new_link(name, NLM_F_CREATE | NLM_F_EXCL, IFF_UP);
	if (mtu)
		nla_put_u32(msg, IFLA_MTU, mtu);
	info = nla_nest_start(msg, IFLA_LINKINFO);
	nla_put_string(msg, IFLA_INFO_KIND, "bridge");
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	nla_put_u32(msg, IFLA_BR_STP_STATE, 0);
	nla_put_u32(msg, IFLA_BR_FORWARD_DELAY, 0);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return create(&nl, msg, "bridge", name, err);
}

int net_macvlan(int ns, const char *parent, int target_ns, const char *name, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct nlattr *info, *data;
	int r, index;

	r = check_name(name, err);
	if (r == 0)
		r = netlink_open(&nl, ns, NETLINK_ROUTE, err);
	if (r < 0)
		return r;
	index = netlink_ifindex(&nl, parent, err);
	if (index < 0)
		return index;
	msg = new_link(name, NLM_F_CREATE | NLM_F_EXCL, IFF_UP);
	nla_put_u32(msg, IFLA_LINK, (uint32_t)index);
	if (target_ns >= 0)
		nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)target_ns);
	info = nla_nest_start(msg, IFLA_LINKINFO);
	nla_put_string(msg, IFLA_INFO_KIND, "macvlan");
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	nla_put_u32(msg, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return create(&nl, msg, "macvlan", name, err);
}

/* -ENODEV is the caller's to judge. */
static int delete_index(struct netlink *nl, int index)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	_cleanup_msg_ struct nl_msg *msg = netlink_msg(RTM_DELLINK, 0, &head, sizeof head);

	return netlink_talk(nl, msg, NULL, NULL);
}

int net_delete(int ns, const char *name, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	struct vt_err absent = { 0 };
	int r, index;

	r = netlink_open(&nl, ns, NETLINK_ROUTE, err);
	if (r < 0)
		return r;
	index = netlink_ifindex(&nl, name, &absent);
	if (index == -ENODEV)
		return 0;
	if (index < 0) {
		if (err)
			*err = absent;
		return index;
	}
	r = delete_index(&nl, index);
	if (r < 0 && r != -ENODEV)
		return netlink_fail(&nl, err, r, "cannot delete the link '%s'", name);
	return 0;
}

/* Changes one property of a link that must exist. */
static int change(
	struct netlink *nl, struct nl_msg *msg, const char *what, const char *name, struct vt_err *err)
{
	int r = netlink_talk(nl, msg, NULL, NULL);

	if (r == -ENODEV)
		return vt_fail(err, r, "cannot %s '%s': there is no such link in this namespace", what, name);
	if (r < 0)
		return netlink_fail(nl, err, r, "cannot %s '%s'", what, name);
	return 0;
}

int net_set_master(int ns, const char *name, const char *bridge, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r, index = 0;

	r = netlink_open(&nl, ns, NETLINK_ROUTE, err);
	if (r < 0)
		return r;
	if (bridge) {
		index = netlink_ifindex(&nl, bridge, err);
		if (index < 0)
			return index;
	}
	msg = new_link(name, 0, 0);
	nla_put_u32(msg, IFLA_MASTER, (uint32_t)index);
	return change(
		&nl, msg, bridge ? "put on a bridge the link" : "take off its bridge the link", name, err);
}

int net_set_up(int ns, const char *name, bool up, struct vt_err *err)
{
	struct ifinfomsg head = {
		.ifi_family = AF_UNSPEC, .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP
	};
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = netlink_open(&nl, ns, NETLINK_ROUTE, err);

	if (r < 0)
		return r;
	msg = netlink_msg(RTM_NEWLINK, 0, &head, sizeof head);
	nla_put_string(msg, IFLA_IFNAME, name);
	return change(&nl, msg, up ? "bring up" : "take down", name, err);
}

int net_set_mtu(int ns, const char *name, unsigned mtu, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	char what[48];
	int r = netlink_open(&nl, ns, NETLINK_ROUTE, err);

	if (r < 0)
		return r;
	msg = new_link(name, 0, 0);
	nla_put_u32(msg, IFLA_MTU, mtu);
	snprintf(what, sizeof what, "set an MTU of %u bytes on", mtu);
	return change(&nl, msg, what, name, err);
}

static void take_link(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct net_link *link = arg;
	struct nlattr *tb[IFLA_MAX + 1];
	const unsigned char *m;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof *i, tb, IFLA_MAX, NULL) < 0)
		return;
	link->index = i->ifi_index;
	link->up = i->ifi_flags & IFF_UP;
	link->mtu = tb[IFLA_MTU] ? nla_get_u32(tb[IFLA_MTU]) : 0;
	link->master = tb[IFLA_MASTER] ? (int)nla_get_u32(tb[IFLA_MASTER]) : 0;
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == 6) {
		m = nla_data(tb[IFLA_ADDRESS]);
		snprintf(link->mac, sizeof link->mac, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
			m[4], m[5]);
	}
}

int net_link_get(int ns, const char *name, struct net_link *link, struct vt_err *err)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct net_link found = { 0 };
	int r = netlink_open(&nl, ns, NETLINK_ROUTE, err);

	if (r < 0)
		return r;
	msg = netlink_msg(RTM_GETLINK, 0, &head, sizeof head);
	nla_put_string(msg, IFLA_IFNAME, name);
	r = netlink_talk(&nl, msg, take_link, &found);
	if (r == -ENODEV)
		return vt_fail(err, r, "there is no link '%s' in this namespace", name);
	if (r < 0)
		return netlink_fail(&nl, err, r, "cannot look up the link '%s'", name);
	*link = found;
	return 0;
}

bool net_exists(int ns, const char *name)
{
	struct net_link link;

	return net_link_get(ns, name, &link, NULL) == 0;
}

struct sweep {
	const char *keep;
	int *index;
	size_t n;
};

static void take_other(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct nlattr *tb[IFLA_MAX + 1];
	struct sweep *s = arg;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof *i, tb, IFLA_MAX, NULL) < 0)
		return;
	if ((i->ifi_flags & IFF_LOOPBACK) || !tb[IFLA_IFNAME] ||
		!strcmp(nla_get_string(tb[IFLA_IFNAME]), s->keep))
		return;
	s->index = xrealloc(s->index, (s->n + 1) * sizeof *s->index);
	s->index[s->n++] = i->ifi_index;
}

int net_keep_only_link(int ns, const char *keep, struct vt_err *err)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct sweep s = { .keep = keep };
	int r = netlink_open(&nl, ns, NETLINK_ROUTE, err);

	if (r < 0)
		return r;
	msg = netlink_msg(RTM_GETLINK, NLM_F_DUMP, &head, sizeof head);
	r = netlink_talk(&nl, msg, take_other, &s);
	if (r < 0)
		r = netlink_fail(&nl, err, r, "cannot list the links of a namespace");
	for (size_t i = 0; r == 0 && i < s.n; i++) {
		r = delete_index(&nl, s.index[i]);
		/* Gone with its peer, or of a kind that cannot be deleted. */
		if (r == -ENODEV || r == -EOPNOTSUPP)
			r = 0;
		if (r < 0)
			r = netlink_fail(&nl, err, r, "cannot delete link number %d", s.index[i]);
	}
	free(s.index);
	return r;
}
