/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Offloads, through the old per-feature commands of the ethtool ioctl: six on/off words are all that is
 * asked, and every kernel and driver answers them. The ioctl acts in the namespace its socket was made in.
 *
 * A feature that a driver cannot change is not an error here: whoever cares reads back and compares, which is
 * what the testbed's gate does.
 */
#include "host/net.h"

#include "base/cleanup.h"
#include "host/netns.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* In the order in which they can be switched on: segmentation needs scatter-gather, which needs checksums. */
static const struct feature {
	const char *name;
	size_t offset;
	uint32_t get, set;
} features[] = {
	{ "rx", offsetof(struct net_offloads, rx_csum), ETHTOOL_GRXCSUM, ETHTOOL_SRXCSUM },
	{ "tx", offsetof(struct net_offloads, tx_csum), ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM },
	{ "sg", offsetof(struct net_offloads, sg), ETHTOOL_GSG, ETHTOOL_SSG },
	{ "tso", offsetof(struct net_offloads, tso), ETHTOOL_GTSO, ETHTOOL_STSO },
	{ "gso", offsetof(struct net_offloads, gso), ETHTOOL_GGSO, ETHTOOL_SGSO },
	{ "gro", offsetof(struct net_offloads, gro), ETHTOOL_GGRO, ETHTOOL_SGRO },
};

static bool *field(struct net_offloads *o, const struct feature *f)
{
	return (bool *)((char *)o + f->offset);
}

static bool value_of(const struct net_offloads *o, const struct feature *f)
{
	return *(const bool *)((const char *)o + f->offset);
}

static int ethtool(int fd, const char *name, uint32_t cmd, uint32_t *data)
{
	struct ethtool_value v = { .cmd = cmd, .data = *data };
	struct ifreq ifr = { .ifr_data = (char *)&v };

	if (strlen(name) >= sizeof ifr.ifr_name)
		return -ENODEV;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0)
		return -errno;
	*data = v.data;
	return 0;
}

/* A feature that the driver has never heard of is off. */
static int read_all(int fd, const char *name, struct net_offloads *o, struct vt_err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		uint32_t data = 0;
		int r = ethtool(fd, name, features[i].get, &data);

		if (r == -ENODEV)
			return vt_fail(err, r, "there is no link '%s' in this namespace", name);
		if (r < 0 && r != -EOPNOTSUPP)
			return vt_fail(err, r, "cannot read the %s offload of '%s': %s", features[i].name,
				name, strerror(-r));
		*field(o, &features[i]) = data != 0;
	}
	return 0;
}

int net_offloads_get(int ns, const char *name, struct net_offloads *o, struct vt_err *err)
{
	_cleanup_close_ int fd = netns_socket(ns, AF_INET, SOCK_DGRAM, 0, err);
	struct net_offloads now = { 0 };
	int r;

	if (fd < 0)
		return fd;
	r = read_all(fd, name, &now, err);
	if (r < 0)
		return r;
	*o = now;
	return 0;
}

int net_offloads_apply(int ns, const char *name, const struct net_offloads *want, struct vt_err *err)
{
	_cleanup_close_ int fd = netns_socket(ns, AF_INET, SOCK_DGRAM, 0, err);
	struct net_offloads now = { 0 };
	size_t n = ARRAY_SIZE(features);
	int r;

	if (fd < 0)
		return fd;
	r = read_all(fd, name, &now, err);
	if (r < 0 || net_offloads_equal(&now, want))
		return r;
	for (size_t i = 0; i < 2 * n; i++) {
		/*
		 * Off backwards first, then on forwards; each is said even where it reads right already,
		 * since one that is only held off by a missing checksum would come back with it.
		 */
		const struct feature *f = i < n ? &features[n - 1 - i] : &features[i - n];
		uint32_t data = value_of(want, f);

		if (data != (i >= n))
			continue;
		r = ethtool(fd, name, f->set, &data);
		if (r < 0 && r != -EOPNOTSUPP && r != -EINVAL)
			return vt_fail(err, r, "cannot switch the %s offload of '%s' %s: %s", f->name, name,
				i < n ? "off" : "on", strerror(-r));
	}
	return 0;
}

int net_offloads_set(int ns, const char *name, bool on, struct vt_err *err)
{
	struct net_offloads want = { on, on, on, on, on, on };

	return net_offloads_apply(ns, name, &want, err);
}

bool net_offloads_equal(const struct net_offloads *a, const struct net_offloads *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (value_of(a, &features[i]) != value_of(b, &features[i]))
			return false;
	return true;
}

void net_offloads_format(const struct net_offloads *o, char *out, unsigned size)
{
	unsigned len = 0;

	*out = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(features) && len < size; i++)
		len += (unsigned)snprintf(out + len, size - len, "%s%s %s", i ? ", " : "", features[i].name,
			value_of(o, &features[i]) ? "on" : "off");
}
