/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a thread: connect all, wait at the gate, warm up, measure, wait for what is still out.
 *
 * What is overdue (answers, connections, retries) is looked for some times per timeout, by a walk over the
 * connections: far cheaper than a timer for each request.
 */
#include "load/engine/worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>

#define LOOK_MIN_NS (2 * NS_PER_MS)
#define LOOK_MAX_NS (20 * NS_PER_MS)
#define CONNECTING_MAX 128 /* at once in the set-up, so that a listen queue does not overflow */
#define CONNECT_SPREAD_NS UINT64_C(10000) /* per connection, at least */
#define FAILS_MAX 100 /* `once`: no use in going on */

int worker_fail(struct engine_worker *w, int rc)
{
	if (w->rc == 0)
		w->rc = rc;
	return rc;
}

void worker_lost(struct engine_worker *w, struct conn *c, uint32_t n)
{
	w->counts.lost += n;
	if (w->config->once)
		w->left -= n;
}

void worker_answer(struct engine_worker *w, struct slot *s, enum proto_verdict verdict)
{
	struct engine_counts *k = &w->counts;
	uint64_t now = w->now_ns;
	bool right = verdict == PROTO_OK || verdict == PROTO_MISS;
	bool in_time = now - s->sent_ns <= w->config->timeout_ns;

	if (w->config->once)
		w->left--;
	if (!w->measuring)
		return;
	if (right && in_time && now < w->end_ns) {
		ticks_at(&w->ticks, now, k->done);
		k->done++;
	}
	if (w->open_loop ? s->intended_ns < w->begin_ns : now >= w->end_ns)
		return;
	if (!right) {
		if (verdict == PROTO_WRONG)
			k->wrong++;
		else
			k->short_++;
		return;
	}
	if (!in_time) {
		k->late++;
		return;
	}
	k->ok++;
	k->miss += verdict == PROTO_MISS;
	hist_record(w->service, now - s->sent_ns);
	if (w->open_loop)
		hist_record(w->response, now - s->intended_ns);
}

void worker_room(struct engine_worker *w, struct conn *c)
{
	uint32_t n;

	if (w->stop_issuing)
		return;
	if (w->open_loop) {
		pace_room(w, c);
		return;
	}
	n = conn_room(w, c);
	if (w->config->once) {
		n = n < c->left ? n : (uint32_t)c->left;
		c->left -= n;
	}
	if (n == 0)
		return;
	if (is_datagram(w))
		while (n-- > 0)
			conn_issue(w, c, 0, 0);
	else
		conn_issue_many(w, c, n);
	pace_mark(w, c);
}

static bool over(uint64_t now, uint64_t since, uint64_t limit)
{
	return now > since && now - since > limit;
}

static void look_at(struct engine_worker *w, struct conn *c, uint64_t now)
{
	uint64_t timeout = w->config->timeout_ns;

	switch (c->state) {
	case CONN_IDLE:
		if (c->since_ns == 0 || now < c->since_ns)
			return;
		c->since_ns = 0;
		if (w->config->once && c->fails > FAILS_MAX)
			worker_fail(w, -ECONNREFUSED);
		else if (w->config->per_request)
			worker_room(w, c);
		else if (conn_open(w, c, now) == 0 && c->state == CONN_READY)
			worker_room(w, c);
		return;
	case CONN_CONNECTING:
	case CONN_GREETING:
		if (!over(now, c->since_ns, timeout))
			return;
		w->counts.refused++;
		conn_break(w, c);
		return;
	case CONN_CLOSING:
		if (!over(now, c->since_ns, timeout))
			return;
		conn_close(w, c);
		worker_room(w, c);
		return;
	default:
		break;
	}
	if (is_datagram(w)) {
		packet_overdue(w, c, now);
		if (c->npending > 0)
			packet_flush(w, c, now);
	} else if (c->inflight > 0 && c->unstamped != c->head &&
		over(now, conn_slot(w, c, c->head)->sent_ns, timeout)) {
		/* in a stream, an answer that may still come could not be told from the next */
		conn_break(w, c);
	}
}

static void look(struct engine_worker *w, uint64_t now)
{
	uint32_t was = w->ticks.n;

	w->look_ns = now + w->look_every_ns;
	w->now_ns = now;
	for (uint32_t i = 0; i < w->nconns; i++)
		look_at(w, &w->conns[i], now);
	pace_flush(w);
	if (!w->measuring)
		return;
	ticks_at(&w->ticks, now, w->counts.done);
	for (; was < w->ticks.n && w->behind; was++)
		w->behind[was] = pace_behind_ns(w, now);
}

static void handle(struct engine_worker *w, int n)
{
	for (int i = 0; i < n; i++) {
		conn_event(w, w->events[i].data.ptr, w->events[i].events);
		if (w->due_ns <= w->now_ns)
			pace_send_due(w, w->now_ns);
	}
	pace_flush(w);
}

/* --- set-up --- */

static int why_not(struct engine_worker *w, uint32_t opened)
{
	bool cut = w->counts.reset || w->counts.closed;
	int code = w->err.code ? w->err.code : cut ? -ECONNRESET : -ECONNREFUSED;

	w->err.code = 0;
	if (w->counts.wrong)
		return worker_fail(w, vt_fail(&w->err, -EPROTO,
			"the server refuses the greeting: does it speak %s?",
			w->proto->name));
	if (w->counts.no_port)
		return worker_fail(w, vt_fail(&w->err, -EADDRNOTAVAIL,
			"no local port is free for connection %u: add source addresses or widen "
			"net.ipv4.ip_local_port_range", w->first + opened));
	return worker_fail(w, vt_fail(&w->err, code, "connection %u of %u cannot be made: %s",
		w->first + w->up + 1,
		w->config->connections, strerror(-code)));
}

static bool trouble(const struct engine_counts *n)
{
	return n->refused || n->no_port || n->reset || n->closed || n->wrong;
}

static int connect_all(struct engine_worker *w)
{
	const struct engine_config *k = w->config;
	uint64_t start = clock_now_ns(), deadline, spread = k->ramp_ns / k->connections;
	uint32_t opened = 0;

	spread = spread > CONNECT_SPREAD_NS ? spread : CONNECT_SPREAD_NS;
	deadline = start + spread * k->connections + k->timeout_ns;
	w->stop_issuing = true;
	while (w->up < w->nconns) {
		uint64_t now = clock_now_ns();
		int n;

		w->now_ns = now;
		while (opened < w->nconns && opened - w->up < CONNECTING_MAX &&
			now >= start + spread * (w->first + opened))
			conn_open(w, &w->conns[opened++], now);
		n = epoll_wait(w->epoll, w->events, EVENTS_MAX, opened == w->nconns ? 10 : 1);
		handle(w, n);
		while (w->up < opened && w->conns[w->up].state == CONN_READY)
			w->up++;
		if (worker_stopped_early(w))
			return worker_fail(w, -EINTR);
		if (w->rc < 0)
			return w->rc;
		if (trouble(&w->counts))
			return why_not(w, opened);
		if (clock_now_ns() > deadline) {
			w->err.code = -ETIMEDOUT;
			return why_not(w, opened);
		}
	}
	return 0;
}

/* --- measuring --- */

static uint64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void begin(struct engine_worker *w)
{
	uint64_t opened = w->counts.opened;

	memset(&w->counts, 0, sizeof w->counts);
	if (!w->config->per_request && w->begin_ns == w->engine->start_ns)
		w->counts.opened = opened; /* no warm-up: the set-up is all there was before */
	w->measuring = true;
	w->cpu_begin_ns = thread_cpu_ns();
	ticks_begin(&w->ticks, w->begin_ns);
}

static bool going_on(struct engine_worker *w, uint64_t now)
{
	if (w->rc < 0 || worker_stopped_early(w))
		return false;
	return w->config->once ? w->left > 0 : now < w->end_ns;
}

static void measure(struct engine_worker *w)
{
	uint64_t now = clock_now_ns();

	w->now_ns = now;
	w->stop_issuing = false;
	w->look_ns = now + w->look_every_ns;
	if (now >= w->begin_ns || w->config->once || w->begin_ns == w->engine->start_ns)
		begin(w);
	if (w->open_loop)
		pace_begin(w, w->engine->start_ns);
	else
		for (uint32_t i = 0; i < w->nconns; i++) {
			w->now_ns = clock_now_ns();
			worker_room(w, &w->conns[i]);
			pace_flush(w);
		}
	while (going_on(w, now)) {
		int n = pace_wait(w, w->look_ns < w->end_ns ? w->look_ns : w->end_ns);

		handle(w, n);
		now = n > 0 && !w->open_loop ? w->now_ns : clock_now_ns();
		if (!w->measuring && now >= w->begin_ns)
			begin(w);
		if (w->due_ns <= now)
			pace_send_due(w, now);
		if (now >= w->look_ns)
			look(w, now);
	}
	w->cpu_ns = thread_cpu_ns() - w->cpu_begin_ns;
	w->last_ns = now;
	ticks_at(&w->ticks, now, w->counts.done);
}

static uint64_t in_flight(const struct engine_worker *w)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < w->nconns; i++)
		n += w->conns[i].inflight;
	return n;
}

/* Open loop: what was sent in the measured time is waited for. */
static void drain(struct engine_worker *w)
{
	uint64_t deadline = w->end_ns + w->config->timeout_ns + 2 * w->look_every_ns, now;

	w->backlog = pace_backlog(w);
	w->stop_issuing = true;
	w->due_ns = PACE_NEVER;
	for (now = clock_now_ns(); now < deadline && in_flight(w) > 0; now = clock_now_ns()) {
		if (w->rc < 0 || worker_stopped_early(w))
			return;
		handle(w, pace_wait(w, now + LOOK_MIN_NS));
		look(w, clock_now_ns());
	}
	w->counts.lost += in_flight(w);
}

/* False when it is all over before it began. */
static bool gate(struct engine_worker *w)
{
	struct engine *e = w->engine;
	bool go;

	pthread_mutex_lock(&e->lock);
	e->ready++;
	pthread_cond_broadcast(&e->changed);
	while (e->gate == 0 && !worker_stopped_early(w))
		pthread_cond_wait(&e->changed, &e->lock);
	go = e->gate != 0;
	pthread_mutex_unlock(&e->lock);
	w->begin_ns = e->begin_ns;
	w->end_ns = e->end_ns;
	return go;
}

static int settle_down(struct engine_worker *w)
{
	const struct engine_config *k = w->config;
	cpu_set_t set;

	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	if (k->ncpus == 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((size_t)k->cpus[w->index % k->ncpus], &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		return worker_fail(w, vt_fail_errno(&w->err, "cannot run on CPU %d",
			k->cpus[w->index % k->ncpus]));
	return 0;
}

void worker_main(void *arg)
{
	struct engine_worker *w = arg;

	w->look_every_ns = w->config->timeout_ns / 8;
	if (w->look_every_ns < LOOK_MIN_NS)
		w->look_every_ns = LOOK_MIN_NS;
	if (w->look_every_ns > LOOK_MAX_NS)
		w->look_every_ns = LOOK_MAX_NS;
	if (settle_down(w) == 0 && !w->config->per_request)
		connect_all(w);
	if (gate(w) && w->rc == 0) {
		measure(w);
		if (w->open_loop && w->rc == 0)
			drain(w);
	}
	w->cpu = sched_getcpu();
}
