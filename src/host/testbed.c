/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The testbed on one machine. Two namespaces of our own and nothing in the host's: the user's interfaces,
 * firewall and Docker are neither seen by a trial nor touched by it, and everything a trial leaves behind is
 * within a namespace that can be swept without asking whose it is.
 *
 * The journal owns what is made here; struct testbed only holds descriptors and names. What hangs on a
 * namespace (links, addresses, rules, sysctls) dies with it and needs no entry of its own.
 *
 * Each step on a side runs as one netns_call(), inside which all of net.h works with NETNS_SELF: one helper
 * thread per side and reset, not one per socket.
 */
#include "host/testbed.h"

#include "base/cleanup.h"
#include "host/cpu.h"

#include <string.h>

#define MTU_DEFAULT 1500
#define MTU_MIN 68    /* the least IPv4 works with, RFC 791 */
#define MTU_MAX 65535 /* of a veth */

const struct testbed_sysctl testbed_sysctls[] = {
	/* A connection per request uses up a port each, for as long as it stays in TIME_WAIT. */
	{ "net.ipv4.ip_local_port_range", "1024 65535", TESTBED_ON_CLIENT, false,
		"as many ports as there are" },
	{ "net.ipv4.tcp_tw_reuse", "1", TESTBED_ON_CLIENT, false,
		"ports in TIME_WAIT are usable after a second" },
	/* Or the two namespaces, which last, would learn from trial to trial, and a fresh container's not. */
	{ "net.ipv4.tcp_no_metrics_save", "1", TESTBED_ON_BOTH, false,
		"no congestion state is inherited from the last trial" },
	{ "net.ipv4.icmp_ratelimit", "0", TESTBED_ON_BOTH, false,
		"floods of probes are answered, all of them" },
	{ "net.ipv4.icmp_ratemask", "0", TESTBED_ON_BOTH, false, "likewise, for the kernel's global limit" },
	/* Set before there is a cable: links made later start with it. Duplicate address detection, router
	 * solicitations and multicast reports would be traffic that nobody asked for. */
	{ "net.ipv6.conf.default.disable_ipv6", "1", TESTBED_ON_BOTH, true, "no background traffic of IPv6" },
	/* A new namespace copies the host's; NAT environments turn it on in the SUT's. */
	{ "net.ipv4.ip_forward", "0", TESTBED_ON_BOTH, false, "only environments that route do so" },

	{ "net.ipv4.conf.all.rp_filter", NULL, TESTBED_ON_BOTH, true, "left as it is" },
	{ "net.ipv4.conf.default.rp_filter", NULL, TESTBED_ON_BOTH, true, "left as it is" },
	{ "net.ipv4.tcp_congestion_control", NULL, TESTBED_ON_BOTH, true, "left as it is" },
	{ "net.ipv4.tcp_rmem", NULL, TESTBED_ON_BOTH, true, "left as it is" },
	{ "net.ipv4.tcp_wmem", NULL, TESTBED_ON_BOTH, true, "left as it is" },
	{ "net.ipv4.tcp_timestamps", NULL, TESTBED_ON_BOTH, true, "left as it is" },
	{ "net.core.somaxconn", NULL, TESTBED_ON_BOTH, true, "left as it is" },
	{ .name = NULL },
};

struct step {
	const struct testbed *tb;
	const struct side *side;
	unsigned which; /* TESTBED_ON_CLIENT or TESTBED_ON_SUT */
};

static int on_side(const struct testbed *tb, unsigned which, int (*fn)(void *arg, struct vt_err *err),
	struct vt_err *err)
{
	const struct side *side = which == TESTBED_ON_CLIENT ? &tb->client : &tb->sut;
	struct step step = { .tb = tb, .side = side, .which = which };
	int r = netns_call(side->ns.fd, fn, &step, err);

	if (r < 0)
		vt_wrap(err, "testbed, %s side", which == TESTBED_ON_CLIENT ? "client" : "SUT");
	return r;
}

static unsigned mtu_of(const struct testbed *tb)
{
	return tb->config.mtu ? tb->config.mtu : MTU_DEFAULT;
}

static struct net_offloads offloads_of(const struct testbed *tb)
{
	bool on = tb->config.offload;

	return (struct net_offloads){
		.rx_csum = on, .tx_csum = on, .sg = on, .tso = on, .gso = on, .gro = false
	};
}

static int apply_sysctls(void *arg, struct vt_err *err)
{
	const struct step *s = arg;

	for (const struct testbed_sysctl *c = testbed_sysctls; c->name; c++) {
		struct vt_err why = { 0 };
		int r = 0;

		if (c->value && (c->sides & s->which))
			r = net_sysctl_set(NETNS_SELF, c->name, c->value, &why);
		if (r == 0 || (r == -ENOENT && c->optional))
			continue;
		if (err)
			*err = why;
		return r;
	}
	return 0;
}

/* The cable's end as it shall be, whatever it is now. */
static int settle(void *arg, struct vt_err *err)
{
	const struct step *s = arg;
	const char *name = s->side->ifname;
	struct net_offloads offloads = offloads_of(s->tb);
	struct net_link link;
	char cidr[32];
	int r;

	snprintf(cidr, sizeof cidr, "%s/%d", s->side->address, TESTBED_CABLE_PREFIX);
	r = net_link_get(NETNS_SELF, name, &link, err);
	if (r == 0 && link.mtu != mtu_of(s->tb))
		r = net_set_mtu(NETNS_SELF, name, mtu_of(s->tb), err);
	if (r == 0 && !link.up)
		r = net_set_up(NETNS_SELF, name, true, err);
	if (r == 0)
		r = net_offloads_apply(NETNS_SELF, name, &offloads, err);
	if (r == 0)
		r = net_keep_only_address(NETNS_SELF, name, cidr, err);
	if (r == 0)
		r = net_flush_routes(NETNS_SELF, err);
	if (r == 0)
		r = net_flush_neighbours(NETNS_SELF, name, err);
	return r < 0 ? r : apply_sysctls(arg, err);
}

/* Only the SUT's namespace ever holds anybody else's. A bridge that is deleted lets go of the cable. */
static int sweep(void *arg, struct vt_err *err)
{
	const struct step *s = arg;
	int r = net_nat_flush(NETNS_SELF, err);

	return r < 0 ? r : net_keep_only_link(NETNS_SELF, s->side->ifname, err);
}

static int lay_cable(const struct testbed *tb, struct vt_err *err)
{
	int r = net_veth(tb->client.ns.fd, tb->client.ifname, tb->sut.ns.fd, tb->sut.ifname, mtu_of(tb), err);

	if (r == 0 && tb->config.steer)
		r = net_steer_set(tb->client.ns.fd, tb->client.ifname, tb->client.cpu, err);
	if (r == 0 && tb->config.steer)
		r = net_steer_set(tb->sut.ns.fd, tb->sut.ifname, tb->sut.cpu, err);
	return r;
}

/* An environment that was given the end itself takes it along when its namespace dies. */
static int mend_cable(const struct testbed *tb, struct vt_err *err)
{
	bool client = net_exists(tb->client.ns.fd, tb->client.ifname);
	int r;

	if (client && net_exists(tb->sut.ns.fd, tb->sut.ifname))
		return 0;
	r = client ? net_delete(tb->client.ns.fd, tb->client.ifname, err) : 0;
	if (r == 0)
		r = net_delete(tb->sut.ns.fd, tb->sut.ifname, err);
	return r < 0 ? r : lay_cable(tb, err);
}

static int check_request(const char *id, const struct testbed_config *c, struct vt_err *err)
{
	size_t len = strlen(id);

	if (!len || len >= sizeof((struct testbed *)0)->id ||
		strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
		return vt_usage(err, "'%s' cannot be the id of a campaign: up to %zu of a-z, 0-9 and '-'", id,
			sizeof((struct testbed *)0)->id - 1);
	if (c->mtu && (c->mtu < MTU_MIN || c->mtu > MTU_MAX))
		return vt_usage(
			err, "an MTU of %u bytes is not possible: %d to %d are", c->mtu, MTU_MIN, MTU_MAX);
	return 0;
}

static int check_host(struct vt_err *err)
{
	char where[128];
	bool used;
	int r;

	if (geteuid() != 0)
		return vt_fail(
			err, -EPERM, "vtax must run as root to make network namespaces: try 'sudo vtax …'");
	r = net_range_in_use(&used, where, sizeof where, err);
	if (r == 0 && used)
		return vt_fail(err, -EADDRINUSE,
			"the benchmark addresses 198.18.0.0/15 are in use on this machine (%s): remove that "
			"first",
			where);
	return r;
}

static int make_cgroups(struct testbed *tb, struct vt_err *err)
{
	char path[sizeof tb->root.path];
	int r;

	snprintf(path, sizeof path, "vtax-%s", tb->id);
	r = cgroup_create(&tb->root, tb->journal, path, err);
	snprintf(path, sizeof path, "vtax-%s/client", tb->id);
	if (r == 0)
		r = cgroup_create(&tb->client.cgroup, tb->journal, path, err);
	snprintf(path, sizeof path, "vtax-%s/sut", tb->id);
	if (r == 0)
		r = cgroup_create(&tb->sut.cgroup, tb->journal, path, err);
	return r;
}

static int make_namespaces(struct testbed *tb, struct vt_err *err)
{
	char name[sizeof tb->sut.ns.name];
	int r;

	snprintf(name, sizeof name, "vtax-%s-client", tb->id);
	r = netns_create(&tb->client.ns, tb->journal, name, err);
	snprintf(name, sizeof name, "vtax-%s-sut", tb->id);
	if (r == 0)
		r = netns_create(&tb->sut.ns, tb->journal, name, err);
	return r;
}

static int make_all(struct testbed *tb, struct vt_err *err)
{
	bool pinned = false;
	int r = 0;

	if (tb->config.pin)
		r = cpu_choose(&tb->sut.cpu, &tb->client.cpu, &pinned, err);
	if (!pinned)
		tb->sut.cpu = tb->client.cpu = -1;
	/* Namespaces first: they refuse a name that is taken. */
	if (r == 0)
		r = make_namespaces(tb, err);
	if (r == 0)
		r = make_cgroups(tb, err);
	if (r == 0)
		r = on_side(tb, TESTBED_ON_CLIENT, apply_sysctls, err);
	if (r == 0)
		r = on_side(tb, TESTBED_ON_SUT, apply_sysctls, err);
	if (r == 0)
		r = lay_cable(tb, err);
	if (r == 0)
		r = on_side(tb, TESTBED_ON_CLIENT, settle, err);
	if (r == 0)
		r = on_side(tb, TESTBED_ON_SUT, settle, err);
	return r;
}

int testbed_create(struct testbed *tb, const char *id, const struct testbed_config *c, struct journal *j,
	struct vt_err *err)
{
	struct testbed made = {
		.config = *c,
		.client = { .ns = NETNS_INIT, .ifname = TESTBED_CLIENT_IF, .address = TESTBED_CLIENT_ADDR },
		.sut = { .ns = NETNS_INIT, .ifname = TESTBED_SUT_IF, .address = TESTBED_SUT_ADDR },
		.journal = j,
	};
	size_t mark;
	int r = check_request(id, c, err);

	if (r == 0)
		r = check_host(err);
	if (r < 0)
		return r;
	snprintf(made.id, sizeof made.id, "%s", id);
	mark = journal_mark(j);
	r = make_all(&made, err);
	if (r < 0) {
		testbed_release(&made);
		journal_undo_to(j, mark, NULL); /* what fails here is tried again by 'vtax clean' */
		return r;
	}
	*tb = made;
	return 0;
}

int testbed_reset(struct testbed *tb, struct vt_err *err)
{
	int r = on_side(tb, TESTBED_ON_SUT, sweep, err);

	if (r == 0)
		r = mend_cable(tb, err);
	if (r == 0)
		r = on_side(tb, TESTBED_ON_CLIENT, settle, err);
	if (r == 0)
		r = on_side(tb, TESTBED_ON_SUT, settle, err);
	return r;
}

static int verify_end(
	const struct testbed *tb, const struct side *side, char *why, unsigned size, struct vt_err *err)
{
	struct net_offloads want = offloads_of(tb), now;
	char is[64], should[64];
	struct net_link link;
	int r = net_link_get(side->ns.fd, side->ifname, &link, err);

	if (r == -ENODEV) {
		snprintf(why, size, "the cable's end '%s' is gone", side->ifname);
		return 0;
	}
	if (r == 0)
		r = net_offloads_get(side->ns.fd, side->ifname, &now, err);
	if (r < 0)
		return r;
	if (!link.up) {
		snprintf(why, size, "the cable's end '%s' is down", side->ifname);
	} else if (link.mtu != mtu_of(tb)) {
		snprintf(
			why, size, "the MTU of '%s' is %u instead of %u", side->ifname, link.mtu, mtu_of(tb));
	} else if (!net_offloads_equal(&now, &want)) {
		net_offloads_format(&now, is, sizeof is);
		net_offloads_format(&want, should, sizeof should);
		snprintf(
			why, size, "the offloads of '%s' are '%s' instead of '%s'", side->ifname, is, should);
	}
	return 0;
}

int testbed_verify(const struct testbed *tb, bool *ok, char *why, unsigned size, struct vt_err *err)
{
	char found[256] = "";
	int r = verify_end(tb, &tb->client, found, sizeof found, err);

	if (r == 0 && !found[0])
		r = verify_end(tb, &tb->sut, found, sizeof found, err);
	if (r < 0)
		return r;
	*ok = !found[0];
	if (!*ok)
		snprintf(why, size, "%s", found);
	return 0;
}

void testbed_release(struct testbed *tb)
{
	netns_close(&tb->client.ns);
	netns_close(&tb->sut.ns);
}

/* Between fork and exec. The cgroup first, so that the child's CPU time counts from its first instruction. */
int side_prepare(void *arg, struct vt_err *err)
{
	const struct side *side = arg;
	int r = cgroup_enter(&side->cgroup, err);

	if (r == 0)
		r = netns_enter(&side->ns, err);
	if (r == 0 && side->cpu >= 0)
		r = cpu_pin_self(side->cpu, err);
	return r;
}
