/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an agent can say about where it runs. Everything may be missing or hidden: an environment decides. */
#include "agent.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#define CPUS_MAX 8192 /* CONFIG_NR_CPUS of the largest distribution kernels */

/* Many connections need many descriptors, and the default soft limit is 1024. */
int facts_raise_nofile(uint64_t *limit)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -errno;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0 && getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -errno;
	*limit = l.rlim_cur;
	return 0;
}

static bool allowed(const cpu_set_t *set, size_t size, int cpu)
{
	return cpu < CPUS_MAX && CPU_ISSET_S(cpu, size, set);
}

void facts_cpus_allowed(char out[FACTS_CPUS_MAX])
{
	cpu_set_t set[CPUS_MAX / CPU_SETSIZE];
	size_t len = 0;

	out[0] = '\0';
	memset(set, 0, sizeof set);
	if (sched_getaffinity(0, sizeof set, set) < 0)
		return;
	for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
		int first = cpu;

		if (!allowed(set, sizeof set, cpu))
			continue;
		while (allowed(set, sizeof set, cpu + 1))
			cpu++;
		len += (size_t)snprintf(out + len, FACTS_CPUS_MAX - len, cpu > first ? "%s%d-%d" : "%s%d",
			len ? "," : "", first, cpu);
		if (len >= FACTS_CPUS_MAX)
			return;
	}
}

void facts_uname(char *out, size_t size)
{
	struct utsname u;

	out[0] = '\0';
	if (uname(&u) == 0)
		snprintf(out, size, "%s %s %s %s", u.sysname, u.release, u.version, u.machine);
}

void facts_clocksource(char *out, size_t size)
{
	_cleanup_close_ int fd = open(
		"/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}
