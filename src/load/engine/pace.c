/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intended times. Either the thread has one schedule and hands each request to the connection that has waited
 * longest for one, or every connection has its own schedule (a heap of them), as in mutilate. Times are drawn
 * when they are needed: a schedule that is behind simply has a next time in the past, so a backlog of any
 * length takes no memory and loses no arrival.
 *
 * Waiting is hybrid. A timer wakes a thread late by tens of µs, so it is set early by what it has been late,
 * and the rest is spent polling epoll, which picks up answers meanwhile. Rates whose gaps are shorter than
 * that poll all the time: one core is the price of sending within a few µs.
 */
#include "load/engine/worker.h"
#include "base/err.h"

#include <errno.h>

#define SPIN_MIN_NS UINT64_C(3000)
#define SPIN_START_NS UINT64_C(20000)
#define SPIN_STEP_NS UINT64_C(50)

static void set_due(struct engine_worker *w)
{
	struct worker_schedule *s = &w->schedule;
	double at = s->heap ? s->heap[0].at_ns : s->next_ns;

	if (w->stop_issuing || (s->heap ? s->n == 0 : s->starved) || at >= (double)w->end_ns)
		w->due_ns = PACE_NEVER;
	else
		w->due_ns = at > 0 ? (uint64_t)at : 0;
}

static void sift_down(struct worker_schedule *s)
{
	struct due moving = s->heap[0];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= s->n)
			break;
		if (child + 1 < s->n && s->heap[child + 1].at_ns < s->heap[child].at_ns)
			child++;
		if (s->heap[child].at_ns >= moving.at_ns)
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = moving;
}

static void heap_push(struct worker_schedule *s, struct due d)
{
	uint32_t i = s->n++;

	for (; i > 0 && s->heap[(i - 1) / 2].at_ns > d.at_ns; i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = d;
}

static void heap_pop(struct worker_schedule *s)
{
	s->heap[0] = s->heap[--s->n];
	if (s->n > 0)
		sift_down(s);
}

int pace_init(struct engine_worker *w, struct vt_err *err)
{
	const struct engine_config *k = w->config;
	struct worker_schedule *s = &w->schedule;

	w->due_ns = PACE_NEVER;
	rng_seed(&s->rng, k->seed + w->index + 1);
	if (!w->open_loop)
		return 0;
	s->spin_ns = SPIN_START_NS < k->spin_max_ns ? SPIN_START_NS : k->spin_max_ns;
	s->mean_ns = 1e9 * (double)k->connections / k->rate_per_s;
	if (!k->per_connection_arrivals) {
		s->mean_ns /= (double)w->nconns;
		return 0;
	}
	s->heap = calloc(w->nconns, sizeof *s->heap);
	w->next_due = calloc(w->nconns, sizeof *w->next_due);
	return s->heap && w->next_due ? 0 : vt_fail(err, -ENOMEM, "no memory for %u schedules", w->nconns);
}

void pace_release(struct engine_worker *w)
{
	free(w->schedule.heap);
	free(w->next_due);
}

/* Constant schedules of several threads or connections are laid between each other. */
static double first_gap(struct engine_worker *w, uint32_t i, uint32_t of)
{
	struct worker_schedule *s = &w->schedule;

	if (w->config->arrivals == GEN_CONSTANT)
		return s->mean_ns * (double)(i + 1) / (double)of;
	return gen_gap_ns(w->config->arrivals, s->mean_ns, &s->rng);
}

void pace_begin(struct engine_worker *w, uint64_t start_ns)
{
	struct worker_schedule *s = &w->schedule;
	const struct engine_config *k = w->config;

	if (s->heap)
		for (uint32_t i = 0; i < w->nconns; i++)
			heap_push(s, (struct due){
				.at_ns = (double)start_ns + first_gap(w, w->first + i, k->connections),
				.conn = i,
			});
	else
		s->next_ns = (double)start_ns + first_gap(w, w->index, k->threads);
	set_due(w);
	for (uint32_t i = 0; i < w->nconns; i++)
		pace_room(w, &w->conns[i]);
}

static void queue_ready(struct engine_worker *w, struct conn *c)
{
	uint32_t at = w->ready_head + w->ready_n++;

	c->queued = true;
	w->ready[at < w->nconns ? at : at - w->nconns] = c->index;
}

static struct conn *next_ready(struct engine_worker *w)
{
	while (w->ready_n > 0) {
		struct conn *c = &w->conns[w->ready[w->ready_head]];

		if (++w->ready_head == w->nconns)
			w->ready_head = 0;
		w->ready_n--;
		c->queued = false;
		if (conn_room(w, c) > 0)
			return c;
	}
	return NULL;
}

void pace_room(struct engine_worker *w, struct conn *c)
{
	struct worker_schedule *s = &w->schedule;

	if (conn_room(w, c) == 0)
		return;
	if (s->heap) {
		if (!c->blocked)
			return;
		c->blocked = false;
		c->room_ns = w->now_ns;
		heap_push(s, (struct due){ .at_ns = w->next_due[c->index], .conn = c->index });
		set_due(w);
		return;
	}
	if (!c->queued)
		queue_ready(w, c);
	if (s->starved) {
		s->starved = false;
		s->room_ns = w->now_ns;
		set_due(w);
	}
}

void pace_mark(struct engine_worker *w, struct conn *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	w->dirty[w->ndirty++] = c->index;
}

static void issue(struct engine_worker *w, struct conn *c, uint64_t room_ns)
{
	uint64_t due = w->due_ns;

	conn_issue(w, c, due, due > room_ns ? due : room_ns);
	pace_mark(w, c);
}

static void issue_own(struct engine_worker *w)
{
	struct worker_schedule *s = &w->schedule;
	struct conn *c = &w->conns[s->heap[0].conn];

	if (conn_room(w, c) == 0) {
		c->blocked = true;
		w->next_due[c->index] = s->heap[0].at_ns;
		heap_pop(s);
		return;
	}
	issue(w, c, c->room_ns);
	s->heap[0].at_ns += gen_gap_ns(w->config->arrivals, s->mean_ns, &s->rng);
	sift_down(s);
}

static void issue_next(struct engine_worker *w)
{
	struct worker_schedule *s = &w->schedule;
	struct conn *c = next_ready(w);

	if (!c) {
		s->starved = true;
		return;
	}
	issue(w, c, s->room_ns);
	s->next_ns += gen_gap_ns(w->config->arrivals, s->mean_ns, &s->rng);
	if (conn_room(w, c) > 0 && !w->config->per_request)
		queue_ready(w, c);
}

void pace_send_due(struct engine_worker *w, uint64_t now)
{
	while (w->due_ns <= now) {
		if (w->schedule.heap)
			issue_own(w);
		else
			issue_next(w);
		set_due(w);
	}
	pace_flush(w);
}

void pace_flush(struct engine_worker *w)
{
	for (uint32_t i = 0; i < w->ndirty; i++) {
		struct conn *c = &w->conns[w->dirty[i]];

		c->dirty = false;
		w->now_ns = clock_now_ns();
		if (c->inflight == 0)
			continue; /* broken since */
		if (w->config->per_request)
			conn_open(w, c, w->now_ns);
		else
			conn_flush(w, c, w->now_ns);
	}
	w->ndirty = 0;
}

/*
 * How late timers wake us, as a running 97 % quantile: a rare long delay (another task had the CPU) must not
 * make us spin for it ever after.
 */
static void calibrate(struct engine_worker *w, uint64_t late)
{
	struct worker_schedule *s = &w->schedule;

	if (late + SPIN_MIN_NS > s->spin_ns)
		s->spin_ns += 32 * SPIN_STEP_NS;
	else if (s->spin_ns > SPIN_MIN_NS)
		s->spin_ns -= SPIN_STEP_NS;
	if (s->spin_ns > w->config->spin_max_ns)
		s->spin_ns = w->config->spin_max_ns;
}

static int wait_closed(struct engine_worker *w, uint64_t until_ns)
{
	uint64_t left = until_ns > w->now_ns ? until_ns - w->now_ns : 0;

	return epoll_wait(w->epoll, w->events, EVENTS_MAX, (int)((left + NS_PER_MS - 1) / NS_PER_MS));
}

int pace_wait(struct engine_worker *w, uint64_t until_ns)
{
	bool due = w->due_ns < until_ns;
	uint64_t target = due ? w->due_ns : until_ns, now, left;
	struct timespec ts;
	int n;

	if (!w->open_loop)
		return wait_closed(w, until_ns);
	now = clock_now_ns();
	left = target > now ? target - now : 0;
	if (due)
		left = left > w->schedule.spin_ns ? left - w->schedule.spin_ns : 0;
	if (left == 0)
		return epoll_wait(w->epoll, w->events, EVENTS_MAX, 0);
	ts = (struct timespec){ .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S) };
	n = epoll_pwait2(w->epoll, w->events, EVENTS_MAX, &ts, NULL);
	if (n == 0 && due)
		calibrate(w, clock_now_ns() - now - left);
	return n;
}

uint64_t pace_backlog(struct engine_worker *w)
{
	struct worker_schedule *s = &w->schedule;
	uint64_t n = 0;

	if (!w->open_loop)
		return 0;
	for (uint32_t i = 0; s->heap && i < w->nconns; i++)
		if (w->conns[i].blocked)
			heap_push(s, (struct due){ .at_ns = w->next_due[i], .conn = i });
	for (;; n++) {
		double *at = s->heap ? &s->heap[0].at_ns : &s->next_ns;

		if (*at >= (double)w->end_ns)
			return n;
		*at += gen_gap_ns(w->config->arrivals, s->mean_ns, &s->rng);
		if (s->heap)
			sift_down(s);
	}
}

double pace_behind_ns(const struct engine_worker *w, uint64_t now)
{
	const struct worker_schedule *s = &w->schedule;
	double next = (double)now;

	if (!w->open_loop)
		return 0;
	if (!s->heap)
		return s->next_ns < next ? (double)now - s->next_ns : 0;
	if (s->n > 0 && s->heap[0].at_ns < next)
		next = s->heap[0].at_ns;
	for (uint32_t i = 0; i < w->nconns; i++)
		if (w->conns[i].blocked && w->next_due[i] < next)
			next = w->next_due[i];
	return (double)now - next;
}
