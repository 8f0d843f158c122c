/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT, as container engines set it up for published ports: destination NAT on the way in, masquerading on the
 * way out. The rules are written in nft's own language and handed to libnftables, which opens its netlink
 * socket where it runs: on a helper thread inside the namespace.
 *
 * Removing goes without it: a delete is one small transaction, and testbed_reset() does it before every
 * trial, where the milliseconds libnftables needs to read the whole rule set would count.
 */
#include "host/net.h"

#include "base/buf.h"
#include "host/netlink.h"
#include "host/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <nftables/libnftables.h>
#include <string.h>

#define TABLE "vtax"

static int check_address(const char *text, struct vt_err *err)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return vt_fail(err, -EINVAL, "'%s' is not an IPv4 address", text);
	return 0;
}

static int check_subnet(const char *text, struct vt_err *err)
{
	char addr[INET_ADDRSTRLEN];
	unsigned bits;
	int end = 0;

	if (sscanf(text, "%15[0-9.]/%2u%n", addr, &bits, &end) != 2 || text[end] || bits > 32)
		return vt_fail(err, -EINVAL, "'%s' is not an IPv4 subnet", text);
	return check_address(addr, err);
}

/* One command per line; `add, delete, add` replaces a table whether there was one, in one transaction. */
static void write_rules(struct buf *b, const char *address, const char *target, const char *subnet,
	const uint16_t *ports, unsigned n, bool icmp)
{
	static const char *const protocols[] = { "tcp", "udp" };

	buf_puts(b, "add table ip " TABLE "\ndelete table ip " TABLE "\nadd table ip " TABLE "\n");
	buf_puts(b, "add chain ip " TABLE
		    " prerouting { type nat hook prerouting priority -100; policy accept; }\n");
	buf_puts(b, "add chain ip " TABLE
		    " postrouting { type nat hook postrouting priority 100; policy accept; }\n");
	for (unsigned p = 0; n && p < 2; p++) {
		buf_printf(
			b, "add rule ip " TABLE " prerouting ip daddr %s %s dport { ", address, protocols[p]);
		for (unsigned i = 0; i < n; i++)
			buf_printf(b, "%s%u", i ? ", " : "", ports[i]);
		buf_printf(b, " } dnat to %s\n", target);
	}
	if (icmp)
		buf_printf(b,
			"add rule ip " TABLE " prerouting ip daddr %s icmp type echo-request dnat to %s\n",
			address, target);
	buf_printf(b, "add rule ip " TABLE " postrouting ip saddr %s masquerade\n", subnet);
}

/* nft says what is wrong in several lines, the first of which names the cause. */
static int run_here(void *arg, struct vt_err *err)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	const char *said;
	int r = 0;

	if (!nft)
		return vt_fail(err, -ENOMEM, "cannot set up nftables");
	if (nft_ctx_buffer_error(nft) || nft_ctx_buffer_output(nft)) {
		r = vt_fail(err, -ENOMEM, "cannot set up nftables");
	} else if (nft_run_cmd_from_buffer(nft, arg) != 0) {
		said = nft_ctx_get_error_buffer(nft);
		r = vt_fail(err, -ENOTSUP,
			"cannot set up NAT: nftables says '%.*s' (NAT needs the kernel's "
			"nf_tables, nft_nat, nft_masq and nf_conntrack)",
			(int)strcspn(said, "\n"), said);
	}
	nft_ctx_free(nft);
	return r;
}

int net_nat_add(int ns, const char *address, const char *target, const char *target_subnet,
	const uint16_t *ports, unsigned n, bool icmp, struct vt_err *err)
{
	_cleanup_buf_ struct buf rules = BUF_INIT(1 << 20);
	int r;

	r = check_address(address, err);
	if (r == 0)
		r = check_address(target, err);
	if (r == 0)
		r = check_subnet(target_subnet, err);
	if (r < 0)
		return r;
	write_rules(&rules, address, target, target_subnet, ports, n, icmp);
	if (rules.failed)
		return vt_fail(err, -E2BIG, "cannot set up NAT for %u ports: too many", n);
	r = netns_call(ns, run_here, rules.data, err);
	if (r < 0)
		return r;
	return net_sysctl_set(ns, "net.ipv4.ip_forward", "1", err);
}

/* A message of a netfilter batch, laid out by hand: libnl does not know them. Returns the bytes used. */
static size_t put_message(
	char *at, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource, const char *table)
{
	struct nlmsghdr *h = (struct nlmsghdr *)at;
	struct nfgenmsg *g = (struct nfgenmsg *)(at + NLMSG_HDRLEN);
	struct nlattr *a = (struct nlattr *)(at + NLMSG_HDRLEN + NLMSG_ALIGN(sizeof *g));
	size_t len = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof *g);

	*h = (struct nlmsghdr){ .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags };
	*g = (struct nfgenmsg){ .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource) };
	if (table) {
		a->nla_type = NFTA_TABLE_NAME;
		a->nla_len = (uint16_t)(NLA_HDRLEN + strlen(table) + 1);
		memcpy((char *)a + NLA_HDRLEN, table, strlen(table) + 1);
		len += NLA_ALIGN(a->nla_len);
	}
	h->nlmsg_len = (uint32_t)len;
	return len;
}

/* Deletes one table, or with `table` NULL all of every family. -ENOENT when there is none of that name. */
static int delete_tables(struct netlink *nl, uint8_t family, const char *table)
{
	_Alignas(struct nlmsghdr) char batch[256] = { 0 };
	size_t len = 0;

	len += put_message(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, NULL);
	len += put_message(
		batch + len, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_DELTABLE, NLM_F_ACK, family, 0, table);
	len += put_message(batch + len, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, NULL);
	return netlink_talk_raw(nl, batch, len);
}

/*
 * Forgets every tracked connection: a reused port must not be sent where the last environment lived. Only
 * when there is any, since asking would make the kernel load its conntrack modules.
 */
static void forget_connections(int ns, struct netlink *nl)
{
	_Alignas(struct nlmsghdr) char message[64] = { 0 };
	char count[32];
	size_t len;

	if (net_sysctl_get(ns, "net.netfilter.nf_conntrack_count", count, sizeof count, NULL) < 0 ||
		!strcmp(count, "0"))
		return;
	len = put_message(
		message, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, AF_UNSPEC, 0, NULL);
	netlink_talk_raw(nl, message, len);
}

/* A kernel without nf_tables has no tables. */
static bool is_absent(int code)
{
	return code == -ENOENT || code == -EOPNOTSUPP || code == -EPROTONOSUPPORT;
}

static int remove_tables(int ns, uint8_t family, const char *table, struct vt_err *err)
{
	_cleanup_netlink_ struct netlink nl = NETLINK_INIT;
	struct vt_err why = { 0 };
	int r = netlink_open(&nl, ns, NETLINK_NETFILTER, &why);

	if (is_absent(r))
		return 0;
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	r = delete_tables(&nl, family, table);
	if (r < 0 && !is_absent(r))
		return netlink_fail(&nl, err, r, "cannot delete the nftables rules of a namespace");
	forget_connections(ns, &nl);
	return 0;
}

int net_nat_remove(int ns, struct vt_err *err)
{
	return remove_tables(ns, NFPROTO_IPV4, TABLE, err);
}

int net_nat_flush(int ns, struct vt_err *err)
{
	return remove_tables(ns, AF_UNSPEC, NULL, err);
}
