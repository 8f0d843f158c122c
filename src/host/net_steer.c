/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Receive packet steering (RPS) of a veth end: which CPU handles what arrives there.
 *
 * A real NIC interrupts the machine that receives. A veth end has no interrupt: what it receives is handled on
 * the CPU that sent it, at the sender's expense, and a bulk stream, whose data leaves now from the sender's CPU
 * and now from the one that handles its ACKs, overtakes itself between two per-CPU queues and is sent again.
 * With RPS each side's packets are handled on that side's CPU, in order, as on two machines.
 *
 * The switch is a file in sysfs, which shows the interfaces of whoever mounts it: so it is mounted on a thread in
 * the namespace, detached (fsmount), and no mount table ever shows it.
 */
#include "host/net.h"
#include "host/netns.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

#define MASK_MAX 1024 /* hex digits and commas of a CPU mask */

struct steering {
	const char *ifname;
	int cpu;	    /* set: the CPU, -1 none */
	char mask[MASK_MAX]; /* get: as the kernel prints it */
	bool set;
};

static int open_sysfs(struct vt_err *err)
{
	_cleanup_close_ int fs = fsopen("sysfs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return vt_fail_errno(err, "cannot open a sysfs of the namespace");
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? vt_fail_errno(err, "cannot open a sysfs of the namespace") : fd;
}

/* The kernel's notation: 32-bit words in hex, most significant first, separated by commas. */
static void mask_of(int cpu, char *out, size_t size)
{
	size_t n = 0;

	if (cpu < 0) {
		snprintf(out, size, "0");
		return;
	}
	n = (size_t)snprintf(out, size, "%x", 1u << (cpu % 32));
	for (int word = cpu / 32; word > 0 && n < size; word--)
		n += (size_t)snprintf(out + n, size - n, ",%08x", 0);
}

static int steer(void *arg, struct vt_err *err)
{
	struct steering *s = arg;
	_cleanup_close_ int sysfs = open_sysfs(err), fd = -1;
	char path[96];
	ssize_t n;

	if (sysfs < 0)
		return sysfs;
	snprintf(path, sizeof path, "class/net/%s/queues/rx-0/rps_cpus", s->ifname);
	fd = openat(sysfs, path, (s->set ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return vt_fail_errno(err, "cannot steer what '%s' receives", s->ifname);
	if (s->set) {
		mask_of(s->cpu, s->mask, sizeof s->mask);
		n = write(fd, s->mask, strlen(s->mask));
	} else {
		n = read(fd, s->mask, sizeof s->mask - 1);
		s->mask[n > 0 ? n : 0] = '\0';
		s->mask[strcspn(s->mask, "\n")] = '\0';
	}
	return n < 0 ? vt_fail_errno(err, "cannot steer what '%s' receives", s->ifname) : 0;
}

int net_steer_set(int ns, const char *name, int cpu, struct vt_err *err)
{
	struct steering s = { .ifname = name, .cpu = cpu, .set = true };

	return netns_call(ns, steer, &s, err);
}

/* Bits of the mask, wherever they are; a mask of several CPUs has no single answer. */
static int cpu_of(const char *mask)
{
	int cpu = -1, bit = 0;

	for (const char *p = mask + strlen(mask); p-- > mask;) {
		int digit = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : -1;

		if (digit < 0)
			continue;
		for (int i = 0; i < 4; i++, bit++)
			if (digit & (1 << i)) {
				if (cpu >= 0)
					return -2;
				cpu = bit;
			}
	}
	return cpu;
}

int net_steer_get(int ns, const char *name, int *cpu, struct vt_err *err)
{
	struct steering s = { .ifname = name };
	int r = netns_call(ns, steer, &s, err);

	if (r == 0)
		*cpu = cpu_of(s.mask);
	return r;
}
