/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU time of the whole host, and affinity. Sampled at both ends of the measured time. */
#ifndef VTAX_HOST_CPU_H
#define VTAX_HOST_CPU_H

#include "base/err.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One reading. Differences of two readings are what counts. */
struct cpu_sample {
	uint64_t at_ns;	  /* CLOCK_MONOTONIC of the reading */
	uint64_t user_ns, nice_ns, system_ns, idle_ns, iowait_ns, irq_ns, softirq_ns, steal_ns; /* /proc/stat, all CPUs */
	uint64_t precise_busy_ns; /* root cgroup's accounted run time (exact, includes softirq run in task context); 0 if none */
	uint64_t ctxt, intr, softirqs; /* counts */
	unsigned ncpus;
};
int cpu_sample_read(struct cpu_sample *s, struct vt_err *err);

/* The difference, derived as docs/method.md describes. */
struct cpu_usage {
	double wall_ns;	   /* between the readings */
	double busy_ns;	   /* user + nice + system + irq + softirq over all CPUs */
	double softirq_ns; /* irq + softirq */
	double steal_ratio; /* steal / (wall × CPUs) */
};
void cpu_usage_between(struct cpu_usage *u, const struct cpu_sample *a, const struct cpu_sample *b);

/* "0-1,4" lists, as in cpuset files. */
int cpu_list_parse(const char *text, cpu_set_t *set, struct vt_err *err);
void cpu_list_format(const cpu_set_t *set, char *out, size_t size);

/* Which CPUs to give to whom: different cores of one NUMA node where there are two; *pinned false with one CPU. */
int cpu_choose(int *sut_cpu, int *client_cpu, bool *pinned, struct vt_err *err);
int cpu_pin_self(int cpu, struct vt_err *err);
int cpu_affinity_of(pid_t pid, cpu_set_t *set, struct vt_err *err);

#endif
