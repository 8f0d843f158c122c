/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing config.json; see oci_spec.h. The defaults are those of the container engines people use (mounts,
 * masked paths, devices, capabilities), so that a plain `oci` costs what a plain container costs.
 *
 * A user namespace is mapped one to one: what is measured is the kernel's work in it, and the shared payload
 * need not change owners. In one, the kernel refuses a fresh sysfs, a fresh proc without a pid namespace and
 * an mqueue without an ipc namespace, because the launcher's are not owned by it; the host's are bound
 * instead (proc, sys) or left out (mqueue).
 */
#include "technique/oci/oci_spec.h"

#include "base/cleanup.h"
#include "technique/oci/seccomp.h"

#include <string.h>

#define CPU_PERIOD_US 100000

static bool has_cap(const char *cap, const void *arg)
{
	const char *const *list = arg;

	while (*list && strcmp(*list, cap))
		list++;
	return *list;
}

static json_t *texts(const char *const *list)
{
	json_t *a = json_array();

	for (; *list; list++)
		json_array_append_new(a, json_string(*list));
	return a;
}

#define TEXTS(...) texts((const char *const[]){ __VA_ARGS__, NULL })

static json_t *process(const struct oci_config *c)
{
	const char *const *caps = capability_list(c->caps);
	json_t *args = c->mountns ? TEXTS(c->agent) : TEXTS(c->chroot, c->root, c->agent);

	/* Inheritable and ambient stay empty, as engines leave them: root gets its permitted ones on exec. */
	return json_pack("{s:b,s:{s:i,s:i},s:o,s:o,s:s,s:{s:o,s:o,s:o},s:[{s:s,s:I,s:I}],s:b}", "terminal", 0,
		"user", "uid", 0, "gid", 0, "args", args, "env",
		TEXTS("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"),
		"cwd", "/", "capabilities", "bounding", texts(caps), "effective", texts(caps), "permitted",
		texts(caps), "rlimits", "type", "RLIMIT_NOFILE", "hard", (json_int_t)c->nofile, "soft",
		(json_int_t)c->nofile, "noNewPrivileges", 0);
}

static void add_mount(json_t *mounts, const char *dest, const char *type, const char *source, json_t *options)
{
	json_array_append_new(mounts, json_pack("{s:s,s:s,s:s,s:o}", "destination", dest, "type", type,
					      "source", source, "options", options));
}

static json_t *mounts(const struct oci_config *c)
{
	json_t *m = json_array();

	if (!c->mountns)
		return m; /* the launcher prepared the root */
	if (c->userns && !c->pidns)
		add_mount(m, "/proc", "none", "/proc", TEXTS("rbind", "nosuid", "noexec", "nodev"));
	else
		add_mount(m, "/proc", "proc", "proc", TEXTS("nosuid", "noexec", "nodev"));
	add_mount(m, "/dev", "tmpfs", "tmpfs", TEXTS("nosuid", "strictatime", "mode=755", "size=65536k"));
	add_mount(m, "/dev/pts", "devpts", "devpts",
		TEXTS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"));
	add_mount(m, "/dev/shm", "tmpfs", "shm",
		TEXTS("nosuid", "noexec", "nodev", "mode=1777", "size=65536k"));
	if (!c->userns || c->ipcns)
		add_mount(m, "/dev/mqueue", "mqueue", "mqueue", TEXTS("nosuid", "noexec", "nodev"));
	if (c->userns)
		add_mount(m, "/sys", "none", "/sys", TEXTS("rbind", "nosuid", "noexec", "nodev", "ro"));
	else
		add_mount(m, "/sys", "sysfs", "sysfs", TEXTS("nosuid", "noexec", "nodev", "ro"));
	if (c->scratch_tmp)
		add_mount(m, "/tmp", "tmpfs", "tmpfs", TEXTS("nosuid", "nodev", "mode=1777"));
	if (c->scratch_run)
		add_mount(m, "/run", "tmpfs", "tmpfs", TEXTS("nosuid", "nodev", "mode=755"));
	if (c->data_dir)
		add_mount(m, "/data", "none", c->data_dir, TEXTS("rbind", "rw"));
	return m;
}

static json_t *namespaces(const struct oci_config *c)
{
	const struct {
		bool on;
		const char *type;
	} kinds[] = { { c->pidns, "pid" }, { c->mountns, "mount" }, { c->utsns, "uts" }, { c->ipcns, "ipc" },
		{ c->userns, "user" }, { c->cgroupns, "cgroup" } };
	json_t *a = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].on)
			json_array_append_new(a, json_pack("{s:s}", "type", kinds[i].type));
	if (c->netns)
		json_array_append_new(a, json_pack("{s:s,s:s}", "type", "network", "path", c->netns));
	return a;
}

static json_t *resources(const struct oci_config *c)
{
	json_t *o = json_pack("{s:[{s:b,s:s}]}", "devices", "allow", 0, "access", "rwm");
	json_t *cpu = json_object();

	if (c->cpu >= 0)
		json_object_set_new(cpu, "cpus", json_sprintf("%d", c->cpu));
	if (c->cpu_quota) {
		json_object_set_new(cpu, "period", json_integer(CPU_PERIOD_US));
		json_object_set_new(cpu, "quota", json_integer((json_int_t)(c->cpu_quota * CPU_PERIOD_US)));
	}
	if (json_object_size(cpu))
		json_object_set(o, "cpu", cpu);
	json_decref(cpu);
	if (c->mem_bytes)
		json_object_set_new(o, "memory", json_pack("{s:I}", "limit", (json_int_t)c->mem_bytes));
	return o;
}

/* One to one, and everything that fits in 32 bits (4294967295 is "no user"). */
static json_t *id_mapping(void)
{
	return json_pack("[{s:i,s:i,s:I}]", "containerID", 0, "hostID", 0, "size", (json_int_t)4294967295);
}

static json_t *linux_part(const struct oci_config *c)
{
	json_t *l = json_pack("{s:o}", "namespaces", namespaces(c));

	if (c->cgroups_path) {
		json_object_set_new(l, "cgroupsPath", json_string(c->cgroups_path));
		json_object_set_new(l, "resources", resources(c));
	}
	if (c->userns) {
		json_object_set_new(l, "uidMappings", id_mapping());
		json_object_set_new(l, "gidMappings", id_mapping());
	}
	if (c->seccomp)
		json_object_set_new(l, "seccomp", seccomp_profile(has_cap, capability_list(c->caps)));
	if (!c->mountns)
		return l;
	json_object_set_new(l, "maskedPaths",
		TEXTS("/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
			"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
			"/sys/firmware"));
	json_object_set_new(l, "readonlyPaths",
		TEXTS("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"));
	return l;
}

json_t *oci_spec(const struct oci_config *c)
{
	/* Without a mount namespace a runtime must not touch "/": the launcher made the root, chroot enters
	 * it. */
	json_t *root = c->mountns ? json_pack("{s:s,s:b}", "path", c->root, "readonly", (int)c->readonly)
				  : json_pack("{s:s}", "path", "/");
	json_t *o = json_pack("{s:s,s:o,s:o,s:o,s:o}", "ociVersion", "1.0.2", "process", process(c), "root",
		root, "mounts", mounts(c), "linux", linux_part(c));

	if (c->utsns)
		json_object_set_new(o, "hostname", json_string(c->hostname));
	return o;
}
