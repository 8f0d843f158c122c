/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How busy the whole host was, truthfully over a window as short as a second. Three clocks are to be had,
 * each wrong in its own way; docs/method-cpu.md shows them side by side:
 *
 * - user, system, irq, softirq of /proc/stat. With CONFIG_TICK_CPU_ACCOUNTING they are a poll: whatever runs
 * when the tick comes (250 per second and CPU) is charged the whole period. Work that a timer starts just
 * after the tick and that ends before the next is never seen, and on an idle CPU the tick stands still: a
 * request-response load can hide a tenth of its time. Good for shares, not for sums.
 * - idle and iowait of /proc/stat. On a tickless kernel they are stamped in ns at each entry to and exit from
 * idle, interrupts not included; only the printing rounds to 10 ms. Time that was neither idle nor stolen was
 * used: complete, unbiased, coarse.
 * - run time of the root of v1 cpuacct: the scheduler's exact sum over all tasks, in ns; it lacks interrupts
 * that hit an idle CPU. So it is a lower bound. cgroup2's root has no such account: its cpu.stat is the first
 * clock again, plus steal, hence not read.
 *
 * busy is the complement of idle, and never less than the lower bound. softirq can only be had from the poll
 * (unless the kernel has IRQ_TIME_ACCOUNTING): its share of the polled time is applied to busy.
 */
#include "host/cpu.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "host/cgroup_fs.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static const char *find_line(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return p + n;
	return NULL;
}

static uint64_t number_after(const char *text, const char *key)
{
	const char *p = find_line(text, key);

	return p ? strtoull(p, NULL, 10) : 0;
}

static unsigned count_cpus(const char *text)
{
	unsigned n = 0;

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		n += strncmp(p, "cpu", 3) == 0 && isdigit((unsigned char)p[3]);
	return n;
}

int cpu_sample_parse(struct cpu_sample *s, const char *text, long hz, struct vt_err *err)
{
	const char *p = find_line(text, "cpu");
	uint64_t t[8] = { 0 };
	int n = 0;

	if (p)
		n = sscanf(p,
			"%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64
			"%" SCNu64,
			&t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]);
	if (n < 8 || hz <= 0 || !count_cpus(text))
		return vt_fail(err, -EINVAL, "cannot make sense of '/proc/stat'");
	for (int i = 0; i < 8; i++)
		t[i] *= NS_PER_S / (uint64_t)hz;
	s->user_ns = t[0];
	s->nice_ns = t[1];
	s->system_ns = t[2];
	s->idle_ns = t[3];
	s->iowait_ns = t[4];
	s->irq_ns = t[5];
	s->softirq_ns = t[6];
	s->steal_ns = t[7];
	s->ctxt = number_after(text, "ctxt");
	s->intr = number_after(text, "intr");
	s->softirqs = number_after(text, "softirq");
	s->ncpus = count_cpus(text);
	return 0;
}

static uint64_t read_root_usage(void)
{
	const struct hierarchies *hs;

	if (hierarchies_get(&hs, NULL) < 0)
		return 0;
	for (size_t i = 0; i < hs->n; i++) {
		_cleanup_close_ int fd = -1;
		char text[32];
		ssize_t n;

		if (!(hs->h[i].controllers & CTRL_CPUACCT))
			continue;
		fd = openat(hs->h[i].fd, "cpuacct.usage", O_RDONLY | O_CLOEXEC);
		n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
		if (n > 0) {
			text[n] = '\0';
			return strtoull(text, NULL, 10);
		}
	}
	return 0;
}

/* The ksoftirqd threads, found once: there is one per CPU for the life of the machine. */
#define KSOFTIRQD_MAX 1024

static size_t find_ksoftirqd(pid_t *pids)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *d;
	size_t n = 0;

	while (proc && (d = readdir(proc)) && n < KSOFTIRQD_MAX) {
		char path[64], comm[32] = "";
		long pid = strtol(d->d_name, NULL, 10);

		if (pid <= 0)
			continue;
		snprintf(path, sizeof path, "/proc/%ld/comm", pid);
		_cleanup_fclose_ FILE *f = fopen(path, "re");

		if (f && fgets(comm, sizeof comm, f) && strncmp(comm, "ksoftirqd/", 10) == 0)
			pids[n++] = (pid_t)pid;
	}
	return n;
}

/* A user's process may call itself ksoftirqd: kernel threads alone have no exe link and belong to kthreadd. */
static bool is_kernel_thread(pid_t pid)
{
	char path[64], line[512];
	int ppid = -1;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	if (f && fgets(line, sizeof line, f)) {
		const char *after = strrchr(line, ')');

		if (after)
			sscanf(after + 1, " %*c %d", &ppid);
	}
	return ppid == 2;
}

static uint64_t read_ksoftirqd(void)
{
	static pid_t pids[KSOFTIRQD_MAX];
	static size_t n;
	static bool looked;
	uint64_t sum = 0;

	if (!looked) {
		size_t all = find_ksoftirqd(pids);

		for (size_t i = 0; i < all; i++)
			if (is_kernel_thread(pids[i]))
				pids[n++] = pids[i];
		looked = true;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned long long ns = 0;
		char path[64];

		snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pids[i]);
		_cleanup_fclose_ FILE *f = fopen(path, "re");

		if (f && fscanf(f, "%llu", &ns) == 1)
			sum += ns;
	}
	return sum;
}

int cpu_sample_read(struct cpu_sample *s, struct vt_err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(4u << 20);
	struct cpu_sample now = { 0 };
	uint64_t before = clock_now_ns();
	int r = buf_read_file(&text, "/proc/stat", err);

	if (r < 0)
		return r;
	/* Reading takes a tenth of a millisecond; its middle is nearest to what was read. */
	now.at_ns = before + (clock_now_ns() - before) / 2;
	now.precise_busy_ns = read_root_usage();
	now.ksoftirqd_ns = read_ksoftirqd();
	r = cpu_sample_parse(&now, buf_str(&text), sysconf(_SC_CLK_TCK), err);
	if (r == 0)
		*s = now;
	return r;
}

/* Counters of /proc/stat may step back by a rounding (iowait even by more): never below zero. */
static double grown(uint64_t a, uint64_t b)
{
	return b > a ? (double)(b - a) : 0;
}

void cpu_usage_between(struct cpu_usage *u, const struct cpu_sample *a, const struct cpu_sample *b)
{
	double wall = grown(a->at_ns, b->at_ns), all = wall * b->ncpus;
	double idle = grown(a->idle_ns + a->iowait_ns, b->idle_ns + b->iowait_ns);
	double steal = grown(a->steal_ns, b->steal_ns);
	double interrupts = grown(a->irq_ns, b->irq_ns) + grown(a->softirq_ns, b->softirq_ns);
	double polled = grown(a->user_ns, b->user_ns) + grown(a->nice_ns, b->nice_ns) +
			grown(a->system_ns, b->system_ns) + interrupts;
	double exact = a->precise_busy_ns ? grown(a->precise_busy_ns, b->precise_busy_ns) : 0;
	double busy = all - idle - steal;

	*u = (struct cpu_usage){ .wall_ns = wall };
	if (all <= 0)
		return;
	if (a->ncpus != b->ncpus) /* a CPU came or went: no complement to take */
		busy = polled;
	if (busy < exact)
		busy = exact;
	u->busy_ns = busy < 0 ? 0 : busy > all ? all : busy;
	u->softirq_ns = polled > 0 ? interrupts / polled * u->busy_ns : 0;
	u->ksoftirqd_ns = grown(a->ksoftirqd_ns, b->ksoftirqd_ns);
	u->steal_ratio = steal / all;
}

int cpu_list_parse(const char *text, cpu_set_t *set, struct vt_err *err)
{
	const char *p = text;
	cpu_set_t found;

	CPU_ZERO(&found);
	while (*p && *p != '\n') {
		unsigned long first, last;
		char *end;

		first = last = strtoul(p, &end, 10);
		if (!isdigit((unsigned char)*p))
			goto bad;
		if (*end == '-') {
			p = end + 1;
			if (!isdigit((unsigned char)*p))
				goto bad;
			last = strtoul(p, &end, 10);
		}
		if (first > last || last >= CPU_SETSIZE)
			goto bad;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			CPU_SET(cpu, &found);
		if (*end == ',' && isdigit((unsigned char)end[1]))
			end++;
		else if (*end && *end != '\n')
			goto bad;
		p = end;
	}
	if (*p == '\n' && p[1])
		goto bad;
	*set = found;
	return 0;
bad:
	return vt_fail(
		err, -EINVAL, "'%.100s' is not a list of CPUs such as '0-1,4' (below %d)", text, CPU_SETSIZE);
}

void cpu_list_format(const cpu_set_t *set, char *out, size_t size)
{
	size_t len = 0;

	if (size)
		out[0] = '\0';
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		char part[32];
		int last = cpu, n;

		if (!CPU_ISSET(cpu, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		if (last > cpu)
			n = snprintf(part, sizeof part, "%s%d-%d", len ? "," : "", cpu, last);
		else
			n = snprintf(part, sizeof part, "%s%d", len ? "," : "", cpu);
		if (len + (size_t)n >= size)
			return; /* whole ranges only */
		memcpy(out + len, part, (size_t)n + 1);
		len += (size_t)n;
		cpu = last;
	}
}

/* Weights in order of importance: sharing a core changes the result more than all the others together. */
static int fitness(const struct cpu_place *a, const struct cpu_place *b)
{
	return 8 * (a->core != b->core || a->core < 0) + 4 * (a->node == b->node) +
	       2 * (a->speed == b->speed) + (a->package == b->package);
}

bool cpu_choose_from(const struct cpu_place *places, size_t n, int *sut_cpu, int *client_cpu)
{
	int best = -1;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n; k++) {
			int fit = fitness(&places[i], &places[k]);

			if (fit <= best)
				continue;
			best = fit;
			*sut_cpu = places[i].cpu;
			*client_cpu = places[k].cpu;
		}
	}
	return best >= 0;
}

/* A number (or the first of a list) below /sys/devices/system/cpu/cpuN; -1 when there is none. */
static int read_topology(int cpu, const char *file)
{
	_cleanup_buf_ struct buf text = BUF_INIT(16384);
	char path[128];
	int v;

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/%s", cpu, file);
	if (buf_read_file(&text, path, NULL) < 0 || sscanf(buf_str(&text), "%d", &v) != 1)
		return -1;
	return v;
}

static int node_of(int cpu)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	char path[64];
	int node;

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d", cpu);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (sscanf(e->d_name, "node%d", &node) == 1)
			return node;
	return -1;
}

static struct cpu_place place_of(int cpu)
{
	struct cpu_place p = { .cpu = cpu, .node = node_of(cpu) };

	/* The lowest thread of the core names it: core_id alone repeats from package to package. */
	p.core = read_topology(cpu, "topology/thread_siblings_list");
	p.package = read_topology(cpu, "topology/physical_package_id");
	p.speed = read_topology(cpu, "cpufreq/cpuinfo_max_freq");
	if (p.speed < 0)
		p.speed = read_topology(cpu, "cpu_capacity");
	return p;
}

int cpu_choose(int *sut_cpu, int *client_cpu, bool *pinned, struct vt_err *err)
{
	_cleanup_free_ struct cpu_place *places = NULL;
	cpu_set_t allowed;
	size_t n = 0;
	int r = cpu_affinity_of(0, &allowed, err);

	if (r < 0)
		return r;
	places = xcalloc((size_t)CPU_COUNT(&allowed) + 1, sizeof *places);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			places[n++] = place_of(cpu);
	*pinned = cpu_choose_from(places, n, sut_cpu, client_cpu);
	if (!*pinned)
		*sut_cpu = *client_cpu = -1;
	return 0;
}

/* Runs between fork and exec: no allocation. */
int cpu_pin_self(int cpu, struct vt_err *err)
{
	cpu_set_t want, got;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return vt_fail(err, -EINVAL, "there is no CPU %d", cpu);
	CPU_ZERO(&want);
	CPU_SET(cpu, &want);
	if (sched_setaffinity(0, sizeof want, &want) < 0)
		return vt_fail_errno(err, "cannot pin to CPU %d", cpu);
	if (sched_getaffinity(0, sizeof got, &got) < 0 || !CPU_EQUAL(&want, &got))
		return vt_fail(err, -EIO, "asked for CPU %d, but the kernel gave others", cpu);
	return 0;
}

int cpu_affinity_of(pid_t pid, cpu_set_t *set, struct vt_err *err)
{
	cpu_set_t got;

	if (sched_getaffinity(pid, sizeof got, &got) < 0)
		return vt_fail_errno(err, "cannot read the affinity of process %d", (int)pid);
	*set = got;
	return 0;
}
