/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What test_journal.c and test_undo.c share: a state folder of their own, and small helpers. */
#ifndef VTAX_TEST_JOURNAL_FIXTURE_H
#define VTAX_TEST_JOURNAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "host/journal.h"
#include "host/mountinfo.h"
#include "host/tree.h"
#include "host/undo.h"

#include <fcntl.h>
#include <sys/stat.h>

static char base[64];  /* a folder of this test */
static char state[80]; /* $VTAX_STATE in it */

static inline int setup(void **arg)
{
	snprintf(base, sizeof base, "/tmp/vtax-test-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(state, sizeof state, "%s/state", base);
	setenv("VTAX_STATE", state, 1);
	return 0;
}

static inline int teardown(void **arg)
{
	struct vt_err err = { 0 };
	int r = mountinfo_detach(base, true, &err);

	if (r == 0)
		r = tree_remove("/tmp", base, NULL, &err);
	if (r < 0)
		print_error("%s\n", err.msg);
	return r;
}

static inline void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static inline void ok(int r, const struct vt_err *err)
{
	if (r < 0)
		fail_msg("%d: %s", r, err->msg);
}

static inline void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline bool there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* "DIR/NAME" in one of a few static buffers. */
static inline const char *in(const char *dir, const char *name)
{
	static char text[4][256];
	static unsigned next;
	char *t = text[next++ % 4];
	char joined[sizeof text[0]]; /* dir may itself be one of the buffers */

	snprintf(joined, sizeof joined, "%s/%s", dir, name);
	return memcpy(t, joined, sizeof joined);
}

static inline struct journal *begin(const char *id)
{
	struct vt_err err = { 0 };
	struct journal *j = NULL;

	ok(journal_create(&j, id, &err), &err);
	return j;
}

static inline struct journal_clean clean(int dry_run)
{
	struct vt_err err = { 0 };
	struct journal_clean c;

	ok(journal_clean(&c, dry_run, NULL, &err), &err);
	return c;
}

#endif
