/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A group of threads that block in system calls and can all be made to end.
 *
 * Blocking sockets are the fastest path, so a thread is not told to end through a descriptor it would have
 * to poll, nor by a socket timeout that arms a timer at every receive: it is sent a signal whose handler
 * does nothing, until it has noticed. A system call then fails with EINTR, and whoever sees EINTR asks
 * group_stopping() (or its crew). The signal is repeated because one may arrive just before the call blocks.
 */
#ifndef VTAX_LOAD_GROUP_H
#define VTAX_LOAD_GROUP_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct group_thread;

struct group {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct group_thread *threads;
	unsigned running;
	atomic_bool stopping;
};

void group_init(struct group *g);

/* Starts fn(arg); `name` (up to 15 characters) is what ps shows. -EAGAIN when there are no more threads. */
int group_spawn(struct group *g, const char *name, void (*fn)(void *arg), void *arg, struct vt_err *err);

static inline bool group_stopping(struct group *g)
{
	return atomic_load_explicit(&g->stopping, memory_order_relaxed);
}

/* Waits until no thread runs, at most until the instant. True when none runs. */
bool group_wait(struct group *g, uint64_t deadline_ns);

/* Interrupts every thread's blocking call once. */
void group_wake(struct group *g);

/* Sets stopping, wakes until every thread has ended, joins them. The group can be used again after init. */
void group_release(struct group *g);

#endif
