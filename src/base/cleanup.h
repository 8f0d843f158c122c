/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scoped ownership. A variable marked with one of these is released when it leaves scope; `steal_*` hands
 * the value on to a new owner. Every destructor accepts the "nothing here" value (NULL, -1).
 */
#ifndef VTAX_BASE_CLEANUP_H
#define VTAX_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void cleanup_freep(void *p)
{
	int saved = errno;
	void **pp = p;

	free(*pp);
	*pp = NULL;
	errno = saved;
}

static inline void cleanup_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void cleanup_fclosep(FILE **f)
{
	int saved = errno;

	if (*f)
		fclose(*f);
	*f = NULL;
	errno = saved;
}

static inline void cleanup_closedirp(DIR **d)
{
	int saved = errno;

	if (*d)
		closedir(*d);
	*d = NULL;
	errno = saved;
}

#define _cleanup_free_ _cleanup_(cleanup_freep)
#define _cleanup_close_ _cleanup_(cleanup_closep)
#define _cleanup_fclose_ _cleanup_(cleanup_fclosep)
#define _cleanup_closedir_ _cleanup_(cleanup_closedirp)

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#define steal_ptr(p)                                                                                       \
	({                                                                                                 \
		__typeof__(p) *_pp = &(p);                                                                 \
		__typeof__(p) _v = *_pp;                                                                   \
		*_pp = NULL;                                                                               \
		_v;                                                                                        \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
