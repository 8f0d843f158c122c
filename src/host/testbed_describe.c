/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The testbed as it is, for the fingerprint: every value is read back from the kernel, none is what was
 * asked. What this kernel does not have is null.
 */
#include "host/testbed.h"

#include <errno.h>

static void describe_sysctls(const struct side *side, unsigned which, json_t *into)
{
	char value[256];

	for (const struct testbed_sysctl *c = testbed_sysctls; c->name; c++) {
		if (!(c->sides & which))
			continue;
		if (net_sysctl_get(side->ns.fd, c->name, value, sizeof value, NULL) == 0)
			json_object_set_new(into, c->name, json_string(value));
		else
			json_object_set_new(into, c->name, json_null());
	}
}

static json_t *describe_offloads(const struct net_offloads *o)
{
	return json_pack("{s:b, s:b, s:b, s:b, s:b, s:b}", "rx", o->rx_csum, "tx", o->tx_csum, "sg", o->sg,
		"tso", o->tso, "gso", o->gso, "gro", o->gro);
}

static int describe_side(const struct side *side, unsigned which, json_t **out, struct vt_err *err)
{
	struct net_offloads offloads;
	struct net_link link;
	json_t *o, *sysctls;
	char address[32];
	int steered = -1;
	int r = net_link_get(side->ns.fd, side->ifname, &link, err);

	if (r == 0)
		r = net_get_address(side->ns.fd, side->ifname, address, sizeof address, err);

	if (r == 0)
		r = net_offloads_get(side->ns.fd, side->ifname, &offloads, err);
	if (r == 0)
		r = net_steer_get(side->ns.fd, side->ifname, &steered, err);
	if (r < 0)
		return r;
	sysctls = json_object();
	describe_sysctls(side, which, sysctls);
	o = json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:o, s:o, s:o, s:o}", "namespace", side->ns.name,
		"interface", side->ifname, "address", address, "mac", link.mac, "mtu", (int)link.mtu, "up",
		link.up, "cpu", side->cpu >= 0 ? json_integer(side->cpu) : json_null(), "receive_cpu",
		steered >= 0 ? json_integer(steered) : json_null(), "offloads", describe_offloads(&offloads), "sysctls", sysctls);
	if (!o)
		return vt_fail(err, -ENOMEM, "cannot describe the testbed: out of memory");
	*out = o;
	return 0;
}

int testbed_describe(const struct testbed *tb, json_t **out, struct vt_err *err)
{
	json_t *client = NULL, *sut = NULL, *o = NULL;
	int r = describe_side(&tb->client, TESTBED_ON_CLIENT, &client, err);

	if (r == 0)
		r = describe_side(&tb->sut, TESTBED_ON_SUT, &sut, err);
	if (r == 0) {
		o = json_pack("{s:s, s:o, s:o}", "cable", "veth", "client", client, "sut", sut);
		if (o) {
			*out = o;
			return 0;
		}
		return vt_fail(err, -ENOMEM, "cannot describe the testbed: out of memory");
	}
	json_decref(client);
	json_decref(sut);
	return r;
}
