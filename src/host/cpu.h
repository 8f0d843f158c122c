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
	uint64_t at_ns; /* CLOCK_MONOTONIC of the reading */
	/* /proc/stat, all CPUs together, in steps of 10 ms; idle and iowait are exact, the rest are sampled
	 * by the tick */
	uint64_t user_ns, nice_ns, system_ns, idle_ns, iowait_ns, irq_ns, softirq_ns, steal_ns;
	uint64_t precise_busy_ns; /* run time of all tasks (v1 root cpuacct); without interrupts of idle CPUs;
				     0 if none */
	uint64_t ksoftirqd_ns; /* run time of the ksoftirqd threads: packets handled for others; 0 if unknown */
	uint64_t ctxt, intr, softirqs; /* counts */
	unsigned ncpus;
};
int cpu_sample_read(struct cpu_sample *s, struct vt_err *err);

/* Everything of a sample that /proc/stat has, from its text; `hz` is sysconf(_SC_CLK_TCK). */
int cpu_sample_parse(struct cpu_sample *s, const char *proc_stat, long hz, struct vt_err *err);

/* The difference; why it is derived so is in docs/method-cpu.md. */
struct cpu_usage {
	double wall_ns;	    /* between the readings */
	double busy_ns;	    /* all CPUs: not idle, not stolen */
	double softirq_ns;  /* irq + softirq; part of busy, and of the cgroups in whose time it ran */
	double ksoftirqd_ns; /* of softirq: what ran in threads of its own, hence in no cgroup of ours */
	double steal_ratio;  /* steal / (wall × CPUs) */
};
void cpu_usage_between(struct cpu_usage *u, const struct cpu_sample *a, const struct cpu_sample *b);

/* "0-1,4" lists, as in cpuset files; "" is no CPU. */
int cpu_list_parse(const char *text, cpu_set_t *set, struct vt_err *err);
void cpu_list_format(const cpu_set_t *set, char *out, size_t size);

/* Where a CPU sits: equal numbers share it. -1: unknown. */
struct cpu_place {
	int cpu, core, node, package, speed;
};

/* The best two of them (in ascending order of cpu), as cpu_choose() does; false with fewer than two. */
bool cpu_choose_from(const struct cpu_place *places, size_t n, int *sut_cpu, int *client_cpu);

/*
 * Which CPUs, of those we may run on, to give to whom: different cores of one NUMA node, equally fast, where
 * there are such; the SUT gets the lower number. With one CPU *pinned is false and both are -1.
 */
int cpu_choose(int *sut_cpu, int *client_cpu, bool *pinned, struct vt_err *err);
int cpu_pin_self(int cpu, struct vt_err *err); /* the calling thread; read back */
int cpu_affinity_of(pid_t pid, cpu_set_t *set, struct vt_err *err);

#endif
