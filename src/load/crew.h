/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client side of every kernel: a crew of workers, one thread and one connection each, and a coordinator
 * (the caller of crew_run) that sleeps while they measure.
 *
 * The coordinator opens the windows: all workers are connected before any sends; the measured time begins at
 * one instant for all; each worker ends with the first operation that ends after the common end. It also says
 * mark(0) and mark(1), looks ten times a second for a cancel, a failed worker or a stalled one, and wakes
 * workers out of blocking calls when it is over. So the workers need no timer, lock or poll.
 *
 * Two shapes of traffic:
 *	same connection:  connect · gate · traffic until `begin`, discarded · traffic until `end`
 *	fresh connection: connect · gate · traffic until a deadline · disconnect · connect · gate · traffic
 * The second is for streams, whose warm-up must not leave a grown window, or data in flight.
 */
#ifndef VTAX_LOAD_CREW_H
#define VTAX_LOAD_CREW_H

#include "load/group.h"
#include "load/kernel.h"
#include "load/sock.h"
#include "load/tick.h"

enum phase { PHASE_WARMUP, PHASE_MEASURE };

struct crew;

struct worker {
	struct crew *crew;
	const struct kernel_params *p;
	unsigned index;
	int fd; /* -1: none */
	/* What it measured, reset by worker_begin(). */
	uint64_t start_ns, stop_ns;
	uint64_t ops, bytes, lost, waits;
	struct hist *latency;
	struct ticks ticks;
	struct sock_tcp_info before, tcp; /* at the start and at the end of the measured time */
	/* Memory the traffic needs, made before it starts. */
	void *buffer;
	size_t buffer_bytes;
	uint32_t message_bytes; /* as used */
	uint64_t sequence;
	int cpu;
	/* Private to crew.c. */
	int rc;
	struct vt_err err;
	/* Written by the worker only, read by the coordinator ten times a second. */
	_Alignas(128) _Atomic uint64_t progress;
	_Alignas(128) char end[1];
};

struct crew_job {
	const char *verb; /* for errors: "an answer from", "data from" */
	/* -EINTR may come without a message. On failure nothing is left open but w->fd, which crew closes. */
	int (*connect)(struct worker *w, enum phase phase, struct vt_err *err);
	/* Runs while worker_until(w, phase) is in the future. */
	int (*traffic)(struct worker *w, enum phase phase, struct vt_err *err);
	bool fresh_connection;
	bool bytes;	     /* ticks count bytes, to be reported as bits */
	uint64_t connect_ns; /* longest time to connect */
	uint64_t stall_ns;   /* longest time without progress */
};

struct crew {
	struct kernel_params params;
	struct crew_job duty;
	const struct kernel_params *p; /* the two above, as everybody reads them */
	const struct crew_job *job;
	const struct kernel_sink *out;
	struct group group;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned waiting, opened;  /* workers at the gate; gates opened */
	_Atomic int why;	   /* 0, or the negative errno that ends it early */
	_Atomic uint64_t until[2]; /* end of each phase; 0 once it is over for any other reason */
	uint64_t begin_ns;	   /* of the measured time */
	struct worker *workers;	   /* p->streams of them */
};

/*
 * Runs it all. On success the workers' results stand until crew_release(), which is due in any case.
 * *p must have gone through kernel_params_check(); it and the job are copied.
 */
int crew_run(struct crew *c, const struct kernel_params *p, const struct crew_job *job,
	const struct kernel_sink *out, struct vt_err *err);
void crew_release(struct crew *c);

/* Forgets what was counted so far and takes the first stamp. Returns it. */
uint64_t worker_begin(struct worker *w, enum phase phase);

static inline uint64_t worker_until(const struct worker *w, enum phase phase)
{
	return atomic_load_explicit(&w->crew->until[phase], memory_order_relaxed);
}

/* The crew was told to end: EINTR means that, and not a stray signal or a thaw. */
static inline bool worker_stopped(const struct worker *w)
{
	return atomic_load_explicit(&w->crew->why, memory_order_relaxed) != 0;
}

/* Any change of the value is a sign of life. */
static inline void worker_progress(struct worker *w, uint64_t value)
{
	atomic_store_explicit(&w->progress, value, memory_order_relaxed);
}

/* After a system call failed with negative errno rc: the error, with a message unless the crew was told to
 * end. */
int worker_failed(struct worker *w, int rc, const char *doing, struct vt_err *err);

/* A page-aligned, touched buffer in w->buffer; kept when it is large enough already. */
int worker_buffer(struct worker *w, size_t bytes, struct vt_err *err);

/* Sums and reports. */
uint64_t crew_ops(const struct crew *c);
uint64_t crew_elapsed_ns(const struct crew *c); /* from the common begin to the last worker's end */
/* ops, transactions_per_s (sum over workers of their own rates), hist "latency". */
void crew_report_transactions(struct crew *c);
/* series "rate", cpu, and tick_ns when it is not what was asked. */
void crew_report_common(struct crew *c, uint64_t asked_tick_ns);

#endif
