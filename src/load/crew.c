/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who writes what: a worker writes its own struct; the coordinator writes the windows and the gate; `why` is
 * set once, by whoever first finds a reason to stop. Results are read after every thread has ended.
 */
#include "load/crew.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <sched.h>
#include <string.h>

#define LOOK_EVERY_NS (100 * NS_PER_MS)

static int stopped(struct crew *c)
{
	return atomic_load(&c->why);
}

static void stop(struct crew *c, int why)
{
	int none = 0;

	if (!atomic_compare_exchange_strong(&c->why, &none, why))
		return;
	pthread_mutex_lock(&c->lock);
	atomic_store(&c->until[PHASE_WARMUP], 0);
	atomic_store(&c->until[PHASE_MEASURE], 0);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/* --- workers --- */

uint64_t worker_begin(struct worker *w, enum phase phase)
{
	w->ops = w->bytes = w->lost = w->waits = 0;
	if (w->latency && w->latency->n)
		hist_init(w->latency);
	ticks_begin(&w->ticks, w->crew->begin_ns);
	w->start_ns = clock_now_ns();
	return w->start_ns;
}

/* "'198.18.0.2' port 5001", for errors; ICMP has no port. */
static const char *place(const struct kernel_params *p, char out[96])
{
	if (p->port)
		snprintf(out, 96, "'%s' port %u", p->address, p->port);
	else
		snprintf(out, 96, "'%s'", p->address);
	return out;
}

int worker_failed(struct worker *w, int rc, const char *doing, struct vt_err *err)
{
	char where[96];

	if (rc == -EINTR && worker_stopped(w))
		return rc;
	if (rc == -ECONNRESET || rc == -EPIPE)
		return vt_fail(
			err, rc, "%s %s failed: the server closed the connection", doing, place(w->p, where));
	return vt_fail(err, rc, "%s %s failed: %s", doing, place(w->p, where), strerror(-rc));
}

int worker_buffer(struct worker *w, size_t bytes, struct vt_err *err)
{
	void *p;

	if (w->buffer_bytes >= bytes)
		return 0;
	p = sock_buffer(bytes);
	if (!p)
		return vt_fail(err, -ENOMEM, "no memory for messages of %zu bytes", bytes);
	sock_buffer_free(w->buffer, w->buffer_bytes);
	w->buffer = p;
	w->buffer_bytes = bytes;
	return 0;
}

/* Waits for the others and for the coordinator. */
static int gate(struct worker *w, unsigned number)
{
	struct crew *c = w->crew;

	pthread_mutex_lock(&c->lock);
	c->waiting++;
	pthread_cond_broadcast(&c->changed);
	while (c->opened < number && !stopped(c))
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
	return stopped(c) ? -EINTR : 0;
}

static int measure(struct worker *w)
{
	const struct crew_job *job = w->crew->job;
	bool warm = w->p->warmup_ns > 0;
	unsigned gates = 0;
	int rc = 0;

	if (warm || !job->fresh_connection) {
		rc = job->connect(w, PHASE_WARMUP, &w->err);
		if (rc == 0)
			rc = gate(w, ++gates);
		if (rc == 0 && warm)
			rc = job->traffic(w, PHASE_WARMUP, &w->err);
	}
	if (rc == 0 && job->fresh_connection) {
		cleanup_closep(&w->fd);
		rc = job->connect(w, PHASE_MEASURE, &w->err);
		if (rc == 0)
			rc = gate(w, ++gates);
	}
	if (rc == 0)
		rc = job->traffic(w, PHASE_MEASURE, &w->err);
	return rc;
}

static void worker_main(void *arg)
{
	struct worker *w = arg;

	w->rc = measure(w);
	w->cpu = sched_getcpu();
	cleanup_closep(&w->fd);
	if (w->rc < 0)
		stop(w->crew, -ECANCELED);
}

/* --- coordinator --- */

/* Has anything happened that ends the run? Called at least every LOOK_EVERY_NS. */
static bool look(struct crew *c)
{
	if (c->out->cancel && __atomic_load_n(c->out->cancel, __ATOMIC_RELAXED))
		stop(c, -EINTR);
	return stopped(c) != 0;
}

static void timespec_of(struct timespec *ts, uint64_t ns)
{
	ts->tv_sec = (time_t)(ns / NS_PER_S);
	ts->tv_nsec = (long)(ns % NS_PER_S);
}

/* Waits until every worker stands at the gate; the caller opens it. */
static bool gather(struct crew *c, uint64_t deadline_ns)
{
	bool all = false;

	while (!all && !look(c)) {
		uint64_t now = clock_now_ns(), until = now + LOOK_EVERY_NS;
		struct timespec ts;

		if (now >= deadline_ns) {
			stop(c, -ETIMEDOUT);
			break;
		}
		timespec_of(&ts, until < deadline_ns ? until : deadline_ns);
		pthread_mutex_lock(&c->lock);
		if (c->waiting < c->p->streams && !stopped(c))
			pthread_cond_timedwait(&c->changed, &c->lock, &ts);
		all = c->waiting == c->p->streams;
		pthread_mutex_unlock(&c->lock);
	}
	return all && !stopped(c);
}

static void open_gate(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	c->waiting = 0;
	c->opened++;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

struct watch {
	uint64_t seen[KERNEL_STREAMS_MAX], since_ns[KERNEL_STREAMS_MAX];
};

/* A worker that has ended looks stalled too, but then the others end within a transaction, or are stalled. */
static void watch_progress(struct crew *c, struct watch *v, uint64_t now)
{
	for (unsigned i = 0; i < c->p->streams; i++) {
		uint64_t value = atomic_load_explicit(&c->workers[i].progress, memory_order_relaxed);

		if (v->since_ns[i] == 0 || value != v->seen[i]) {
			v->seen[i] = value;
			v->since_ns[i] = now;
		} else if (now - v->since_ns[i] > c->job->stall_ns) {
			stop(c, -ETIMEDOUT);
		}
	}
}

/* Sleeps while the workers work; false when it is over early. */
static bool sleep_until(struct crew *c, struct watch *v, uint64_t until_ns)
{
	uint64_t now;

	while (!look(c) && (now = clock_now_ns()) < until_ns) {
		watch_progress(c, v, now);
		clock_sleep_until(now + LOOK_EVERY_NS < until_ns ? now + LOOK_EVERY_NS : until_ns);
	}
	return !stopped(c);
}

static void wait_ended(struct crew *c, struct watch *v)
{
	while (!group_wait(&c->group, clock_deadline_ns(LOOK_EVERY_NS))) {
		if (look(c))
			return; /* group_release() wakes them */
		watch_progress(c, v, clock_now_ns());
	}
}

static void coordinate(struct crew *c)
{
	const struct kernel_params *p = c->p;
	const bool fresh = c->job->fresh_connection;
	struct watch v = { .since_ns = { 0 } };
	uint64_t now;

	if (!fresh || p->warmup_ns > 0) {
		if (!gather(c, clock_deadline_ns(c->job->connect_ns)))
			return;
		now = clock_now_ns();
		c->begin_ns = now + p->warmup_ns;
		atomic_store(&c->until[PHASE_WARMUP], c->begin_ns);
		if (!fresh)
			atomic_store(&c->until[PHASE_MEASURE], c->begin_ns + p->duration_ns);
		open_gate(c);
		if (!sleep_until(c, &v, c->begin_ns))
			return;
	}
	if (fresh) {
		if (!gather(c, clock_deadline_ns(c->job->connect_ns + c->job->stall_ns)))
			return;
		c->out->mark(c->out->arg, 0);
		c->begin_ns = clock_now_ns();
		atomic_store(&c->until[PHASE_MEASURE], c->begin_ns + p->duration_ns);
		memset(&v, 0, sizeof v);
		open_gate(c);
	} else {
		c->out->mark(c->out->arg, 0);
	}
	if (!sleep_until(c, &v, c->begin_ns + p->duration_ns))
		return;
	wait_ended(c, &v);
	if (!stopped(c))
		c->out->mark(c->out->arg, 1);
}

static int explain(struct crew *c, struct vt_err *err)
{
	const struct kernel_params *p = c->p;
	int why = stopped(c);
	char where[96];

	for (unsigned i = 0; i < p->streams; i++)
		if (c->workers[i].rc < 0 && c->workers[i].err.code) {
			if (err)
				*err = c->workers[i].err;
			return c->workers[i].rc;
		}
	if (why == -EINTR)
		return vt_fail(err, -EINTR, "cancelled");
	if (why == -ETIMEDOUT)
		return vt_fail(err, -ETIMEDOUT, "no %s %s for %.1f s: is the server running and reachable?",
			c->job->verb, place(p, where),
			(double)(c->opened ? c->job->stall_ns : c->job->connect_ns) / 1e9);
	return why ? vt_fail(err, why, "measuring ended early: %s", strerror(-why)) : 0;
}

static int make_worker(struct crew *c, unsigned i, struct vt_err *err)
{
	struct worker *w = &c->workers[i];
	uint64_t ticks = c->p->tick_ns ? c->p->duration_ns / c->p->tick_ns : 0;

	w->latency = malloc(sizeof *w->latency);
	if (!w->latency || ticks_init(&w->ticks, c->p->tick_ns, (uint32_t)ticks) < 0)
		return vt_fail(err, -ENOMEM, "no memory for %u streams", c->p->streams);
	hist_init(w->latency);
	return 0;
}

int crew_run(struct crew *c, const struct kernel_params *p, const struct crew_job *job,
	const struct kernel_sink *out, struct vt_err *err)
{
	pthread_condattr_t attr;
	int rc = 0;

	memset(c, 0, sizeof *c);
	c->params = *p;
	c->duty = *job;
	c->p = &c->params;
	c->job = &c->duty;
	c->out = out;
	c->workers = aligned_alloc(128, p->streams * sizeof *c->workers);
	if (!c->workers)
		return vt_fail(err, -ENOMEM, "no memory for %u streams", p->streams);
	memset(c->workers, 0, p->streams * sizeof *c->workers);
	group_init(&c->group);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	for (unsigned i = 0; i < p->streams; i++) {
		c->workers[i].crew = c;
		c->workers[i].p = c->p;
		c->workers[i].index = i;
		c->workers[i].fd = -1;
		if (rc == 0)
			rc = make_worker(c, i, err);
	}
	for (unsigned i = 0; i < p->streams && rc == 0; i++)
		rc = group_spawn(&c->group, "vtax-load", worker_main, &c->workers[i], err);
	if (rc == 0)
		coordinate(c);
	else
		stop(c, rc);
	group_release(&c->group);
	return rc < 0 ? rc : explain(c, err);
}

void crew_release(struct crew *c)
{
	if (!c->workers)
		return;
	for (unsigned i = 0; i < c->p->streams; i++) {
		cleanup_closep(&c->workers[i].fd);
		free(c->workers[i].latency);
		ticks_release(&c->workers[i].ticks);
		sock_buffer_free(c->workers[i].buffer, c->workers[i].buffer_bytes);
	}
	free(c->workers);
	c->workers = NULL;
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
}

/* --- results --- */

uint64_t crew_ops(const struct crew *c)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < c->p->streams; i++)
		n += c->workers[i].ops;
	return n;
}

uint64_t crew_elapsed_ns(const struct crew *c)
{
	uint64_t last = c->begin_ns;

	for (unsigned i = 0; i < c->p->streams; i++)
		if (c->workers[i].stop_ns > last)
			last = c->workers[i].stop_ns;
	return last - c->begin_ns;
}

void crew_report_transactions(struct crew *c)
{
	struct hist *all = c->workers[0].latency;
	double rate = 0;

	for (unsigned i = 0; i < c->p->streams; i++) {
		const struct worker *w = &c->workers[i];

		/* Each over its own time, which is a transaction longer than the window at most. */
		if (w->stop_ns > w->start_ns)
			rate += (double)w->ops * 1e9 / (double)(w->stop_ns - w->start_ns);
		if (i > 0)
			hist_merge(all, w->latency);
	}
	c->out->ops(c->out->arg, crew_ops(c));
	c->out->metric(c->out->arg, "transactions_per_s", rate);
	c->out->hist(c->out->arg, "latency", all);
}

void crew_report_common(struct crew *c, uint64_t asked_tick_ns)
{
	const struct kernel_params *p = c->p;
	_cleanup_free_ double *rate = NULL;
	uint32_t n = UINT32_MAX;

	if (c->out->cpu)
		c->out->cpu(c->out->arg, c->workers[0].cpu);
	if (p->tick_ns == 0)
		return;
	rate = calloc(KERNEL_TICKS_MAX, sizeof *rate);
	if (!rate)
		return;
	for (unsigned i = 0; i < p->streams; i++) {
		uint32_t have = ticks_add_rates(&c->workers[i].ticks, c->job->bytes ? 8.0 : 1.0, rate);

		n = have < n ? have : n;
	}
	c->out->series(c->out->arg, "rate", rate, n);
	if (p->tick_ns != asked_tick_ns)
		c->out->metric(c->out->arg, "tick_ns", (double)p->tick_ns);
}
