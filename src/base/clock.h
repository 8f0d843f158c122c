/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time. Monotonic nanoseconds everywhere; wall-clock time only where a person reads it.
 */
#ifndef VTAX_BASE_CLOCK_H
#define VTAX_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* CLOCK_MONOTONIC in ns; served by the vDSO, so it may be used on the measured path. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* The instant `timeout_ns` from now, for functions that take a deadline. */
static inline uint64_t clock_deadline_ns(uint64_t timeout_ns)
{
	return clock_now_ns() + timeout_ns;
}

/* Milliseconds left until `deadline_ns`, rounded up, for poll(2): 0 when it has passed. */
int clock_poll_ms(uint64_t deadline_ns);

/* Sleeps until the instant or until a signal arrives; returns 0 or -EINTR. */
int clock_sleep_until(uint64_t deadline_ns);

/* UTC now as "2026-11-20T04:56:11Z". */
#define CLOCK_ISO_LEN 21
void clock_iso_utc(char out[CLOCK_ISO_LEN]);

#endif
