/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading back; see readback.h. Everything comes from /proc/PID of the agent and from its network namespace,
 * so it says what the kernel enforces, whoever set it up.
 *
 * "host" as the namespace of a kind means: the same as ours, except for net, where the bare SUT side is what
 * every environment starts from and "own" means another one than that; the caller's tables need no more.
 */
#include "technique/readback.h"

#include "base/cleanup.h"
#include "host/net.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PROC_MAX (256 << 10) /* mountinfo of a busy host stays well below */

static int proc_read(struct buf *b, pid_t pid, const char *name, struct vt_err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return buf_read_file(b, path, err);
}

/* The value of "Key:\tvalue" in /proc/PID/status style text; false when absent. */
static bool status_get(const char *text, const char *key, char *out, size_t size)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
		return true;
	}
	return false;
}

static json_t *text_or_null(bool known, const char *text)
{
	return known ? json_string(text) : json_null();
}

static void add_status(json_t *o, const char *status)
{
	static const char *const modes[] = { "off", "strict", "filter" };
	char v[256];
	bool known = status_get(status, "Seccomp", v, sizeof(v)) && v[0] >= '0' && v[0] <= '2';

	json_object_set_new(o, "seccomp", text_or_null(known, known ? modes[v[0] - '0'] : ""));
	known = status_get(status, "NoNewPrivs", v, sizeof(v));
	json_object_set_new(o, "no_new_privs", known ? json_boolean(v[0] == '1') : json_null());
	known = status_get(status, "CapEff", v, sizeof(v));
	json_object_set_new(o, "capabilities", text_or_null(known, v));
	known = status_get(status, "Cpus_allowed_list", v, sizeof(v));
	json_object_set_new(o, "cpus_allowed", text_or_null(known, v));
}

/* "Max open files  SOFT  HARD  files" */
static void add_limits(json_t *o, pid_t pid)
{
	static const char key[] = "Max open files";
	_cleanup_buf_ struct buf b = BUF_INIT(PROC_MAX);
	unsigned long long soft = 0;
	const char *at;

	if (proc_read(&b, pid, "limits", NULL) == 0) {
		at = strstr(buf_str(&b), key);
		if (at)
			soft = strtoull(at + sizeof(key) - 1, NULL, 10);
	}
	json_object_set_new(o, "nofile", soft ? json_integer((json_int_t)soft) : json_null());
}

static bool ns_inode(pid_t pid, const char *kind, ino_t *ino)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	if (stat(path, &st) < 0)
		return false;
	*ino = st.st_ino;
	return true;
}

/*
 * Is it what a process has that was isolated in nothing? Ours; but of the network the bare SUT side, and of mounts
 * also its launcher's, which we gave a view of its own (netns_enter_with_sysfs()) whatever was asked for.
 */
static bool is_shared(const char *kind, ino_t theirs, const struct testbed *tb, const struct env *env)
{
	struct stat st;
	ino_t ino;

	if (!strcmp(kind, "net"))
		return fstat(tb->sut.ns.fd, &st) == 0 && st.st_ino == theirs;
	if (!strcmp(kind, "mnt") && env->launcher.pid > 0 && ns_inode(env->launcher.pid, kind, &ino) && ino == theirs)
		return true;
	return ns_inode(getpid(), kind, &ino) && ino == theirs;
}

static void add_namespaces(json_t *o, pid_t pid, const struct testbed *tb, const struct env *env)
{
	static const char *const kinds[] = { "pid", "mnt", "uts", "ipc", "user", "cgroup", "net" };
	json_t *spaces = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		ino_t theirs = 0;
		bool known = ns_inode(pid, kinds[i], &theirs);

		json_object_set_new(spaces, kinds[i],
			text_or_null(known, known && is_shared(kinds[i], theirs, tb, env) ? "host" : "own"));
	}
	json_object_set_new(o, "namespaces", spaces);
}

/* The mount of "/" in /proc/PID/mountinfo: fields 5 (mount point), 6 (options), and the type after " - ". */
static void add_rootfs(json_t *o, pid_t pid)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PROC_MAX);
	char point[256], options[512], type[64];
	bool found = false;

	if (proc_read(&b, pid, "mountinfo", NULL) == 0) {
		for (const char *line = buf_str(&b); line && *line; line = strchr(line, '\n')) {
			const char *dash;

			line += *line == '\n';
			if (sscanf(line, "%*s %*s %*s %*s %255s %511s", point, options) != 2)
				break;
			dash = strstr(line, " - ");
			if (strcmp(point, "/") || !dash || sscanf(dash + 3, "%63s", type) != 1)
				continue;
			found = true; /* the last one is on top */
			json_object_set_new(o, "rootfs",
				json_pack("{s:s,s:b}", "type", type, "readonly",
					!strncmp(options, "ro", 2) && (!options[2] || options[2] == ',')));
		}
	}
	if (!found)
		json_object_set_new(o, "rootfs", json_null());
}

struct mtu_query {
	const char *ifname;
	int mtu;
};

static int read_mtu(void *arg, struct vt_err *err)
{
	struct mtu_query *q = arg;
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	if (fd < 0)
		return vt_fail_errno(err, "cannot make a socket");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", q->ifname);
	if (ioctl(fd, SIOCGIFMTU, &ifr) < 0)
		return vt_fail_errno(err, "cannot read the MTU of '%s'", q->ifname);
	q->mtu = ifr.ifr_mtu;
	return 0;
}

static void add_interface(json_t *o, pid_t pid, const char *ifname)
{
	_cleanup_close_ int ns = -1;
	struct mtu_query q = { .ifname = ifname };
	struct net_offloads off;
	char path[64];
	json_t *i = json_pack("{s:s}", "name", ifname);

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns >= 0 && netns_call(ns, read_mtu, &q, NULL) == 0)
		json_object_set_new(i, "mtu", json_integer(q.mtu));
	if (ns >= 0 && net_offloads_get(ns, ifname, &off, NULL) == 0)
		json_object_set_new(i, "offloads",
			json_pack("{s:b,s:b,s:b,s:b,s:b,s:b}", "rx", off.rx_csum, "tx", off.tx_csum, "sg",
				off.sg, "tso", off.tso, "gso", off.gso, "gro", off.gro));
	json_object_set_new(o, "interface", i);
}

int readback_environment(json_t **out, pid_t pid, const struct testbed *tb, const char *ifname, const struct env *env,
	struct vt_err *err)
{
	_cleanup_buf_ struct buf status = BUF_INIT(PROC_MAX);
	json_t *o;
	int r = pid > 0 ? proc_read(&status, pid, "status", err)
			: vt_fail(err, -ESRCH, "the environment has ended");

	if (r < 0)
		return r;
	o = json_object();
	add_status(o, buf_str(&status));
	add_limits(o, pid);
	add_namespaces(o, pid, tb, env);
	add_rootfs(o, pid);
	json_object_set_new(o, "cgroup", text_or_null(env->cgroup.path[0], env->cgroup.path));
	json_object_set_new(o, "cgroup_monitor", text_or_null(env->monitor.path[0], env->monitor.path));
	add_interface(o, pid, ifname);
	*out = o;
	return 0;
}

int readback_find(pid_t *pid, const struct cgroup *cg, const char *exe_suffix, struct vt_err *err)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0, want = strlen(exe_suffix);
	int r = cgroup_pids(cg, &pids, &n, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		char path[64], exe[PATH_MAX];
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/%d/exe", (int)pids[i]);
		len = readlink(path, exe, sizeof(exe) - 1);
		if (len < (ssize_t)want || memcmp(exe + len - want, exe_suffix, want))
			continue;
		*pid = pids[i];
		return 0;
	}
	return vt_fail(err, -ESRCH, "no process of the environment runs '%s'", exe_suffix);
}
