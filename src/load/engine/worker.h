/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread of the engine and its connections. Private to this folder.
 *
 *	worker.c   the loop: wait, handle, look after what is overdue
 *	conn.c     open, write, close
 *	stream.c   read and match answers of a stream
 *	packet.c   the same for datagrams
 *	pace.c     intended times
 *	peer.c     the thread that answers in process
 *
 * Connection states:
 *	IDLE → CONNECTING → (GREETING →) READY → (CLOSING →) IDLE
 * IDLE is also where a connection waits until retry_ns after it failed.
 *
 * Requests in flight lie in a ring of slots, head … tail. In an ordered stream the answer belongs to head. In
 * an unordered one tags say which, and head moves on past those that are done. Datagrams use slots from a
 * free list, and the id on the wire names slot and generation.
 */
#ifndef VTAX_LOAD_ENGINE_WORKER_H
#define VTAX_LOAD_ENGINE_WORKER_H

#include "base/clock.h"
#include "load/engine/engine.h"
#include "load/group.h"
#include "load/tick.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define EVENTS_MAX 256
#define RECEIVE_BYTES (256u << 10)
#define BURST 64 /* datagrams in one call */
#define DATAGRAM_BYTES 4096

enum conn_state { CONN_IDLE, CONN_CONNECTING, CONN_GREETING, CONN_READY, CONN_CLOSING };

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_LOST };

#define CONN_STRAY UINT32_MAX

struct slot {
	uint64_t intended_ns, sent_ns;
	uint64_t ready_ns; /* when it could have been sent */
	uint32_t request;  /* in the pool */
	uint16_t id;	   /* datagrams */
	uint8_t state;
};

struct conn {
	int fd;
	uint8_t state;
	bool queued;	/* stands in worker.ready */
	bool dirty;	/* stands in worker.dirty */
	bool partial;	/* some bytes of the next answer have come */
	bool hangup;	/* the peer has sent all it ever will */
	bool blocked;	/* own schedule waits for room */
	bool mid;	/* inside the answer that `current` waits for (unordered) */
	uint32_t index; /* in the thread */
	uint32_t head, tail, unstamped, inflight;
	uint32_t cursor;   /* next request of the pool to send */
	uint32_t wpos;	   /* next byte of the pool to write */
	uint32_t npending; /* datagrams not yet handed to the kernel */
	/* datagrams: free slots, oldest first, so that an id is not used again soon */
	uint32_t nfree, free_head;
	uint32_t current;  /* unordered: slot of the answer being read, or CONN_STRAY */
	uint64_t unsent;   /* bytes from wpos that belong to requests in the ring */
	uint32_t carry;	   /* unfinished bytes kept in worker.carry */
	uint32_t fails;	   /* in a row */
	uint64_t left;	   /* `once`: requests still to send */
	uint64_t since_ns; /* connecting since, or when to try again */
	uint64_t room_ns;  /* own schedule: when it had room again */
	struct proto_state parse;
};

struct engine;

struct due {
	double at_ns;
	uint32_t conn;
};

#define PACE_NEVER UINT64_MAX

struct worker_schedule {
	struct rng rng;
	double mean_ns;
	double next_ns;	    /* schedule of the thread */
	struct due *heap;   /* schedules of connections */
	uint32_t n;
	bool starved;	    /* due, but no connection has room */
	uint64_t room_ns;   /* when there was room again */
	uint64_t spin_ns;   /* as calibrated by how late timers wake us */
};

struct engine_worker {
	const struct engine_config *config;
	const struct proto *proto;
	const struct proto_pool *pool;
	struct engine *engine;
	unsigned index;
	bool open_loop, measuring, stop_issuing;
	int optimism; /* how often sending before the handshake is known to be done may still fail */
	int epoll, peer_epoll;
	uint64_t now_ns;	 /* of the last read of the clock */
	uint64_t due_ns;	 /* next intended time; UINT64_MAX: none, or no room for it */
	uint64_t begin_ns, end_ns;
	uint64_t look_ns, look_every_ns;
	uint32_t nconns, first;	 /* of which `first` is the number of conns[0] among all */
	uint32_t ring;		 /* slots per connection, a power of two */
	struct conn *conns;
	struct slot *slots;
	uint16_t *free_slots, *pending; /* datagrams: `ring` each per connection */
	uint8_t *carry;		 /* PROTO_CARRY_MAX per connection, untouched until needed */
	uint8_t *buffer;	 /* RECEIVE_BYTES + PROTO_CARRY_MAX */
	uint32_t *ready, ready_head, ready_n; /* connections with room, in turn */
	uint32_t *dirty, ndirty; /* connections with something to write */
	double *next_due;	 /* own schedules: next intended time of a blocked connection */
	uint32_t up, local_next; /* up: conns[0 … up − 1] have been ready */
	uint64_t left;		 /* `once`: requests not yet settled */
	struct worker_schedule schedule;
	struct engine_counts counts;
	struct hist *response, *service, *lag;
	struct ticks ticks;
	double *behind;
	uint64_t cpu_begin_ns, cpu_ns, backlog, last_ns; /* last_ns: end of what was measured */
	int cpu;
	int rc;
	struct vt_err err;
	struct epoll_event events[EVENTS_MAX];
};

static inline struct slot *conn_slot(const struct engine_worker *w, const struct conn *c, uint32_t i)
{
	return &w->slots[(size_t)c->index * w->ring + (i & (w->ring - 1))];
}

static inline uint8_t *conn_carry(const struct engine_worker *w, const struct conn *c)
{
	return w->carry + (size_t)c->index * PROTO_CARRY_MAX;
}

static inline bool is_datagram(const struct engine_worker *w)
{
	return w->proto->caps & PROTO_DATAGRAM;
}

/* How many more requests may be in flight. */
static inline uint32_t conn_room(const struct engine_worker *w, const struct conn *c)
{
	uint32_t depth = w->config->depth, used = c->tail - c->head;
	uint32_t room;

	if (w->config->per_request)
		return c->state == CONN_IDLE && c->since_ns == 0 && c->inflight == 0 ? 1 : 0;
	if (c->state != CONN_READY || c->inflight >= depth)
		return 0;
	room = depth - c->inflight;
	return is_datagram(w) || room < w->ring - used ? room : w->ring - used;
}

/* worker.c */
void worker_main(void *arg);
int worker_fail(struct engine_worker *w, int rc);
/* A connection has become usable, or has room again: send (closed loop) or let the schedule know. */
void worker_room(struct engine_worker *w, struct conn *c);
void worker_lost(struct engine_worker *w, struct conn *c, uint32_t n);
void worker_answer(struct engine_worker *w, struct slot *s, enum proto_verdict verdict);

/* conn.c. now is the stamp for what is sent. */
int conn_open(struct engine_worker *w, struct conn *c, uint64_t now);
void conn_event(struct engine_worker *w, struct conn *c, uint32_t events);
void conn_issue(struct engine_worker *w, struct conn *c, uint64_t intended_ns, uint64_t ready_ns);
void conn_issue_many(struct engine_worker *w, struct conn *c, uint32_t n);
void conn_flush(struct engine_worker *w, struct conn *c, uint64_t now);
void conn_close(struct engine_worker *w, struct conn *c);
/* Broken: all in flight is lost (but for one that is `short`); tried again later. */
void conn_break(struct engine_worker *w, struct conn *c);
/* The server closed after an announced last answer: what was sent behind it is sent again. */
void conn_renew(struct engine_worker *w, struct conn *c);
void conn_stamp(struct engine_worker *w, struct slot *s, uint64_t now);

/* stream.c */
void stream_read(struct engine_worker *w, struct conn *c);

/* packet.c */
void packet_init(struct engine_worker *w, struct conn *c);
void packet_issue(struct engine_worker *w, struct conn *c, uint64_t intended_ns, uint64_t ready_ns);
void packet_flush(struct engine_worker *w, struct conn *c, uint64_t now);
void packet_read(struct engine_worker *w, struct conn *c);
void packet_overdue(struct engine_worker *w, struct conn *c, uint64_t now);

/* pace.c */
int pace_init(struct engine_worker *w, struct vt_err *err);
void pace_release(struct engine_worker *w);
void pace_begin(struct engine_worker *w, uint64_t start_ns);
void pace_send_due(struct engine_worker *w, uint64_t now);
/* Marks a connection that has something to write, and writes for all that are marked. */
void pace_mark(struct engine_worker *w, struct conn *c);
void pace_flush(struct engine_worker *w);
void pace_room(struct engine_worker *w, struct conn *c);
/* Waits for events until the next intended time, or until_ns. Returns the number of events. */
int pace_wait(struct engine_worker *w, uint64_t until_ns);
/* Due before end_ns, but not sent. Uses the schedule up. */
uint64_t pace_backlog(struct engine_worker *w);
double pace_behind_ns(const struct engine_worker *w, uint64_t now);

/* peer.c: answers on every descriptor in the epoll until *stop. */
struct peer {
	int epoll;
	const _Atomic int *stop;
};
void peer_main(void *arg);

struct engine {
	const struct engine_config *config;
	struct engine_worker *workers;
	struct peer *peers;
	struct group group, peer_group;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned ready, gate;
	_Atomic int stop; /* 0, or the negative errno that ends it early; written once, so always cached */
	_Atomic int peer_stop;
	uint64_t start_ns, begin_ns, end_ns;
};

static inline bool worker_stopped_early(const struct engine_worker *w)
{
	return atomic_load_explicit(&w->engine->stop, memory_order_relaxed) != 0;
}

#endif
