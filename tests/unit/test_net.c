/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns and net: real namespaces, links, rules and traffic, in an isolated copy of the mount table. Needs
 * root; skipped without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net_probe.h"

#include "host/journal.h"
#include "host/net.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static struct journal *journal;
static struct netns a = NETNS_INIT, b = NETNS_INIT, c = NETNS_INIT; /* client, SUT, behind the SUT */
static struct vt_err err;
static size_t mark;
static char state[] = "/tmp/vtax-test-net-XXXXXX";

#define ok(call)                                                                                             \
	do {                                                                                                 \
		int r_ = (call);                                                                             \
		if (r_ < 0)                                                                                  \
			fail_msg("%s: %d: %s", #call, r_, err.msg);                                          \
	} while (0)

#define fails(want_, call)                                                                                   \
	do {                                                                                                 \
		err = (struct vt_err){ 0 };                                                                  \
		assert_int_equal((call), (want_));                                                           \
		assert_int_equal(err.code, (want_));                                                         \
		assert_true(err.msg[0]);                                                                     \
	} while (0)

static int setup(void **st)
{
	if (geteuid() != 0 || probe_isolate() < 0)
		return 0;
	if (!mkdtemp(state) || setenv("VTAX_STATE", state, 1) < 0)
		return -1;
	return journal_create(&journal, "test-net", &err);
}

static int teardown(void **st)
{
	if (!journal)
		return 0;
	if (journal_finish(journal, &err) < 0)
		return -1;
	journal = NULL;
	return probe_remove(state);
}

/* Three empty namespaces for each test, undone after it. */
static int three(void **st)
{
	if (!journal)
		return 0;
	mark = journal_mark(journal);
	if (netns_create(&a, journal, "vtax-t-a", &err) < 0 ||
		netns_create(&b, journal, "vtax-t-b", &err) < 0 ||
		netns_create(&c, journal, "vtax-t-c", &err) < 0)
		return -1;
	return 0;
}

static int undo_three(void **st)
{
	if (!journal)
		return 0;
	netns_close(&a);
	netns_close(&b);
	netns_close(&c);
	return journal_undo_to(journal, mark, &err);
}

static void need_root(void)
{
	if (!journal)
		skip();
}

static ino_t own_netns(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return st.st_ino;
}

static void netns_is_made_and_undone(void **st)
{
	_cleanup_buf_ struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
	struct netns ns = NETNS_INIT;
	struct stat named, opened;
	struct net_link lo;
	size_t m;
	ino_t own;

	need_root();
	probe_host(&before);
	assert_non_null(strstr(buf_str(&before), "/run/netns absent"));
	own = own_netns();
	m = journal_mark(journal);
	ok(netns_create(&ns, journal, "vtax-t-one", &err));
	assert_string_equal(ns.path, "/run/netns/vtax-t-one");
	assert_int_equal(stat(ns.path, &named), 0);
	assert_int_equal(fstat(ns.fd, &opened), 0);
	assert_int_equal(named.st_ino, opened.st_ino);
	assert_true(named.st_ino != own);
	assert_int_equal(own_netns(), own);
	assert_true(fcntl(ns.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(stat("/run/netns", &named), 0);
	assert_int_equal(named.st_mode & 07777, 0755);
	ok(net_link_get(ns.fd, "lo", &lo, &err));
	assert_true(lo.up);
	netns_close(&ns);
	assert_int_equal(ns.fd, -1);
	netns_close(&ns);
	ok(journal_undo_to(journal, m, &err));
	probe_host(&after);
	assert_string_equal(buf_str(&before), buf_str(&after));
}

static void netns_names_do_not_collide(void **st)
{
	struct netns first = NETNS_INIT, second = NETNS_INIT;
	size_t m, before;

	need_root();
	m = journal_mark(journal);
	ok(netns_create(&first, journal, "vtax-t-same", &err));
	before = journal_mark(journal);
	fails(-EEXIST, netns_create(&second, journal, "vtax-t-same", &err));
	assert_non_null(strstr(err.msg, "'vtax-t-same'"));
	assert_int_equal(second.fd, -1);
	ok(journal_undo_to(journal, before, &err));
	assert_int_equal(access(first.path, F_OK), 0); /* the failed one undid nothing of it */
	fails(-EINVAL, netns_create(&second, journal, "", &err));
	fails(-EINVAL, netns_create(&second, journal, "../vtax", &err));
	fails(-EINVAL, netns_create(&second, journal, ".", &err));
	fails(-EINVAL,
		netns_create(&second, journal, "vtax-0123456789-0123456789-0123456789-0123456789", &err));
	netns_close(&first);
	ok(journal_undo_to(journal, m, &err));
}

static void netns_of_others_survive(void **st)
{
	const char *foreign = "/run/netns/foreign";
	struct netns ns = NETNS_INIT;
	struct statfs fs;
	size_t m;
	int fd;

	need_root();
	m = journal_mark(journal);
	ok(netns_create(&ns, journal, "vtax-t-ours", &err));
	fd = open(foreign, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mount("/proc/thread-self/ns/net", foreign, "none", MS_BIND, NULL), 0);
	netns_close(&ns);
	ok(journal_undo_to(journal, m, &err)); /* would also take away /run/netns, were it not in use */
	assert_int_equal(access("/run/netns/vtax-t-ours", F_OK), -1);
	assert_int_equal(statfs(foreign, &fs), 0);
	assert_int_equal(fs.f_type, 0x6e736673); /* nsfs: still a namespace */
	assert_int_equal(umount2(foreign, 0), 0);
	assert_int_equal(unlink(foreign), 0);
	umount2("/run/netns", 0);
	assert_int_equal(rmdir("/run/netns"), 0);
}

static int count(void *arg, struct vt_err *e)
{
	++*(int *)arg;
	return -ENOANO;
}

static void netns_call_returns_what_fn_does(void **st)
{
	ino_t own = own_netns();
	int calls = 0;

	need_root();
	assert_int_equal(netns_call(a.fd, count, &calls, &err), -ENOANO);
	assert_int_equal(netns_call(NETNS_SELF, count, &calls, &err), -ENOANO);
	assert_int_equal(calls, 2);
	fails(-EBADF, netns_call(-1, count, &calls, &err)); /* a closed namespace is never the host's */
	assert_int_equal(calls, 2);
	assert_int_equal(own_netns(), own);
}

/* In a child: what /sys shows after entering. Its exit status says which expectation failed. */
static int look_inside(bool hide)
{
	struct statfs before, after, unified;
	bool hybrid = statfs("/sys/fs/cgroup/unified", &unified) == 0;

	if (statfs("/sys/fs/cgroup", &before) < 0)
		return 1;
	if (netns_enter_with_sysfs(&b, hide, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	if (access("/sys/class/net/vtinside", F_OK) < 0)
		return 3;
	if (statfs("/sys/fs/cgroup", &after) < 0 || after.f_type != before.f_type)
		return 4;
	if (hybrid && statfs("/sys/fs/cgroup/unified", &after) == 0 &&
		(after.f_type == unified.f_type) == hide)
		return 5;
	if (hybrid && !hide && access("/sys/fs/cgroup/unified/cgroup.procs", W_OK) < 0)
		return 6;
	if (mount("tmpfs", "/mnt", "tmpfs", 0, NULL) < 0) /* must not show outside */
		return 7;
	return 0;
}

static void sysfs_shows_the_namespace(void **st)
{
	_cleanup_buf_ struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);

	need_root();
	ok(net_bridge(b.fd, "vtinside", 0, &err));
	assert_int_equal(mount("", "/", "none", MS_SHARED | MS_REC, NULL), 0); /* as systemd has it */
	probe_host(&before);
	for (int hide = 0; hide < 2; hide++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(look_inside(hide));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	probe_host(&after);
	assert_string_equal(buf_str(&before), buf_str(&after));
	assert_int_equal(mount("", "/", "none", MS_PRIVATE | MS_REC, NULL), 0);
}

static void cable(void)
{
	ok(net_veth(a.fd, "va", b.fd, "vb", 0, &err));
	ok(net_add_address(a.fd, "va", "198.18.0.1/24", &err));
	ok(net_add_address(b.fd, "vb", "198.18.0.2/24", &err));
}

static void veth_joins_two_namespaces(void **st)
{
	_cleanup_close_ int listener = -1;
	struct net_link link;

	need_root();
	ok(net_veth(a.fd, "va", b.fd, "vb", 9000, &err));
	ok(net_link_get(a.fd, "va", &link, &err));
	assert_true(link.up && link.mtu == 9000);
	assert_int_equal(strlen(link.mac), 17);
	ok(net_link_get(b.fd, "vb", &link, &err));
	assert_true(link.up && link.mtu == 9000);
	assert_false(net_exists(b.fd, "va"));
	assert_int_equal(if_nametoindex("va"), 0);
	ok(net_set_mtu(b.fd, "vb", 1400, &err));
	ok(net_link_get(b.fd, "vb", &link, &err));
	assert_int_equal(link.mtu, 1400);
	ok(net_add_address(a.fd, "va", "198.18.0.1/24", &err));
	ok(net_add_address(b.fd, "vb", "198.18.0.2/24", &err));
	listener = probe_listen(b.fd, SOCK_STREAM, "198.18.0.2", 7);
	assert_true(listener >= 0);
	assert_true(probe_tcp(a.fd, "198.18.0.2", 7, listener, NULL));
	ok(net_set_up(b.fd, "vb", false, &err));
	assert_false(probe_ping(a.fd, "198.18.0.2", 50));
	ok(net_delete(a.fd, "va", &err));
	assert_false(net_exists(b.fd, "vb"));
	ok(net_delete(a.fd, "va", &err));
}

static void link_errors_say_why(void **st)
{
	struct net_link link;

	need_root();
	cable();
	fails(-EEXIST, net_veth(a.fd, "va", b.fd, "other", 0, &err));
	assert_non_null(strstr(err.msg, "'va'"));
	assert_non_null(strstr(err.msg, "exists"));
	fails(-EINVAL, net_veth(a.fd, "sixteen-letters-", b.fd, "other", 0, &err));
	fails(-EINVAL, net_bridge(a.fd, "", 0, &err));
	fails(-ENODEV, net_set_up(a.fd, "nolink", true, &err));
	assert_non_null(strstr(err.msg, "'nolink'"));
	fails(-ENODEV, net_set_master(a.fd, "va", "nobridge", &err));
	fails(-ENODEV, net_macvlan(a.fd, "nolink", b.fd, "mv", &err));
	fails(-ENODEV, net_link_get(a.fd, "nolink", &link, &err));
	fails(-ENODEV, net_flush_neighbours(a.fd, "nolink", &err));
	fails(-EEXIST, net_add_address(a.fd, "va", "198.18.0.1/24", &err));
	fails(-EADDRNOTAVAIL, net_del_address(a.fd, "va", "198.18.0.9/24", &err));
	fails(-EINVAL, net_add_address(a.fd, "va", "198.18.0.1", &err));
	fails(-EINVAL, net_add_address(a.fd, "va", "198.18.0.1/33", &err));
	fails(-EINVAL, net_add_address(a.fd, "va", "198.18.0.1/2x", &err));
	fails(-EINVAL, net_add_address(a.fd, "va", "198.18.0.1111111111111111111/24", &err));
	fails(-EINVAL, net_add_address(a.fd, "va", "/24", &err));
	fails(-EINVAL, net_add_default_route(a.fd, "nonsense", &err));
	fails(-ENETUNREACH, net_add_default_route(a.fd, "203.0.113.1", &err));
	ok(net_add_default_route(a.fd, "198.18.0.2", &err));
	fails(-EEXIST, net_add_default_route(a.fd, "198.18.0.2", &err));
}

static void bridge_carries_a_third_namespace(void **st)
{
	_cleanup_close_ int listener = -1;
	struct net_link port, bridge;

	need_root();
	cable();
	ok(net_bridge(b.fd, "br", 0, &err));
	ok(net_veth(b.fd, "vc", c.fd, "eth0", 0, &err));
	ok(net_set_master(b.fd, "vb", "br", &err));
	ok(net_set_master(b.fd, "vc", "br", &err));
	ok(net_link_get(b.fd, "vb", &port, &err));
	ok(net_link_get(b.fd, "br", &bridge, &err));
	assert_int_equal(port.master, bridge.index);
	ok(net_add_address(c.fd, "eth0", "198.18.0.3/24", &err));
	listener = probe_listen(c.fd, SOCK_STREAM, "198.18.0.3", 7);
	assert_true(probe_tcp(a.fd, "198.18.0.3", 7, listener, NULL));
	ok(net_set_master(b.fd, "vb", NULL, &err));
	ok(net_link_get(b.fd, "vb", &port, &err));
	assert_int_equal(port.master, 0);
	assert_false(probe_ping(a.fd, "198.18.0.3", 50));
}

static void macvlan_lands_in_its_namespace(void **st)
{
	_cleanup_close_ int listener = -1;
	int r;

	need_root();
	cable();
	r = net_macvlan(b.fd, "vb", c.fd, "eth0", &err);
	if (r == -EOPNOTSUPP) {
		assert_non_null(strstr(err.msg, "this kernel has no macvlan"));
		skip();
	}
	ok(r);
	assert_false(net_exists(b.fd, "eth0"));
	ok(net_add_address(c.fd, "eth0", "198.18.0.3/24", &err));
	listener = probe_listen(c.fd, SOCK_STREAM, "198.18.0.3", 7);
	assert_true(probe_tcp(a.fd, "198.18.0.3", 7, listener, NULL));
}

/* a —cable— b —inner— c, and NAT in b. */
static void nat_testbed(const uint16_t *ports, unsigned n, bool icmp)
{
	cable();
	ok(net_veth(b.fd, "vi", c.fd, "eth0", 0, &err));
	ok(net_add_address(b.fd, "vi", "198.18.1.1/24", &err));
	ok(net_add_address(c.fd, "eth0", "198.18.1.2/24", &err));
	ok(net_add_default_route(c.fd, "198.18.1.1", &err));
	ok(net_nat_add(b.fd, "198.18.0.2", "198.18.1.2", "198.18.1.0/24", ports, n, icmp, &err));
}

static void nat_forwards_listed_ports_only(void **st)
{
	static const char tracked[] = "net.netfilter.nf_conntrack_count";
	static const uint16_t ports[] = { 7, 5201 };
	_cleanup_close_ int tcp = -1, udp = -1, other = -1, outside = -1;
	struct sockaddr_in seen;
	char value[8];

	need_root();
	nat_testbed(ports, 2, true);
	tcp = probe_listen(c.fd, SOCK_STREAM, "0.0.0.0", 7);
	udp = probe_listen(c.fd, SOCK_DGRAM, "0.0.0.0", 5201);
	other = probe_listen(c.fd, SOCK_STREAM, "0.0.0.0", 8);
	assert_true(probe_tcp(a.fd, "198.18.0.2", 7, tcp, &seen));
	assert_string_equal(inet_ntoa(seen.sin_addr), "198.18.0.1"); /* the client's own address arrives */
	assert_true(probe_udp(a.fd, "198.18.0.2", 5201, udp));
	assert_false(probe_tcp(a.fd, "198.18.0.2", 8, other, NULL));
	/* What the inside starts leaves with the outer address. */
	outside = probe_listen(a.fd, SOCK_STREAM, "198.18.0.1", 9);
	assert_true(probe_tcp(c.fd, "198.18.0.1", 9, outside, &seen));
	assert_string_equal(inet_ntoa(seen.sin_addr), "198.18.0.2");
	ok(net_sysctl_get(b.fd, "net.ipv4.ip_forward", value, sizeof value, &err));
	assert_string_equal(value, "1");
	ok(net_sysctl_get(a.fd, "net.ipv4.ip_forward", value, sizeof value, &err));
	assert_string_equal(value, "0");
	ok(net_sysctl_get(b.fd, tracked, value, sizeof value, &err));
	assert_string_not_equal(value, "0");
	ok(net_nat_remove(b.fd, &err));
	ok(net_sysctl_get(b.fd, tracked, value, sizeof value, &err));
	assert_string_equal(value, "0");
	assert_false(probe_tcp(a.fd, "198.18.0.2", 7, tcp, NULL));
	ok(net_nat_remove(b.fd, &err));
}

/* Only the inner namespace answers when NAT does its work: muting it must silence the address. */
static void nat_echo_is_answered_inside(void **st)
{
	need_root();
	nat_testbed(NULL, 0, true);
	assert_true(probe_ping(a.fd, "198.18.0.2", 1000));
	ok(net_sysctl_set(c.fd, "net.ipv4.icmp_echo_ignore_all", "1", &err));
	assert_false(probe_ping(a.fd, "198.18.0.2", 50));
	/* Again without icmp: the table is replaced, and b answers for itself. */
	ok(net_nat_add(b.fd, "198.18.0.2", "198.18.1.2", "198.18.1.0/24", NULL, 0, false, &err));
	ok(net_nat_flush(b.fd, &err));
	assert_true(probe_ping(a.fd, "198.18.0.2", 1000));
}

static void nat_refuses_what_is_not_an_address(void **st)
{
	static const char *const subnets[] = { "1.2.3.0/33", "1.2.3.0/24 x", "1.2.3.0", "1.2.3/24", "", "/24" };
	static const uint16_t port = 7;

	need_root();
	fails(-EINVAL, net_nat_add(b.fd, "1.2.3.4; flush", "1.2.3.5", "1.2.3.0/24", &port, 1, 0, &err));
	fails(-EINVAL, net_nat_add(b.fd, "1.2.3.4", "", "1.2.3.0/24", &port, 1, 0, &err));
	for (size_t i = 0; i < ARRAY_SIZE(subnets); i++)
		fails(-EINVAL, net_nat_add(b.fd, "1.2.3.4", "1.2.3.5", subnets[i], &port, 1, 0, &err));
}

static void sysctls_are_the_namespaces_own(void **st)
{
	char host[64], inside[64], word[4];

	need_root();
	ok(net_sysctl_get(NETNS_SELF, "net.ipv4.ip_local_port_range", host, sizeof host, &err));
	ok(net_sysctl_set(a.fd, "net.ipv4.ip_local_port_range", "1100  60100", &err));
	ok(net_sysctl_get(a.fd, "net.ipv4.ip_local_port_range", inside, sizeof inside, &err));
	assert_string_equal(inside, "1100 60100");
	ok(net_sysctl_get(NETNS_SELF, "net.ipv4.ip_local_port_range", inside, sizeof inside, &err));
	assert_string_equal(inside, host);
	fails(-ENOSPC, net_sysctl_get(a.fd, "net.ipv4.ip_local_port_range", word, sizeof word, &err));
	fails(-ENOENT, net_sysctl_get(a.fd, "net.ipv4.no_such_thing", inside, sizeof inside, &err));
	fails(-EINVAL, net_sysctl_set(a.fd, "kernel.hostname", "x", &err));
	fails(-EINVAL, net_sysctl_set(a.fd, "net...kernel", "x", &err));
	fails(-EINVAL, net_sysctl_set(a.fd, "net.ipv4.ip_local_port_range", "nonsense", &err));
	assert_non_null(strstr(err.msg, "net.ipv4.ip_local_port_range"));
	/* A dot inside a part is written '/': the interface "v.1". */
	ok(net_bridge(a.fd, "v.1", 0, &err));
	ok(net_sysctl_set(a.fd, "net.ipv4.conf.v/1.rp_filter", "2", &err));
}

static void offloads_follow(void **st)
{
	static const struct net_offloads mixed = { .rx_csum = 1, .tx_csum = 1, .sg = 1, .gso = 1 };
	struct net_offloads o, none = { 0 };
	char text[80];

	need_root();
	cable();
	ok(net_offloads_get(b.fd, "vb", &o, &err));
	assert_true(o.tx_csum && o.sg && o.tso);
	ok(net_offloads_set(b.fd, "vb", false, &err));
	ok(net_offloads_get(b.fd, "vb", &o, &err));
	assert_true(net_offloads_equal(&o, &none));
	ok(net_offloads_set(b.fd, "vb", true, &err));
	ok(net_offloads_get(b.fd, "vb", &o, &err));
	assert_true(o.rx_csum && o.tx_csum && o.sg && o.tso && o.gso && o.gro);
	ok(net_offloads_set(b.fd, "vb", false, &err));
	ok(net_offloads_apply(b.fd, "vb", &mixed, &err));
	ok(net_offloads_get(b.fd, "vb", &o, &err));
	assert_true(net_offloads_equal(&o, &mixed));
	assert_false(net_offloads_equal(&o, &none));
	net_offloads_format(&o, text, sizeof text);
	assert_string_equal(text, "rx on, tx on, sg on, tso off, gso on, gro off");
	net_offloads_format(&o, text, 10);
	assert_string_equal(text, "rx on, tx");
	fails(-ENODEV, net_offloads_get(b.fd, "nolink", &o, &err));
	fails(-ENODEV, net_offloads_set(b.fd, "a-name-that-is-longer-than-a-link", true, &err));
}

static char where[128];

static int range_here(void *arg, struct vt_err *e)
{
	return net_range_in_use(arg, where, sizeof where, e);
}

static bool range_in_use(void)
{
	bool used = false;

	ok(netns_call(a.fd, range_here, &used, &err));
	return used;
}

static void range_is_seen_in_use(void **st)
{
	static const struct {
		const char *cidr;
		bool used;
		const char *where;
	} rows[] = {
		{ "198.17.255.1/24", false, "" }, { "198.20.0.1/24", false, "" },
		{ "198.18.7.7/24", true, "address 198.18.7.7/24 on 'br'" },
		{ "198.19.255.254/32", true, "address 198.19.255.254/32 on 'br'" },
		{ "198.20.0.1/8", true, "route 198.0.0.0/8 on 'br'" }, /* the route around it covers ours */
		{ "198.20.0.1/1", false, "" },			       /* half a default route */
	};

	need_root();
	ok(net_bridge(a.fd, "br", 0, &err));
	assert_false(range_in_use());
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ok(net_add_address(a.fd, "br", rows[i].cidr, &err));
		where[0] = '\0';
		assert_int_equal(range_in_use(), rows[i].used);
		assert_string_equal(where, rows[i].where);
		ok(net_del_address(a.fd, "br", rows[i].cidr, &err));
	}
	ok(net_add_address(a.fd, "br", "10.0.0.1/24", &err));
	ok(net_add_default_route(a.fd, "10.0.0.2", &err));
	assert_false(range_in_use());
}

static void a_used_namespace_is_brought_back(void **st)
{
	static const uint16_t port = 7;

	need_root();
	nat_testbed(&port, 1, true);
	ok(net_add_default_route(b.fd, "198.18.1.2", &err));
	ok(net_bridge(b.fd, "br", 0, &err));
	ok(net_add_address(b.fd, "vb", "198.18.0.77/24", &err));
	ok(net_add_address(b.fd, "vb", "198.18.5.1/24", &err));
	ok(net_nat_flush(b.fd, &err));
	ok(net_keep_only_link(b.fd, "vb", &err));
	assert_true(net_exists(b.fd, "vb") && net_exists(b.fd, "lo"));
	assert_false(net_exists(b.fd, "br") || net_exists(b.fd, "vi") || net_exists(c.fd, "eth0"));
	ok(net_keep_only_address(b.fd, "vb", "198.18.0.77/24", &err)); /* a secondary: its primary goes */
	fails(-EADDRNOTAVAIL, net_del_address(b.fd, "vb", "198.18.0.2/24", &err));
	fails(-EADDRNOTAVAIL, net_del_address(b.fd, "vb", "198.18.5.1/24", &err));
	ok(net_keep_only_address(b.fd, "vb", "198.18.0.2/24", &err));
	assert_true(probe_ping(a.fd, "198.18.0.2", 1000));
	assert_false(probe_ping(a.fd, "198.18.0.77", 50));
	ok(net_add_default_route(b.fd, "198.18.0.1", &err));
	ok(net_flush_routes(b.fd, &err));
	ok(net_add_default_route(b.fd, "198.18.0.1", &err)); /* was gone, or this would say -EEXIST */
	assert_true(probe_ping(a.fd, "198.18.0.2", 1000));   /* the cable's own route was kept */
}

static int neighbours_here(void *arg, struct vt_err *e)
{
	_cleanup_buf_ struct buf arp = BUF_INIT(1 << 16);

	assert_int_equal(buf_read_file(&arp, "/proc/thread-self/net/arp", e), 0);
	*(bool *)arg = strstr(buf_str(&arp), "198.18.0.2") != NULL;
	return 0;
}

static void neighbours_are_forgotten(void **st)
{
	bool known = false;

	need_root();
	cable();
	assert_true(probe_ping(a.fd, "198.18.0.2", 1000));
	ok(netns_call(a.fd, neighbours_here, &known, &err));
	assert_true(known);
	ok(net_flush_neighbours(a.fd, "va", &err));
	ok(netns_call(a.fd, neighbours_here, &known, &err));
	assert_false(known);
	ok(net_flush_neighbours(a.fd, "va", &err));
}

#define in_three(f) cmocka_unit_test_setup_teardown(f, three, undo_three)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(netns_is_made_and_undone),
		cmocka_unit_test(netns_names_do_not_collide),
		cmocka_unit_test(netns_of_others_survive),
		in_three(netns_call_returns_what_fn_does),
		in_three(sysfs_shows_the_namespace),
		in_three(veth_joins_two_namespaces),
		in_three(link_errors_say_why),
		in_three(bridge_carries_a_third_namespace),
		in_three(macvlan_lands_in_its_namespace),
		in_three(nat_forwards_listed_ports_only),
		in_three(nat_echo_is_answered_inside),
		in_three(nat_refuses_what_is_not_an_address),
		in_three(sysctls_are_the_namespaces_own),
		in_three(offloads_follow),
		in_three(range_is_seen_in_use),
		in_three(a_used_namespace_is_brought_back),
		in_three(neighbours_are_forgotten),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
