/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the workers, opens the gate for all at one instant, sleeps while they measure, adds up what they
 * found.
 */
#include "load/engine/engine.h"
#include "load/engine/worker.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define TIMEOUT_NS (5 * NS_PER_S)
#define SPIN_MAX_NS (100 * NS_PER_US)
#define LOOK_NS (50 * NS_PER_MS)
#define GATE_NS (2 * NS_PER_MS) /* from the opening of the gate to the start */
#define FILES_SPARE 64
#define OPTIMISM 32
#define LATE_SLOTS 64 /* datagrams: so many timeouts later an answer is still known as late */

static int check(struct engine_config *k, struct vt_err *err)
{
	unsigned caps = k->proto->caps;

	k->connections = k->connections ? k->connections : 1;
	k->threads = k->threads ? k->threads : 1;
	k->depth = k->depth ? k->depth : 1;
	k->timeout_ns = k->timeout_ns ? k->timeout_ns : TIMEOUT_NS;
	k->spin_max_ns = k->spin_max_ns ? k->spin_max_ns : SPIN_MAX_NS;
	if (k->connections > ENGINE_CONNECTIONS_MAX)
		return vt_usage(err, "%u connections are too many, at most %d", k->connections,
			ENGINE_CONNECTIONS_MAX);
	if (k->threads > ENGINE_THREADS_MAX || k->threads > k->connections)
		return vt_usage(err, "%u threads for %u connections: at most one for each, and %d in all",
			k->threads, k->connections, ENGINE_THREADS_MAX);
	if (k->depth > ENGINE_DEPTH_MAX)
		return vt_usage(err, "a depth of %u is too much, at most %d", k->depth, ENGINE_DEPTH_MAX);
	if (k->depth > 1 && (!(caps & PROTO_PIPELINE) || k->per_request))
		return vt_usage(err, "a depth of %u is not possible: one request at a time on a connection",
			k->depth);
	if (caps & PROTO_UNORDERED && 4 * k->depth > k->pool->n) /* the ring is at most that long */
		return vt_usage(err, "a depth of %u needs %u requests or more, so that no tag is used twice",
			k->depth, 4 * k->depth);
	for (uint32_t i = 0; caps & PROTO_DATAGRAM && i < k->pool->n; i++)
		if (k->pool->requests[i].length > DATAGRAM_BYTES)
			return vt_usage(err, "a datagram of %u bytes is too long, at most %d",
				k->pool->requests[i].length, DATAGRAM_BYTES);
	if (k->per_request && !(caps & PROTO_PER_REQUEST))
		return vt_usage(err, "%s has no use for a new connection per request", k->proto->name);
	if (k->per_request && k->pool->greeting.length)
		return vt_usage(err, "a greeting and a new connection per request do not go together");
	if (k->arrivals != GEN_CLOSED && !(k->rate_per_s > 0 && k->rate_per_s <= 1e9))
		return vt_usage(err, "an open loop needs a rate of requests per second");
	if (k->once && k->arrivals != GEN_CLOSED)
		return vt_usage(err, "every request once: only in a closed loop");
	if (k->duration_ns == 0 && !k->once)
		return vt_usage(err, "no time to measure: give a duration");
	if (k->tick_ns && k->duration_ns / k->tick_ns > ENGINE_TICKS_MAX)
		k->tick_ns = (k->duration_ns + ENGINE_TICKS_MAX - 1) / ENGINE_TICKS_MAX;
	return 0;
}

static int raise_files(const struct engine_config *k, struct vt_err *err)
{
	uint64_t each = k->proto->caps & PROTO_IN_PROCESS ? 2 : 1;
	uint64_t need = each * k->connections + 2 * k->threads + FILES_SPARE;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= need)
		return 0;
	r.rlim_cur = need;
	if (r.rlim_max < need)
		r.rlim_max = need; /* root may */
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		return vt_fail(err, -EMFILE,
			"%u connections need %llu open files, more than this process may have: "
			"raise 'ulimit -n'",
			k->connections, (unsigned long long)need);
	return 0;
}

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

/* Never written beforehand: a carry is touched only by a connection whose answer came in pieces. */
static uint8_t *lazy_memory(size_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static struct hist *new_hist(void)
{
	struct hist *h = malloc(sizeof *h);

	if (h)
		hist_init(h);
	return h;
}

static int allocate(struct engine_worker *w)
{
	const struct engine_config *k = w->config;
	uint64_t ticks = k->tick_ns ? k->duration_ns / k->tick_ns : 0;
	bool datagram = k->proto->caps & PROTO_DATAGRAM;
	size_t slots = (size_t)w->nconns * w->ring;

	w->conns = calloc(w->nconns, sizeof *w->conns);
	w->slots = calloc(slots, sizeof *w->slots);
	w->ready = calloc(w->nconns, sizeof *w->ready);
	w->dirty = calloc(w->nconns, sizeof *w->dirty);
	w->carry = lazy_memory((size_t)w->nconns * PROTO_CARRY_MAX);
	w->buffer = sock_buffer(RECEIVE_BYTES + PROTO_CARRY_MAX);
	w->service = new_hist();
	if (datagram) {
		w->free_slots = calloc(slots, sizeof *w->free_slots);
		w->pending = calloc(slots, sizeof *w->pending);
	}
	if (w->open_loop) {
		w->response = new_hist();
		w->lag = new_hist();
		w->behind = calloc(ticks + 1, sizeof *w->behind);
	}
	if (!w->conns || !w->slots || !w->ready || !w->dirty || !w->carry || !w->buffer || !w->service ||
		(datagram && (!w->free_slots || !w->pending)) ||
		(w->open_loop && (!w->response || !w->lag || !w->behind)))
		return -ENOMEM;
	return ticks_init(&w->ticks, k->tick_ns, (uint32_t)ticks);
}

/* Connections start at different places of the pool; with `once`, each has a part of it. */
static void place(struct engine_worker *w)
{
	const struct engine_config *k = w->config;

	for (uint32_t i = 0; i < w->nconns; i++) {
		struct conn *c = &w->conns[i];
		uint64_t global = w->first + i, n = w->pool->n, from = n * global / k->connections;

		c->fd = -1;
		c->index = i;
		c->cursor = (uint32_t)from;
		c->wpos = w->pool->requests[from].offset;
		c->left = n * (global + 1) / k->connections - from;
		w->left += c->left;
		if (k->proto->caps & PROTO_DATAGRAM)
			packet_init(w, c);
	}
}

static int make_worker(struct engine *e, unsigned i, struct vt_err *err)
{
	const struct engine_config *k = e->config;
	struct engine_worker *w = &e->workers[i];
	uint32_t slack = k->proto->caps & (PROTO_DATAGRAM | PROTO_UNORDERED) ? 2 : 1;
	int rc;

	w->config = k;
	w->proto = k->proto;
	w->pool = k->pool;
	w->engine = e;
	w->index = i;
	w->open_loop = k->arrivals != GEN_CLOSED;
	w->optimism = OPTIMISM;
	w->first = (uint32_t)((uint64_t)k->connections * i / k->threads);
	w->nconns = (uint32_t)((uint64_t)k->connections * (i + 1) / k->threads) - w->first;
	w->ring = power_of_two(k->depth * slack);
	if (k->proto->caps & PROTO_DATAGRAM && w->ring < LATE_SLOTS)
		w->ring = LATE_SLOTS;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		return vt_fail_errno(err, "cannot wait for events");
	if (allocate(w) < 0)
		return vt_fail(err, -ENOMEM, "no memory for %u connections", k->connections);
	place(w);
	rc = pace_init(w, err);
	if (rc < 0 || !(k->proto->caps & PROTO_IN_PROCESS))
		return rc;
	w->peer_epoll = e->peers[i].epoll = epoll_create1(EPOLL_CLOEXEC);
	e->peers[i].stop = &e->peer_stop;
	if (w->peer_epoll < 0)
		return vt_fail_errno(err, "cannot wait for events");
	return group_spawn(&e->peer_group, "vtax-peer", peer_main, &e->peers[i], err);
}

static void release_worker(struct engine_worker *w)
{
	for (uint32_t i = 0; w->conns && i < w->nconns; i++)
		cleanup_closep(&w->conns[i].fd);
	pace_release(w);
	if (w->carry)
		munmap(w->carry, (size_t)w->nconns * PROTO_CARRY_MAX);
	sock_buffer_free(w->buffer, RECEIVE_BYTES + PROTO_CARRY_MAX);
	cleanup_closep(&w->epoll);
	ticks_release(&w->ticks);
	free(w->conns);
	free(w->slots);
	free(w->ready);
	free(w->dirty);
	free(w->free_slots);
	free(w->pending);
	free(w->behind);
	free(w->service);
	free(w->response);
	free(w->lag);
}

static void stop(struct engine *e, int why)
{
	int none = 0;

	pthread_mutex_lock(&e->lock);
	atomic_compare_exchange_strong(&e->stop, &none, why);
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

static bool cancelled(const struct engine *e)
{
	return e->config->cancel && *e->config->cancel;
}

static bool any_failed(const struct engine *e)
{
	for (uint32_t i = 0; i < e->config->threads; i++)
		if (e->workers[i].rc < 0)
			return true;
	return false;
}

static struct timespec instant(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}

/* All workers are connected, or have failed. False when cancelled. */
static bool gather(struct engine *e)
{
	bool go = true;

	pthread_mutex_lock(&e->lock);
	while (e->ready < e->config->threads && go) {
		struct timespec ts = instant(clock_now_ns() + LOOK_NS);

		pthread_cond_timedwait(&e->changed, &e->lock, &ts);
		go = !cancelled(e);
	}
	pthread_mutex_unlock(&e->lock);
	return go;
}

static void open_gate(struct engine *e)
{
	const struct engine_config *k = e->config;

	pthread_mutex_lock(&e->lock);
	e->start_ns = clock_now_ns() + GATE_NS;
	e->begin_ns = e->start_ns + (k->once ? 0 : k->warmup_ns);
	e->end_ns = k->once ? UINT64_MAX : e->begin_ns + k->duration_ns;
	e->gate = 1;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

static void mark(const struct engine *e, int which)
{
	if (e->config->mark)
		e->config->mark(e->config->arg, which);
}

/* True when the workers have ended or the time has come. */
static bool sleep_until(struct engine *e, uint64_t until_ns)
{
	for (;;) {
		uint64_t now = clock_now_ns(), look = now + LOOK_NS;

		if (now >= until_ns)
			return true;
		if (cancelled(e)) {
			stop(e, -EINTR);
			return false;
		}
		if (group_wait(&e->group, look < until_ns ? look : until_ns))
			return true;
	}
}

static void coordinate(struct engine *e)
{
	bool marked;

	if (!gather(e)) {
		stop(e, -EINTR);
		return;
	}
	if (any_failed(e)) {
		stop(e, -ECANCELED);
		return;
	}
	open_gate(e);
	if (!sleep_until(e, e->begin_ns))
		return;
	mark(e, 0);
	marked = e->config->once || sleep_until(e, e->end_ns);
	if (marked && !e->config->once)
		mark(e, 1);
	if (sleep_until(e, UINT64_MAX) && e->config->once)
		mark(e, 1);
}

static int explain(struct engine *e, struct vt_err *err)
{
	int why = atomic_load(&e->stop);

	if (why == -EINTR)
		return vt_fail(err, -EINTR, "cancelled");
	for (uint32_t i = 0; i < e->config->threads; i++) {
		const struct engine_worker *w = &e->workers[i];

		if (w->rc >= 0)
			continue;
		if (!w->err.msg[0])
			return vt_fail(err, w->rc, "measuring ended early: %s", strerror(-w->rc));
		if (err)
			*err = w->err;
		return w->rc;
	}
	return 0;
}

/* --- results --- */

static void add_counts(struct engine_counts *into, const struct engine_counts *from)
{
	const uint64_t *f = (const uint64_t *)from;
	uint64_t *t = (uint64_t *)into;

	_Static_assert(sizeof *into % sizeof *t == 0, "engine_counts is all uint64_t");
	for (size_t i = 0; i < sizeof *into / sizeof *t; i++)
		t[i] += f[i];
}

uint64_t engine_errors(const struct engine_counts *n)
{
	return n->wrong + n->short_ + n->late + n->lost + n->extra + n->garbage;
}

static void take_thread(struct engine_result *r, struct engine_worker *w)
{
	struct engine_thread *t = &r->threads[w->index];

	t->counts = w->counts;
	t->service = steal_ptr(w->service);
	t->response = steal_ptr(w->response);
	t->lag = steal_ptr(w->lag);
	t->cpu_ns = w->cpu_ns;
	t->cpu = w->cpu;
	add_counts(&r->counts, &t->counts);
	hist_merge(r->service, t->service);
	hist_merge(r->response, t->response ? t->response : t->service);
	if (t->lag)
		hist_merge(r->lag, t->lag);
	r->cpu_ns += w->cpu_ns;
	r->backlog += w->backlog;
	if (w->last_ns > r->begin_ns && w->last_ns - r->begin_ns > r->elapsed_ns)
		r->elapsed_ns = w->last_ns - r->begin_ns;
}

static void take_series(struct engine_result *r, const struct engine *e)
{
	uint32_t n = UINT32_MAX;

	for (uint32_t i = 0; i < r->nthreads; i++) {
		const struct engine_worker *w = &e->workers[i];
		uint32_t have = ticks_add_rates(&w->ticks, 1.0, r->rate);

		n = have < n ? have : n;
		for (uint32_t j = 0; w->behind && j < have; j++)
			if (w->behind[j] > r->behind_ns[j])
				r->behind_ns[j] = w->behind[j];
	}
	r->ticks = n;
	r->tick_ns = e->config->tick_ns;
}

static int take(struct engine_result *r, struct engine *e, struct vt_err *err)
{
	const struct engine_config *k = e->config;
	double s;

	*r = (struct engine_result){ .nthreads = k->threads, .begin_ns = e->begin_ns };
	r->threads = calloc(k->threads, sizeof *r->threads);
	r->response = new_hist();
	r->service = new_hist();
	r->lag = new_hist();
	r->rate = calloc(ENGINE_TICKS_MAX, sizeof *r->rate);
	r->behind_ns = calloc(ENGINE_TICKS_MAX, sizeof *r->behind_ns);
	if (!r->threads || !r->response || !r->service || !r->lag || !r->rate || !r->behind_ns) {
		r->nthreads = 0;
		engine_result_release(r);
		return vt_fail(err, -ENOMEM, "no memory for the result");
	}
	for (uint32_t i = 0; i < k->threads; i++)
		take_thread(r, &e->workers[i]);
	if (!k->once)
		r->elapsed_ns = k->duration_ns;
	s = (double)r->elapsed_ns / 1e9;
	if (s > 0) {
		r->achieved_per_s = (double)r->counts.done / s;
		r->offered_per_s = (double)(r->counts.sent + r->backlog) / s;
	}
	if (k->tick_ns)
		take_series(r, e);
	return 0;
}

void engine_result_release(struct engine_result *r)
{
	for (uint32_t i = 0; r->threads && i < r->nthreads; i++) {
		free(r->threads[i].response);
		free(r->threads[i].service);
		free(r->threads[i].lag);
	}
	free(r->threads);
	free(r->response);
	free(r->service);
	free(r->lag);
	free(r->rate);
	free(r->behind_ns);
	*r = (struct engine_result){ .nthreads = 0 };
}

static int run(struct engine *e, struct vt_err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < e->config->threads && rc == 0; i++)
		rc = make_worker(e, i, err);
	for (unsigned i = 0; i < e->config->threads && rc == 0; i++)
		rc = group_spawn(&e->group, "vtax-load", worker_main, &e->workers[i], err);
	if (rc == 0)
		coordinate(e);
	else
		stop(e, rc);
	group_release(&e->group);
	return rc < 0 ? rc : explain(e, err);
}

int engine_run(const struct engine_config *config, struct engine_result *r, struct vt_err *err)
{
	struct engine_config k = *config;
	struct engine e = { .config = &k };
	pthread_condattr_t attr;
	int rc;

	rc = check(&k, err);
	if (rc == 0)
		rc = raise_files(&k, err);
	if (rc < 0)
		return rc;
	e.workers = calloc(k.threads, sizeof *e.workers);
	e.peers = calloc(k.threads, sizeof *e.peers);
	if (!e.workers || !e.peers) {
		free(e.workers);
		free(e.peers);
		return vt_fail(err, -ENOMEM, "no memory for %u threads", k.threads);
	}
	for (unsigned i = 0; i < k.threads; i++)
		e.workers[i].epoll = e.peers[i].epoll = -1;
	group_init(&e.group);
	group_init(&e.peer_group);
	pthread_mutex_init(&e.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e.changed, &attr);
	pthread_condattr_destroy(&attr);
	rc = run(&e, err);
	if (rc == 0)
		rc = take(r, &e, err);
	for (unsigned i = 0; i < k.threads; i++)
		release_worker(&e.workers[i]);
	atomic_store(&e.peer_stop, 1);
	group_release(&e.peer_group);
	for (unsigned i = 0; i < k.threads; i++)
		cleanup_closep(&e.peers[i].epoll);
	free(e.workers);
	free(e.peers);
	pthread_cond_destroy(&e.changed);
	pthread_mutex_destroy(&e.lock);
	return rc;
}
