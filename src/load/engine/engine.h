/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load engine: sends what a protocol has rendered ahead to a server and measures when answers come.
 *
 * Threads share nothing. Each has its own connections, epoll (edge-triggered), buffers, random numbers and
 * histograms; they meet at the beginning and at the end. On the measured path there is no allocation, lock,
 * log or shared atomic.
 *
 * Closed loop: every connection keeps `depth` requests in flight. Open loop: requests have *intended* times
 * from a schedule that does not wait for the server. A request whose time has come while no connection has
 * room keeps its intended time and is sent as soon as there is room. Of each answer three times are known:
 *	response      intended → answered	what a user would see; no coordinated omission
 *	service       sent → answered		what the server and the path took
 *	schedule lag  could be sent → sent	what this client took: its own lateness, not the server's
 * where "could be sent" is the intended time or, when no connection had room, the moment that room was made.
 * With a new connection per request, "sent" is the moment before socket(2). In a closed loop, response is
 * service.
 *
 * Clock reads: one per read of a socket, which stamps all answers in that piece, and one per write, which
 * stamps all requests in it, just before. A stamp shared by a whole round of epoll would be wrong by a system
 * call per connection, some µs each; a read of the clock costs some 25 ns. In a closed loop, all that is
 * readable is read before anything is written: no answer waits for its stamp while others' requests are sent.
 *
 * What counts: closed loop, answers that come in the measured time; open loop, requests whose intended time
 * is in it. After its end, answers to those are waited for up to the timeout.
 */
#ifndef VTAX_LOAD_ENGINE_ENGINE_H
#define VTAX_LOAD_ENGINE_ENGINE_H

#include "load/proto/proto.h"
#include "load/sock.h"
#include "stats/hist.h"

#define ENGINE_THREADS_MAX 256
#define ENGINE_CONNECTIONS_MAX 65536
#define ENGINE_DEPTH_MAX 16384
#define ENGINE_TICKS_MAX 4096

struct engine_config {
	const struct proto *proto;
	const struct proto_pool *pool;
	struct sock_addr to;		/* unused in process */
	const struct sock_addr *local;	/* source addresses, used in turn; ports are the kernel's choice */
	uint32_t nlocal;
	uint32_t threads, connections;	/* connections: of all threads; 0 is 1 */
	uint32_t depth;			/* in flight on a connection; 0 is 1 */
	enum gen_arrivals arrivals;
	double rate_per_s;		/* open loop, of all threads */
	/* each connection has a schedule of its own (mutilate), not each thread */
	bool per_connection_arrivals;
	/* a new connection for each request; `connections` is how many at once */
	bool per_request;
	bool abort_close;		/* close by RST where the client is first: no TIME_WAIT */
	/* every request of the pool once, however long it takes; closed loop */
	bool once;
	uint64_t warmup_ns, duration_ns;
	uint64_t ramp_ns;		/* connections are opened spread over it */
	uint64_t timeout_ns;		/* an answer that takes longer is late or lost; 0: 5 s */
	uint64_t tick_ns;		/* time series; 0: none */
	uint64_t spin_max_ns;		/* longest spin before an intended time; 0: 100 µs */
	uint64_t seed;
	const int *cpus;		/* thread i runs on cpus[i mod ncpus] */
	uint32_t ncpus;
	const volatile int *cancel;	/* non-zero ends it soon; NULL: never */
	void (*mark)(void *arg, int which); /* 0: the measured time begins, 1: it has ended; may be NULL */
	void *arg;
};

/* Of the measured time. */
struct engine_counts {
	uint64_t sent;		/* requests */
	uint64_t ok;		/* right answers in time, misses included: what the histograms hold */
	uint64_t miss;		/* no such record */
	uint64_t done;		/* ok that came within the measured time (open loop: ok has stragglers too) */
	uint64_t wrong, short_; /* answered, but not what was asked; less than it should be */
	uint64_t late;		/* right, but after the timeout */
	uint64_t lost;		/* never answered */
	uint64_t extra;		/* answers to nothing, or a second time */
	uint64_t garbage;	/* not the protocol; the connection was closed */
	/* connections: refused or timed out; broken; closed by the server unasked */
	uint64_t refused, reset, closed;
	uint64_t no_port;	/* times no local port was free */
	uint64_t opened;	/* connections made */
	uint64_t resent;	/* requests sent again because the server announced its close before them */
	uint64_t bytes_in, bytes_out;
};

struct engine_thread {
	struct engine_counts counts;
	struct hist *response, *service, *lag; /* response and lag: open loop only, else NULL */
	uint64_t cpu_ns; /* of this thread in the measured time */
	int cpu;	 /* last ran on */
};

struct engine_result {
	struct engine_counts counts;
	struct hist *response, *service, *lag; /* merged; closed loop: response == service, lag empty */
	struct engine_thread *threads;
	uint32_t nthreads;
	uint64_t begin_ns, elapsed_ns; /* measured time */
	uint64_t backlog;	/* open loop: due, but not sent at the end */
	double offered_per_s;	/* open loop: as the schedule came out; closed loop: sent */
	double achieved_per_s;	/* counts.done over the time */
	uint64_t cpu_ns;	/* of all threads */
	uint64_t tick_ns;
	double *rate;		/* per tick, answers per second */
	/* per tick, open loop: how far the schedule was behind at its end, worst thread */
	double *behind_ns;
	uint32_t ticks;
};

/*
 * Runs it. -ECONNREFUSED and others when the connections cannot be made, -EINTR when cancelled, -EMFILE when
 * the limit of open files is too low and cannot be raised. A server that fails later is counted, not an
 * error. The result is the caller's, to be released; it is empty after a failure.
 */
int engine_run(const struct engine_config *config, struct engine_result *r, struct vt_err *err);
void engine_result_release(struct engine_result *r);

/* Answers that were not as they should be. */
uint64_t engine_errors(const struct engine_counts *n);

#endif
