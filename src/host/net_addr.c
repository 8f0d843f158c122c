/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 addresses, routes and neighbours. The testbed speaks IPv4 only: one family keeps the comparison
 * between techniques clean, and not every one of them routes IPv6.
 */
#include "host/net.h"

#include "base/xalloc.h"
#include "host/netlink.h"
#include "host/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#define RANGE_BASE 0xc6120000U /* 198.18.0.0 */
#define RANGE_BITS 15
#define DEFAULT_BITS 7 /* wide as this a route is a default route: VPNs write 0.0.0.0/1 and 128.0.0.0/1 */

struct cidr {
	in_addr_t addr; /* network order */
	unsigned bits;
};

static int parse_cidr(const char *text, struct cidr *c, struct vt_err *err)
{
	char addr[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	char *end = NULL;
	unsigned long bits = 0;

	if (slash && slash[1] >= '0' && slash[1] <= '9')
		bits = strtoul(slash + 1, &end, 10);
	if (!end || *end || bits > 32 || (size_t)(slash - text) >= sizeof addr)
		return vt_fail(err, -EINVAL, "'%s' is not an address with a prefix length", text);
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (inet_pton(AF_INET, addr, &c->addr) != 1)
		return vt_fail(err, -EINVAL, "'%s' is not an IPv4 address", addr);
	c->bits = (unsigned)bits;
	return 0;
}

static struct nl_msg *address_msg(int type, int flags, int index, const struct cidr *c)
{
	struct ifaddrmsg head = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = (unsigned char)c->bits,
		.ifa_index = (unsigned)index,
	};
	struct nl_msg *msg = netlink_msg(type, flags, &head, sizeof head);

	nla_put_u32(msg, IFA_LOCAL, c->addr);
	nla_put_u32(msg, IFA_ADDRESS, c->addr);
	return msg;
}

/* Both of the next need the same start: a socket, the link's index, the parsed address. */
static int begin(struct netlink *nl, int ns, const char *name, const char *cidr, int *index, struct cidr *c,
	struct vt_err *err)
{
	int r = cidr ? parse_cidr(cidr, c, err) : 0;

	if (r == 0)
		r = netlink_open(nl, ns, NETLINK_ROUTE, err);
	if (r < 0)
		return r;
	*index = netlink_ifindex(nl, name, err);
	return *index < 0 ? *index : 0;
}

int net_add_address(int ns, const char *name, const char *cidr, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct cidr c;
	int index, r = begin(&nl, ns, name, cidr, &index, &c, err);

	if (r < 0)
		return r;
	msg = address_msg(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, &c);
	r = netlink_talk(&nl, msg, NULL, NULL);
	if (r == -EEXIST)
		return vt_fail(err, r, "'%s' has the address %s already", name, cidr);
	if (r < 0)
		return netlink_fail(&nl, err, r, "cannot give '%s' the address %s", name, cidr);
	return 0;
}

int net_del_address(int ns, const char *name, const char *cidr, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct cidr c;
	int index, r = begin(&nl, ns, name, cidr, &index, &c, err);

	if (r < 0)
		return r;
	msg = address_msg(RTM_DELADDR, 0, index, &c);
	r = netlink_talk(&nl, msg, NULL, NULL);
	if (r == -EADDRNOTAVAIL)
		return vt_fail(err, r, "'%s' does not have the address %s", name, cidr);
	if (r < 0)
		return netlink_fail(&nl, err, r, "cannot take the address %s from '%s'", cidr, name);
	return 0;
}

struct addresses {
	int index;
	struct cidr *list;
	size_t n;
};

static void take_address(struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *i = nlmsg_data(h);
	struct nlattr *tb[IFA_MAX + 1];
	struct addresses *a = arg;

	if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof *i, tb, IFA_MAX, NULL) < 0)
		return;
	if (i->ifa_family != AF_INET || (int)i->ifa_index != a->index || !tb[IFA_LOCAL])
		return;
	a->list = xrealloc(a->list, (a->n + 1) * sizeof *a->list);
	a->list[a->n++] = (struct cidr){ nla_get_u32(tb[IFA_LOCAL]), i->ifa_prefixlen };
}

static int list_addresses(struct netlink *nl, struct addresses *a)
{
	struct ifaddrmsg head = { .ifa_family = AF_INET };
	_cleanup_msg_ struct nl_msg *msg = netlink_msg(RTM_GETADDR, NLM_F_DUMP, &head, sizeof head);

	return netlink_talk(nl, msg, take_address, a);
}

int net_get_address(int ns, const char *name, char *cidr, unsigned size, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	struct addresses a = { 0 };
	char text[INET_ADDRSTRLEN];
	int r = begin(&nl, ns, name, NULL, &a.index, NULL, err);

	if (r < 0)
		return r;
	r = list_addresses(&nl, &a);
	if (r < 0)
		r = netlink_fail(&nl, err, r, "cannot list the addresses of '%s'", name);
	else if (!a.n)
		r = vt_fail(err, -EADDRNOTAVAIL, "'%s' has no IPv4 address", name);
	else
		snprintf(cidr, size, "%s/%u", inet_ntop(AF_INET, &a.list[0].addr, text, sizeof text),
			a.list[0].bits);
	free(a.list);
	return r;
}

/* Deletes what is not wanted; true in *found when the wanted one is there. */
static int drop_others(struct netlink *nl, const struct addresses *a, const struct cidr *want, bool *found)
{
	for (size_t i = 0; i < a->n; i++) {
		struct nl_msg *msg;
		int r;

		if (a->list[i].addr == want->addr && a->list[i].bits == want->bits) {
			*found = true;
			continue;
		}
		msg = address_msg(RTM_DELADDR, 0, a->index, &a->list[i]);
		r = netlink_talk(nl, msg, NULL, NULL);
		netlink_msg_free(&msg);
		if (r < 0 && r != -EADDRNOTAVAIL) /* secondary addresses go with their primary */
			return r;
	}
	return 0;
}

int net_keep_only_address(int ns, const char *name, const char *cidr, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct addresses a = { 0 };
	bool found = false;
	struct cidr c;
	int r = begin(&nl, ns, name, cidr, &a.index, &c, err);

	if (r < 0)
		return r;
	r = list_addresses(&nl, &a);
	if (r == 0)
		r = drop_others(&nl, &a, &c, &found);
	/* Deleting a primary address takes its secondaries along, the wanted one perhaps among them. */
	if (r == 0 && (!found || a.n > 1)) {
		msg = address_msg(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, a.index, &c);
		r = netlink_talk(&nl, msg, NULL, NULL);
	}
	free(a.list);
	if (r < 0)
		return netlink_fail(&nl, err, r, "cannot give '%s' the address %s alone", name, cidr);
	return 0;
}

int net_add_default_route(int ns, const char *gateway, struct vt_err *err)
{
	struct rtmsg head = {
		.rtm_family = AF_INET,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	in_addr_t via;
	int r;

	if (inet_pton(AF_INET, gateway, &via) != 1)
		return vt_fail(err, -EINVAL, "'%s' is not an IPv4 address", gateway);
	r = netlink_open(&nl, ns, NETLINK_ROUTE, err);
	if (r < 0)
		return r;
	msg = netlink_msg(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
	nla_put_u32(msg, RTA_GATEWAY, via);
	r = netlink_talk(&nl, msg, NULL, NULL);
	if (r == -EEXIST)
		return vt_fail(err, r, "cannot route by %s: there is a default route already", gateway);
	if (r == -ENETUNREACH)
		return vt_fail(err, r, "cannot route by %s: no link of the namespace reaches it", gateway);
	if (r < 0)
		return netlink_fail(&nl, err, r, "cannot route by %s", gateway);
	return 0;
}

/* Messages to send back with another type: the kernel accepts its own words for what to delete. */
struct deletions {
	int index; /* of the link; 0 any */
	struct nl_msg **msgs;
	size_t n;
};

static struct nl_msg *add_deletion(struct deletions *d, int type, const void *head, size_t len)
{
	struct nl_msg *msg = netlink_msg(type, 0, head, len);

	d->msgs = xrealloc(d->msgs, (d->n + 1) * sizeof *d->msgs);
	d->msgs[d->n++] = msg;
	return msg;
}

static int send_deletions(struct netlink *nl, struct deletions *d, int code)
{
	for (size_t i = 0; i < d->n; i++) {
		int r = code < 0 ? 0 : netlink_talk(nl, d->msgs[i], NULL, NULL);

		if (r < 0 && r != -ENOENT && r != -ESRCH) /* gone meanwhile */
			code = r;
		netlink_msg_free(&d->msgs[i]);
	}
	free(d->msgs);
	return code;
}

static void take_neighbour(struct nlmsghdr *h, void *arg)
{
	const struct ndmsg *i = nlmsg_data(h);
	struct nlattr *tb[NDA_MAX + 1];
	struct deletions *d = arg;
	struct ndmsg head;

	if (h->nlmsg_type != RTM_NEWNEIGH || nlmsg_parse(h, sizeof *i, tb, NDA_MAX, NULL) < 0)
		return;
	if (i->ndm_ifindex != d->index || (i->ndm_state & (NUD_PERMANENT | NUD_NOARP)) || !tb[NDA_DST])
		return;
	head = (struct ndmsg){ .ndm_family = i->ndm_family, .ndm_ifindex = i->ndm_ifindex };
	nla_put(add_deletion(d, RTM_DELNEIGH, &head, sizeof head), NDA_DST, nla_len(tb[NDA_DST]),
		nla_data(tb[NDA_DST]));
}

int net_flush_neighbours(int ns, const char *name, struct vt_err *err)
{
	struct ndmsg head = { .ndm_family = AF_INET };
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct deletions d = { 0 };
	int r = begin(&nl, ns, name, NULL, &d.index, NULL, err);

	if (r < 0)
		return r;
	msg = netlink_msg(RTM_GETNEIGH, NLM_F_DUMP, &head, sizeof head);
	r = send_deletions(&nl, &d, netlink_talk(&nl, msg, take_neighbour, &d));
	if (r < 0)
		return netlink_fail(&nl, err, r, "cannot empty the neighbour cache of '%s'", name);
	return 0;
}

static void take_added_route(struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *i = nlmsg_data(h);
	struct nlattr *tb[RTA_MAX + 1];
	struct rtmsg head;
	struct nl_msg *msg;

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof *i, tb, RTA_MAX, NULL) < 0)
		return;
	if (i->rtm_protocol == RTPROT_KERNEL || (i->rtm_flags & RTM_F_CLONED))
		return;
	head = *i;
	head.rtm_flags = 0;
	msg = add_deletion(arg, RTM_DELROUTE, &head, sizeof head);
	for (int t = 1; t <= RTA_MAX; t++)
		if (tb[t] && (t == RTA_DST || t == RTA_GATEWAY || t == RTA_OIF || t == RTA_PRIORITY ||
				     t == RTA_TABLE))
			nla_put(msg, t, nla_len(tb[t]), nla_data(tb[t]));
}

int net_flush_routes(int ns, struct vt_err *err)
{
	struct rtmsg head = { .rtm_family = AF_INET };
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct deletions d = { 0 };
	int r = netlink_open(&nl, ns, NETLINK_ROUTE, err);

	if (r < 0)
		return r;
	msg = netlink_msg(RTM_GETROUTE, NLM_F_DUMP, &head, sizeof head);
	r = send_deletions(&nl, &d, netlink_talk(&nl, msg, take_added_route, &d));
	if (r < 0)
		return netlink_fail(&nl, err, r, "cannot delete the routes of a namespace");
	return 0;
}

struct in_use {
	bool used;
	bool route; /* or address */
	in_addr_t addr;
	unsigned bits;
	int index;
};

static bool overlaps(in_addr_t addr, unsigned bits)
{
	unsigned shared = bits < RANGE_BITS ? bits : RANGE_BITS;
	uint32_t mask = shared ? ~0U << (32 - shared) : 0;

	return ((ntohl(addr) ^ RANGE_BASE) & mask) == 0;
}

static void check_address(struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *i = nlmsg_data(h);
	struct nlattr *tb[IFA_MAX + 1];
	struct in_use *u = arg;
	in_addr_t addr;

	if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof *i, tb, IFA_MAX, NULL) < 0)
		return;
	if (u->used || i->ifa_family != AF_INET || !tb[IFA_LOCAL])
		return;
	addr = nla_get_u32(tb[IFA_LOCAL]);
	/* The address itself; the network around it shows as a route. */
	if (overlaps(addr, 32))
		*u = (struct in_use){ true, false, addr, i->ifa_prefixlen, (int)i->ifa_index };
}

static void check_route(struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *i = nlmsg_data(h);
	struct nlattr *tb[RTA_MAX + 1];
	struct in_use *u = arg;
	in_addr_t dst;

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof *i, tb, RTA_MAX, NULL) < 0)
		return;
	if (u->used || i->rtm_type != RTN_UNICAST || (i->rtm_flags & RTM_F_CLONED) || !tb[RTA_DST] ||
		i->rtm_dst_len <= DEFAULT_BITS)
		return;
	dst = nla_get_u32(tb[RTA_DST]);
	if (overlaps(dst, i->rtm_dst_len))
		*u = (struct in_use){ true, true, dst, i->rtm_dst_len,
			tb[RTA_OIF] ? (int)nla_get_u32(tb[RTA_OIF]) : 0 };
}

int net_range_in_use(bool *used, char *where, unsigned size, struct vt_err *err)
{
	struct ifaddrmsg addresses = { .ifa_family = AF_INET };
	struct rtmsg routes = { .rtm_family = AF_INET };
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	_cleanup_msg_ struct nl_msg *a = NULL, *b = NULL;
	char text[INET_ADDRSTRLEN], ifname[IF_NAMESIZE] = "?";
	struct in_use u = { 0 };
	int r = netlink_open(&nl, NETNS_SELF, NETLINK_ROUTE, err);

	if (r < 0)
		return r;
	a = netlink_msg(RTM_GETADDR, NLM_F_DUMP, &addresses, sizeof addresses);
	b = netlink_msg(RTM_GETROUTE, NLM_F_DUMP, &routes, sizeof routes);
	r = netlink_talk(&nl, a, check_address, &u);
	if (r == 0)
		r = netlink_talk(&nl, b, check_route, &u);
	if (r < 0)
		return netlink_fail(&nl, err, r, "cannot list the addresses and routes of this machine");
	*used = u.used;
	if (!u.used)
		return 0;
	inet_ntop(AF_INET, &u.addr, text, sizeof text);
	if_indextoname((unsigned)u.index, ifname);
	snprintf(where, size, "%s %s/%u on '%s'", u.route ? "route" : "address", text, u.bits, ifname);
	return 0;
}
