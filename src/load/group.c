/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads stay joinable and are joined by whoever spawns or releases next, so that a signal never goes to a
 * thread that is gone: under the lock, a thread that has not said `done` is alive.
 */
#include "load/group.h"
#include "base/clock.h"
#include "base/xalloc.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define WAKE_SIGNAL SIGUSR2
#define WAKE_EVERY_NS (5 * NS_PER_MS)
#define STACK_BYTES (256 * 1024)

struct group_thread {
	struct group_thread *next;
	struct group *group;
	pthread_t id;
	void (*fn)(void *arg);
	void *arg;
	char name[16];
	bool done;
};

static void nothing(int sig)
{
}

static void install(void)
{
	struct sigaction sa = { .sa_handler = nothing }; /* no SA_RESTART: that is the point */

	sigemptyset(&sa.sa_mask);
	sigaction(WAKE_SIGNAL, &sa, NULL);
}

void group_init(struct group *g)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_condattr_t attr;

	pthread_once(&once, install);
	memset(g, 0, sizeof *g);
	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->ended, &attr);
	pthread_condattr_destroy(&attr);
	atomic_init(&g->stopping, false);
}

static void *thread_main(void *arg)
{
	struct group_thread *t = arg;
	struct group *g = t->group;
	sigset_t wake;

	sigemptyset(&wake);
	sigaddset(&wake, WAKE_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);
	pthread_setname_np(pthread_self(), t->name);
	t->fn(t->arg);
	pthread_mutex_lock(&g->lock);
	t->done = true;
	g->running--;
	pthread_cond_broadcast(&g->ended);
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

/* Joins and frees the threads that have ended. The lock is held; they need it no more. */
static void reap(struct group *g)
{
	struct group_thread **at = &g->threads, *t;

	while ((t = *at)) {
		if (!t->done) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		/* It may still be unlocking, which never waits for us. */
		pthread_join(t->id, NULL);
		free(t);
	}
}

int group_spawn(struct group *g, const char *name, void (*fn)(void *arg), void *arg, struct vt_err *err)
{
	struct group_thread *t = xcalloc(1, sizeof *t);
	sigset_t all, old;
	pthread_attr_t attr;
	int rc;

	t->group = g;
	t->fn = fn;
	t->arg = arg;
	snprintf(t->name, sizeof t->name, "%s", name);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all); /* the program's own signals go to its main thread */
	pthread_mutex_lock(&g->lock);
	reap(g);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&t->id, &attr, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0) {
		t->next = g->threads;
		g->threads = t;
		g->running++;
	}
	pthread_mutex_unlock(&g->lock);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		return 0;
	free(t);
	return vt_fail(err, -rc, "cannot start thread '%s': %s", name, strerror(rc));
}

bool group_wait(struct group *g, uint64_t deadline_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};
	bool none;

	pthread_mutex_lock(&g->lock);
	while (g->running > 0)
		if (pthread_cond_timedwait(&g->ended, &g->lock, &ts) != 0)
			break;
	none = g->running == 0;
	pthread_mutex_unlock(&g->lock);
	return none;
}

void group_wake(struct group *g)
{
	pthread_mutex_lock(&g->lock);
	for (struct group_thread *t = g->threads; t; t = t->next)
		if (!t->done)
			pthread_kill(t->id, WAKE_SIGNAL);
	pthread_mutex_unlock(&g->lock);
}

void group_release(struct group *g)
{
	atomic_store(&g->stopping, true);
	do
		group_wake(g);
	while (!group_wait(g, clock_deadline_ns(WAKE_EVERY_NS)));
	pthread_mutex_lock(&g->lock);
	reap(g);
	pthread_mutex_unlock(&g->lock);
	pthread_cond_destroy(&g->ended);
	pthread_mutex_destroy(&g->lock);
}
