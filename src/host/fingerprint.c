/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what the kernel says about itself; nothing is run and nothing is changed. A value that this machine
 * does not have (no cpufreq in most guests, no DMI on some) is null, never left out, so that two fingerprints
 * can be compared key by key. No host name, no address, no serial number: a report may be published.
 *
 * Every json_t made here is owned by the object that is returned.
 */
#include "host/fingerprint.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "host/cgroup.h"
#include "host/cpu.h"

#include <ctype.h>
#include <fcntl.h>
#include <sha2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#define CPU_DIR "/sys/devices/system/cpu"
#define TEXT_MAX (4u << 20)

/* jansson refuses what is not UTF-8, and NULL. */
static json_t *text_or_null(const char *s)
{
	json_t *v = s ? json_string(s) : NULL;

	return v ? v : json_null();
}

static void set(json_t *o, const char *key, json_t *v)
{
	json_object_set_new(o, key, v ? v : json_null());
}

/* A file of one line, without blanks at its end; NULL when it cannot be read. */
static char *read_line(const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);

	if (buf_read_file(&b, path, NULL) < 0)
		return NULL;
	while (b.len && isspace((unsigned char)b.data[b.len - 1]))
		b.data[--b.len] = '\0';
	return buf_detach(&b);
}

static json_t *file_text(const char *path)
{
	_cleanup_free_ char *s = read_line(path);

	return text_or_null(s);
}

static json_t *file_number(const char *path)
{
	_cleanup_free_ char *s = read_line(path);
	char *end;
	long long v;

	if (!s || !*s)
		return json_null();
	v = strtoll(s, &end, 10);
	return *end ? text_or_null(s) : json_integer(v);
}

/* "always [madvise] never": the one in brackets. */
static json_t *file_chosen(const char *path)
{
	_cleanup_free_ char *s = read_line(path);
	char *open = s ? strchr(s, '[') : NULL, *close = open ? strchr(open, ']') : NULL;

	if (!close)
		return text_or_null(s);
	*close = '\0';
	return text_or_null(open + 1);
}

/* The words of a line as an array. */
static json_t *words(char *s, const char *separators)
{
	json_t *a = json_array();
	char *save = NULL;

	if (!s) {
		json_decref(a);
		return json_null();
	}
	for (char *w = strtok_r(s, separators, &save); w; w = strtok_r(NULL, separators, &save))
		json_array_append_new(a, text_or_null(w));
	return a;
}

static json_t *file_words(const char *path, const char *separators)
{
	_cleanup_free_ char *s = read_line(path);

	return words(s, separators);
}

json_t *fingerprint_parse_os_release(const char *text)
{
	static const char *const keys[][2] = { { "ID", "id" }, { "VERSION_ID", "version_id" },
		{ "PRETTY_NAME", "name" } };
	_cleanup_free_ char *copy = strdup(text);
	json_t *o = json_object();
	char *save = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		set(o, keys[i][1], NULL);
	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
		line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');
		size_t n;

		if (!value)
			continue;
		*value++ = '\0';
		n = strlen(value);
		if (n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0]) {
			value[n - 1] = '\0';
			value++;
		}
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (!strcmp(line, keys[i][0]))
				set(o, keys[i][1], text_or_null(value));
	}
	return o;
}

static json_t *interesting_flags(char *all)
{
	static const char *const wanted[] = { "aes", "arat", "avx", "avx2", "avx512f", "constant_tsc", "erms",
		"ept", "fsgsbase", "fsrm", "hypervisor", "invpcid", "nonstop_tsc", "npt", "pcid", "pdpe1gb",
		"sha_ni", "svm", "tsc_deadline_timer", "tsc_reliable", "vmx", "x2apic", "xsaveopt" };
	json_t *a = json_array();
	char *save = NULL;

	for (char *w = strtok_r(all, " ", &save); w; w = strtok_r(NULL, " ", &save))
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			if (!strcmp(w, wanted[i]))
				json_array_append_new(a, json_string(w));
	return a;
}

/* Of the first processor; the field names are x86's, then those of arm64 and others where they differ. */
json_t *fingerprint_parse_cpuinfo(const char *text)
{
	static const char *const keys[][2] = { { "vendor_id", "vendor" }, { "model name", "model" },
		{ "cpu family", "family" }, { "model", "model_number" }, { "stepping", "stepping" },
		{ "microcode", "microcode" }, { "CPU implementer", "implementer" }, { "CPU part", "part" } };
	_cleanup_free_ char *copy = strdup(text);
	json_t *o = json_object();
	char *save = NULL;

	for (size_t i = 0; i < 6; i++)
		set(o, keys[i][1], NULL);
	set(o, "flags", NULL);
	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
		line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, ':'), *end = value;

		if (!value)
			continue;
		while (end > line && isspace((unsigned char)end[-1]))
			end--;
		*end = '\0';
		value += strspn(value, ": \t");
		if (!strcmp(line, "processor") && strcmp(value, "0") != 0)
			break;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (!strcmp(line, keys[i][0]))
				set(o, keys[i][1], text_or_null(value));
		if (!strcmp(line, "flags") || !strcmp(line, "Features"))
			set(o, "flags", interesting_flags(value));
	}
	return o;
}

json_t *fingerprint_parse_parameters(const char *cmdline)
{
	static const char *const wanted[] = { "acpi_pad", "amd_iommu", "amd_pstate", "audit", "cgroup",
		"clocksource", "cpuidle", "gather_data_sampling", "halt", "haltpoll", "hugepages",
		"hugepagesz", "idle", "intel_idle", "intel_iommu", "intel_pstate", "iommu", "irqaffinity",
		"isolcpus", "kpti", "kvm", "l1tf", "lsm", "mds", "mitigations", "mmio_stale_data", "nohalt",
		"nohz", "noibrs", "nopti", "nosmt", "nospectre", "nowatchdog", "numa_balancing", "pcie_aspm",
		"preempt", "processor.", "psi", "pti", "rcu_nocb", "retbleed", "retpoline", "rcupdate",
		"selinux", "skew_tick", "spec_", "spectre", "srbds", "swapaccount", "systemd.unified",
		"threadirqs", "transparent_hugepage", "tsc", "tsx", "workqueue" };
	_cleanup_free_ char *copy = strdup(cmdline);
	json_t *a = json_array();
	char *save = NULL;

	for (char *w = copy ? strtok_r(copy, " \n", &save) : NULL; w; w = strtok_r(NULL, " \n", &save)) {
		if (!strcmp(w, "--")) /* the rest is for init */
			break;
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			if (strncmp(w, wanted[i], strlen(wanted[i])) == 0) {
				json_array_append_new(a, text_or_null(w));
				break;
			}
	}
	return a;
}

static json_t *parse_file(const char *path, json_t *(*parse)(const char *text))
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);

	buf_read_file(&b, path, NULL); /* what cannot be read is an empty text, whose fields are all null */
	return parse(buf_str(&b));
}

static json_t *kernel(void)
{
	json_t *o = json_object();
	struct utsname u;

	if (uname(&u) == 0) {
		set(o, "name", text_or_null(u.sysname));
		set(o, "release", text_or_null(u.release));
		set(o, "version", text_or_null(u.version));
		set(o, "machine", text_or_null(u.machine));
	}
	set(o, "parameters", parse_file("/proc/cmdline", fingerprint_parse_parameters));
	return o;
}

static int count_list(const char *path)
{
	_cleanup_free_ char *s = read_line(path);
	cpu_set_t cpus;

	return s && cpu_list_parse(s, &cpus, NULL) == 0 ? CPU_COUNT(&cpus) : 0;
}

/* Each distinct value of a per-CPU file. */
static json_t *distinct(const char *file)
{
	json_t *seen = json_object(), *a = json_array();
	const char *key;
	json_t *v;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		_cleanup_free_ char *s = NULL;
		char path[160];

		snprintf(path, sizeof path, CPU_DIR "/cpu%d/%s", cpu, file);
		s = read_line(path);
		if (s && *s)
			json_object_set_new(seen, s, json_true());
	}
	json_object_foreach(seen, key, v) json_array_append_new(a, text_or_null(key));
	json_decref(seen);
	if (json_array_size(a) == 0) {
		json_decref(a);
		return json_null();
	}
	return a;
}

static json_t *caches(void)
{
	json_t *a = json_array();

	for (int i = 0; i < 16; i++) {
		char path[160];
		json_t *o;

		snprintf(path, sizeof path, CPU_DIR "/cpu0/cache/index%d/level", i);
		if (access(path, F_OK) < 0)
			break;
		o = json_object();
		set(o, "level", file_number(path));
		snprintf(path, sizeof path, CPU_DIR "/cpu0/cache/index%d/type", i);
		set(o, "type", file_text(path));
		snprintf(path, sizeof path, CPU_DIR "/cpu0/cache/index%d/size", i);
		set(o, "size", file_text(path));
		snprintf(path, sizeof path, CPU_DIR "/cpu0/cache/index%d/shared_cpu_list", i);
		set(o, "shared_cpus", file_text(path));
		json_array_append_new(a, o);
	}
	return a;
}

/* true, false, or null where nobody says: intel_pstate says the contrary of what acpi-cpufreq says. */
static json_t *turbo(void)
{
	_cleanup_free_ char *no_turbo = read_line(CPU_DIR "/intel_pstate/no_turbo");
	_cleanup_free_ char *boost = read_line(CPU_DIR "/cpufreq/boost");

	if (no_turbo)
		return json_boolean(!strcmp(no_turbo, "0"));
	return boost ? json_boolean(!strcmp(boost, "1")) : json_null();
}

static json_t *cpu(void)
{
	json_t *o = parse_file("/proc/cpuinfo", fingerprint_parse_cpuinfo),
	       *cores = distinct("topology/core_cpus_list");
	char list[512] = "";
	cpu_set_t mine;
	int online = count_list(CPU_DIR "/online");

	set(o, "online", json_integer(online));
	set(o, "possible", json_integer(count_list(CPU_DIR "/possible")));
	set(o, "cores", json_is_array(cores) ? json_integer((json_int_t)json_array_size(cores)) : NULL);
	json_decref(cores);
	set(o, "packages", distinct("topology/physical_package_id"));
	set(o, "numa_nodes", file_text("/sys/devices/system/node/online"));
	set(o, "smt", file_text(CPU_DIR "/smt/control"));
	set(o, "smt_active", file_number(CPU_DIR "/smt/active"));
	set(o, "isolated", file_text(CPU_DIR "/isolated"));
	set(o, "caches", caches());
	set(o, "frequency_driver", distinct("cpufreq/scaling_driver"));
	set(o, "governor", distinct("cpufreq/scaling_governor"));
	set(o, "energy_preference", distinct("cpufreq/energy_performance_preference"));
	set(o, "max_khz", distinct("cpufreq/cpuinfo_max_freq"));
	set(o, "turbo", turbo());
	set(o, "idle_driver", file_text(CPU_DIR "/cpuidle/current_driver"));
	set(o, "idle_governor", file_text(CPU_DIR "/cpuidle/current_governor"));
	if (cpu_affinity_of(0, &mine, NULL) == 0)
		cpu_list_format(&mine, list, sizeof list);
	set(o, "affinity", text_or_null(list));
	return o;
}

static json_t *mitigations(void)
{
	_cleanup_closedir_ DIR *d = opendir(CPU_DIR "/vulnerabilities");
	json_t *o = json_object();
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[512];

		snprintf(path, sizeof path, CPU_DIR "/vulnerabilities/%s", e->d_name);
		if (e->d_name[0] != '.')
			set(o, e->d_name, file_text(path));
	}
	return o;
}

static json_t *meminfo_bytes(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	unsigned long long kib;

	/* "MemTotal:  24684092 kB"; it means KiB */
	if (!p || (p > text && p[-1] != '\n') || sscanf(p + strlen(key), ": %llu kB", &kib) != 1)
		return json_null();
	return json_integer((json_int_t)(kib * 1024));
}

static json_t *memory(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX);
	json_t *o = json_object();

	buf_read_file(&b, "/proc/meminfo", NULL);
	set(o, "total_bytes", meminfo_bytes(buf_str(&b), "MemTotal"));
	set(o, "available_bytes", meminfo_bytes(buf_str(&b), "MemAvailable"));
	set(o, "swap_bytes", meminfo_bytes(buf_str(&b), "SwapTotal"));
	set(o, "huge_page_bytes", meminfo_bytes(buf_str(&b), "Hugepagesize"));
	set(o, "huge_pages", file_number("/proc/sys/vm/nr_hugepages"));
	set(o, "transparent_huge_pages", file_chosen("/sys/kernel/mm/transparent_hugepage/enabled"));
	set(o, "transparent_huge_pages_defrag", file_chosen("/sys/kernel/mm/transparent_hugepage/defrag"));
	set(o, "ksm", file_number("/sys/kernel/mm/ksm/run"));
	set(o, "swappiness", file_number("/proc/sys/vm/swappiness"));
	set(o, "numa_balancing", file_number("/proc/sys/kernel/numa_balancing"));
	return o;
}

/* The hypervisor's own signature ("KVMKVMKVM"), when the CPU says that there is one. */
static bool cpuid_hypervisor(char vendor[13])
{
#if defined(__x86_64__) || defined(__i386__)
	unsigned a, b, c, d;

	vendor[0] = '\0';
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 31)))
		return false;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &c, 4);
	memcpy(vendor + 8, &d, 4);
	vendor[12] = '\0';
	return true;
#else
	vendor[0] = '\0';
	return access("/sys/hypervisor/type", F_OK) == 0;
#endif
}

static json_t *virtualization(void)
{
	json_t *o = json_object();
	struct cpu_sample s;
	char vendor[13];
	bool guest = cpuid_hypervisor(vendor);

	set(o, "guest", json_boolean(guest));
	set(o, "hypervisor", vendor[0] ? text_or_null(vendor) : NULL);
	set(o, "type", file_text("/sys/hypervisor/type"));
	set(o, "vendor", file_text("/sys/class/dmi/id/sys_vendor"));
	set(o, "product", file_text("/sys/class/dmi/id/product_name"));
	if (cpu_sample_read(&s, NULL) == 0) {
		double all = (double)s.user_ns + (double)s.nice_ns + (double)s.system_ns + (double)s.idle_ns +
			     (double)s.iowait_ns + (double)s.irq_ns + (double)s.softirq_ns +
			     (double)s.steal_ns;

		set(o, "steal_since_boot", all > 0 ? json_real((double)s.steal_ns / all) : NULL);
	} else {
		set(o, "steal_since_boot", NULL);
	}
	return o;
}

static json_t *cgroups(void)
{
	json_t *o = json_object();
	enum cgroup_layout layout;
	int r = cgroup_layout(&layout, NULL);

	set(o, "layout", r == 0 ? text_or_null(cgroup_layout_name(layout)) : NULL);
	if (r == 0 && layout == CGROUP_V2)
		set(o, "controllers", file_words("/sys/fs/cgroup/cgroup.controllers", " "));
	else
		set(o, "controllers", file_words("/sys/fs/cgroup/unified/cgroup.controllers", " "));
	return o;
}

static json_t *security(void)
{
	json_t *o = json_object();

	set(o, "lsm", file_words("/sys/kernel/security/lsm", ","));
	set(o, "apparmor", file_text("/sys/module/apparmor/parameters/enabled"));
	set(o, "selinux_enforcing", file_number("/sys/fs/selinux/enforce"));
	set(o, "seccomp_actions", file_words("/proc/sys/kernel/seccomp/actions_avail", " "));
	set(o, "bpf_jit", file_number("/proc/sys/net/core/bpf_jit_enable"));
	return o;
}

static json_t *sysctls(void)
{
	static const char *const names[] = { "kernel.perf_event_paranoid", "kernel.randomize_va_space",
		"kernel.sched_autogroup_enabled", "kernel.timer_migration", "kernel.watchdog",
		"net.core.busy_poll", "net.core.busy_read", "net.core.default_qdisc",
		"net.core.netdev_budget", "net.core.netdev_budget_usecs", "net.core.netdev_max_backlog",
		"net.core.optmem_max", "net.core.rmem_default", "net.core.rmem_max",
		"net.core.rps_sock_flow_entries", "net.core.somaxconn", "net.core.wmem_default",
		"net.core.wmem_max", "net.ipv4.ip_forward", "net.ipv4.ip_local_port_range",
		"net.ipv4.tcp_autocorking", "net.ipv4.tcp_available_congestion_control",
		"net.ipv4.tcp_congestion_control", "net.ipv4.tcp_ecn", "net.ipv4.tcp_fastopen",
		"net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_mem",
		"net.ipv4.tcp_mtu_probing", "net.ipv4.tcp_no_metrics_save", "net.ipv4.tcp_rmem",
		"net.ipv4.tcp_sack", "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_timestamps",
		"net.ipv4.tcp_tso_win_divisor", "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_window_scaling",
		"net.ipv4.tcp_wmem", "net.ipv4.udp_mem", "net.ipv4.udp_rmem_min", "net.ipv4.udp_wmem_min",
		"net.netfilter.nf_conntrack_max", "vm.dirty_background_ratio", "vm.dirty_ratio",
		"vm.overcommit_memory" };
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *s = NULL;
		char path[128];

		snprintf(path, sizeof path, "/proc/sys/%s", names[i]);
		for (char *p = path + strlen("/proc/sys/"); *p; p++)
			*p = *p == '.' ? '/' : *p;
		s = read_line(path);
		for (char *p = s; p && *p; p++)
			*p = *p == '\t' ? ' ' : *p;
		set(o, names[i], text_or_null(s));
	}
	return o;
}

int fingerprint_sha256_file(const char *path, char out[65], struct vt_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[SHA256_DIGEST_LENGTH], chunk[32768];
	struct stat st;
	SHA2_CTX ctx;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return vt_fail_errno(err, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return vt_fail(err, -EINVAL, "cannot hash '%s': it is not a regular file", path);
	SHA256Init(&ctx);
	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vt_fail_errno(err, "cannot read '%s'", path);
		SHA256Update(&ctx, chunk, (size_t)n);
	}
	SHA256Final(digest, &ctx);
	for (size_t i = 0; i < sizeof digest; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[64] = '\0';
	return 0;
}

static json_t *hashes(const struct strvec *binaries)
{
	json_t *o = json_object();
	char hex[65];

	for (size_t i = 0; binaries && i < binaries->n; i++)
		set(o, binaries->v[i],
			fingerprint_sha256_file(binaries->v[i], hex, NULL) == 0 ? json_string(hex) : NULL);
	return o;
}

int fingerprint_read(json_t **out, const struct strvec *binaries, struct vt_err *err)
{
	json_t *o = json_object(), *clock;

	if (!o)
		return vt_fail(err, -ENOMEM, "out of memory");
	set(o, "os", parse_file("/etc/os-release", fingerprint_parse_os_release));
	set(o, "kernel", kernel());
	set(o, "cpu", cpu());
	set(o, "mitigations", mitigations());
	clock = json_object();
	set(clock, "current", file_text("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
	set(clock, "available",
		file_words("/sys/devices/system/clocksource/clocksource0/available_clocksource", " "));
	set(o, "clocksource", clock);
	set(o, "memory", memory());
	set(o, "virtualization", virtualization());
	set(o, "cgroup", cgroups());
	set(o, "security", security());
	set(o, "pressure_stall_information", json_boolean(access("/proc/pressure/cpu", F_OK) == 0));
	set(o, "sysctl", sysctls());
	set(o, "binaries", hashes(binaries));
	*out = o;
	return 0;
}
