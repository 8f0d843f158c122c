/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One netlink socket in one namespace, for the net_*.c files only. libnl builds and carries the messages; what
 * is added here is the kernel's own errno and its extended message, which libnl's error codes lose, because
 * "Unknown device type" is the sentence that tells a person what is missing.
 */
#ifndef VTAX_HOST_NETLINK_H
#define VTAX_HOST_NETLINK_H

#include "base/err.h"

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stddef.h>

struct netlink {
	struct nl_sock *sk;
	char detail[128]; /* the kernel's words about the last failure; "" when it had none */
};

#define NETLINK_INIT ((struct netlink){ .sk = NULL })

/* A connected socket of that protocol (NETLINK_ROUTE, NETLINK_NETFILTER) in the namespace ns. */
int netlink_open(struct netlink *nl, int ns, int protocol, struct vt_err *err);
void netlink_close(struct netlink *nl);

#define _cleanup_netlink_ __attribute__((cleanup(netlink_close)))
#define _cleanup_msg_ __attribute__((cleanup(netlink_msg_free)))

/* A request that starts with this fixed head (struct ifinfomsg …). Aborts when out of memory. */
struct nl_msg *netlink_msg(int type, int flags, const void *head, size_t len);
void netlink_msg_free(struct nl_msg **msg);

/*
 * Sends it and reads everything up to the acknowledgement (or the end of a dump); `each` sees every message of
 * the answer and may be NULL. Returns 0 or the kernel's negative errno, with nl->detail set.
 */
int netlink_talk(struct netlink *nl, struct nl_msg *msg, void (*each)(struct nlmsghdr *h, void *arg), void *arg);

/* The same for messages laid out by the caller; one of them asks for the acknowledgement. */
int netlink_talk_raw(struct netlink *nl, void *data, size_t len);

/* Index of a link by its name, or -ENODEV with *err set. */
int netlink_ifindex(struct netlink *nl, const char *name, struct vt_err *err);

/* "what: why" from a code of netlink_talk; returns the code. */
int netlink_fail(const struct netlink *nl, struct vt_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
