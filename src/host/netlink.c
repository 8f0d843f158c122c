/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel handles a netlink request inside sendmsg(2), so the answer is waiting when we start to read; the
 * receive timeout only guards against a kernel that never acknowledges.
 */
#include "host/netlink.h"

#include "base/cleanup.h"
#include "host/netns.h"

#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

struct answer {
	struct netlink *nl;
	void (*each)(struct nlmsghdr *h, void *arg);
	void *arg;
	int code;
	int done;
};

int netlink_open(struct netlink *nl, int ns, int protocol, struct vt_err *err)
{
	struct timeval limit = { .tv_sec = 5 };
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	_cleanup_close_ int fd = netns_socket(ns, AF_NETLINK, SOCK_RAW, protocol, err);
	int on = 1;

	*nl = NETLINK_INIT;
	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0)
		return vt_fail_errno(err, "cannot bind a netlink socket");
	/* Neither is needed to work: the first gives better messages, the second shorter ones. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	nl->sk = nl_socket_alloc();
	if (!nl->sk)
		return vt_fail(err, -ENOMEM, "cannot allocate a netlink socket");
	if (nl_socket_set_fd(nl->sk, protocol, fd) < 0) {
		netlink_close(nl);
		return vt_fail(err, -EIO, "cannot use a netlink socket");
	}
	steal_fd(&fd);
	nl_socket_set_msg_buf_size(nl->sk, 32768);
	return 0;
}

void netlink_close(struct netlink *nl)
{
	int saved = errno;

	if (nl->sk)
		nl_socket_free(nl->sk); /* closes the descriptor */
	nl->sk = NULL;
	errno = saved;
}

struct nl_msg *netlink_msg(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (!msg || nlmsg_append(msg, (void *)head, len, NLMSG_ALIGNTO) < 0)
		abort();
	return msg;
}

void netlink_msg_free(struct nl_msg **msg)
{
	if (*msg)
		nlmsg_free(*msg);
	*msg = NULL;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct answer *a = arg;

	if (a->each)
		a->each(nlmsg_hdr(msg), a->arg);
	return NL_OK;
}

static int on_end(struct nl_msg *msg, void *arg)
{
	struct answer *a = arg;

	a->done = 1;
	return NL_STOP;
}

/*
 * A list that changed while it was read is still good enough for every use here; and sequence numbers need no
 * check on a socket that lives for one function and has one request at a time (batches number their own).
 */
static int on_whatever(struct nl_msg *msg, void *arg)
{
	return NL_OK;
}

/* The kernel's sentence follows the error as an attribute; with NETLINK_CAP_ACK the request is not echoed. */
static void keep_detail(struct netlink *nl, struct nlmsgerr *e)
{
	struct nlmsghdr *h = (struct nlmsghdr *)((char *)e - NLMSG_HDRLEN);
	size_t skip = sizeof *e;
	struct nlattr *text;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || h->nlmsg_len < NLMSG_HDRLEN + sizeof *e)
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - NLMSG_HDRLEN;
	if (h->nlmsg_len <= NLMSG_HDRLEN + skip)
		return;
	text = nla_find((struct nlattr *)((char *)e + skip), (int)(h->nlmsg_len - NLMSG_HDRLEN - skip),
		NLMSGERR_ATTR_MSG);
	if (text)
		snprintf(nl->detail, sizeof nl->detail, "%.*s", nla_len(text), (char *)nla_data(text));
}

static int on_error(struct sockaddr_nl *who, struct nlmsgerr *e, void *arg)
{
	struct answer *a = arg;

	a->code = e->error;
	a->done = 1;
	keep_detail(a->nl, e);
	return NL_STOP;
}

static int receive(struct netlink *nl, struct answer *a)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		return -ENOMEM;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, a);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_end, a);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_end, a);
	nl_cb_set(cb, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_whatever, a);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_whatever, a);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, a);
	while (!a->done) {
		int r = nl_recvmsgs(nl->sk, cb);

		if (r < 0 && !a->done) {
			a->code = r == -NLE_AGAIN ? -ETIMEDOUT : -EIO;
			snprintf(nl->detail, sizeof nl->detail, "%s", nl_geterror(r));
			break;
		}
	}
	nl_cb_put(cb);
	return a->code;
}

int netlink_talk(
	struct netlink *nl, struct nl_msg *msg, void (*each)(struct nlmsghdr *h, void *arg), void *arg)
{
	struct answer a = { .nl = nl, .each = each, .arg = arg };

	nl->detail[0] = '\0';
	errno = 0;
	if (nl_send_auto(nl->sk, msg) < 0)
		return errno ? -errno : -EIO;
	return receive(nl, &a);
}

int netlink_talk_raw(struct netlink *nl, void *data, size_t len)
{
	struct answer a = { .nl = nl };

	nl->detail[0] = '\0';
	errno = 0;
	if (nl_sendto(nl->sk, data, len) < 0)
		return errno ? -errno : -EIO;
	return receive(nl, &a);
}

static void take_index(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = nlmsg_data(h);

	if (h->nlmsg_type == RTM_NEWLINK && nlmsg_valid_hdr(h, sizeof *i))
		*(int *)arg = i->ifi_index;
}

int netlink_ifindex(struct netlink *nl, const char *name, struct vt_err *err)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	_cleanup_msg_ struct nl_msg *msg = netlink_msg(RTM_GETLINK, 0, &head, sizeof head);
	int index = 0, r;

	if (strlen(name) >= IFNAMSIZ || !*name)
		return vt_fail(err, -ENODEV, "'%s' cannot be the name of a link", name);
	nla_put_string(msg, IFLA_IFNAME, name);
	r = netlink_talk(nl, msg, take_index, &index);
	if (r == -ENODEV || (r == 0 && index == 0))
		return vt_fail(err, -ENODEV, "there is no link '%s' in this namespace", name);
	if (r < 0)
		return netlink_fail(nl, err, r, "cannot look up the link '%s'", name);
	return index;
}

int netlink_fail(const struct netlink *nl, struct vt_err *err, int code, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (nl->detail[0])
		return vt_fail(err, code, "%s: %s (%s)", what, strerror(-code), nl->detail);
	return vt_fail(err, code, "%s: %s", what, strerror(-code));
}
