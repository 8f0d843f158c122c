/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Undoes what dead campaigns left. Several cleaners may run at once, and beside a live campaign: whoever gets
 * the lock on a journal works on it, and finds it unlinked when another has finished before. A journal that
 * cannot be undone wholly stays, with what is left in it.
 */
#include "host/journal_internal.h"

#include "base/cleanup.h"
#include "base/strvec.h"
#include "base/xalloc.h"
#include "host/tree.h"
#include "host/undo.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

struct cleaning {
	struct journal_clean *result;
	void (*say)(const char *line);
	struct vt_err *err;
	char state[PATH_MAX];
	char boot_id[JOURNAL_BOOT_ID_MAX];
	bool dry_run;
};

__attribute__((format(printf, 2, 3))) static void tell(const struct cleaning *c, const char *fmt, ...)
{
	struct vt_err line = { 0 };
	va_list ap;

	if (!c->say)
		return;
	va_start(ap, fmt);
	vsnprintf(line.msg, sizeof line.msg, fmt, ap);
	va_end(ap);
	vt_err_sanitize(&line); /* arguments hold separators, and whatever an enemy wrote */
	c->say(line.msg);
}

static void failed(struct cleaning *c, const char *id, struct vt_err *why)
{
	vt_err_sanitize(why);
	tell(c, "campaign '%s': %s", id, why->msg);
	if (c->result->failed++ == 0 && c->err) {
		*c->err = *why;
		vt_wrap(c->err, "campaign '%s'", id);
	}
}

/* A folder without a journal: its maker died within the first milliseconds, or is at work right now. */
static void clean_unborn(struct cleaning *c, const char *id, const char *dir)
{
	struct vt_err why = { 0 };
	char path[PATH_MAX + 64];
	int lock = -1;

	if (journal_lock_state(&lock, c->state, "clean", NULL) < 0) {
		c->result->alive++;
		return;
	}
	snprintf(path, sizeof path, "%s/journal", dir);
	if (access(path, F_OK) == 0 || access(dir, F_OK) < 0) {
		journal_unlock_state(&lock); /* it has been born, or buried, meanwhile */
		return;
	}
	if (c->dry_run || tree_remove(c->state, dir, NULL, &why) == 0) {
		tell(c, "campaign '%s': only its folder", id);
		c->result->undone++;
	} else {
		failed(c, id, &why);
	}
	journal_unlock_state(&lock);
}

/* Reads what the descriptor holds, from its start. */
static int read_text(struct journal *j, struct vt_err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(JOURNAL_SIZE_MAX + 1);
	char chunk[16384];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = pread(j->fd, chunk, sizeof chunk, (off_t)text.len)) != 0)
		r = n < 0 ? -errno : buf_add(&text, chunk, (size_t)n);
	if (r < 0)
		return vt_fail(err, r, "cannot read the journal '%s/journal': %s", j->dir, strerror(-r));
	journal_text_release(&j->text);
	r = journal_parse(&j->text, buf_str(&text), text.len);
	if (r < 0)
		return vt_fail(err, r,
			"'%s/journal' is no journal that this version understands; look at it, then "
			"remove '%s' by hand",
			j->dir, j->dir);
	return 0;
}

/* 1: ours, locked and read. 0: nothing to do here. Negative: *err says why. */
static int take(struct cleaning *c, struct journal *j, const char *id, struct vt_err *err)
{
	char path[PATH_MAX + 64];
	struct stat st;
	int r;

	snprintf(path, sizeof path, "%s/journal", j->dir);
	j->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (j->fd < 0 && errno == ENOENT) {
		clean_unborn(c, id, j->dir);
		return 0;
	}
	if (j->fd < 0)
		return vt_fail_errno(err, "cannot open the journal '%s'", path);
	if (fstat(j->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return vt_fail(err, -EPERM,
			"refusing the journal '%s': it is not a file that only we could have "
			"written; look at it, then remove '%s' by hand",
			path, j->dir);
	read_text(j, NULL); /* for the owner's name only: it may still be written to */
	r = journal_flock(j->fd, j->text.owner_pid, j->text.owner_start);
	if (r == -EWOULDBLOCK) {
		c->result->alive++;
		tell(c, "campaign '%s' is running (process %" PRIu64 ")", id, j->text.owner_pid);
		return 0;
	}
	if (r < 0)
		return vt_fail(err, r, "cannot lock the journal '%s': %s", path, strerror(-r));
	if (fstat(j->fd, &st) == 0 && st.st_nlink == 0)
		return 0; /* another cleaner was faster */
	r = read_text(j, err);
	return r < 0 ? r : 1;
}

static void list(struct cleaning *c, const struct journal *j, const char *id)
{
	for (size_t i = j->text.n; i-- > 0;)
		tell(c, "campaign '%s': %s %s", id, undo_kind_name(j->text.entries[i].kind),
			j->text.entries[i].arg);
	c->result->undone++;
	c->result->entries += j->text.n;
}

static int undo_dead(struct cleaning *c, struct journal *j, struct vt_err *err)
{
	bool same_boot = !strcmp(j->text.boot_id, c->boot_id);
	int r = journal_undo_entries(j, 0, same_boot, &c->result->entries, err);

	if (r == 0 && j->text.damaged)
		r = vt_fail(err, -EBADMSG,
			"line %zu of '%s/journal' is damaged (%zu in all); the rest is undone; look at "
			"it, then remove '%s' by hand",
			j->text.first_damaged_line, j->dir, j->text.damaged, j->dir);
	return r < 0 ? r : journal_remove_dir(j, err);
}

static void clean_one(struct cleaning *c, const char *id)
{
	struct journal *j = xcalloc(1, sizeof *j);
	struct vt_err why = { 0 };
	size_t before = c->result->entries;
	int r = 0;

	j->fd = j->lock = -1;
	snprintf(j->state, sizeof j->state, "%s", c->state);
	if (snprintf(j->dir, sizeof j->dir, "%s/campaigns/%s", c->state, id) < (int)sizeof j->dir)
		r = take(c, j, id, &why);
	if (r > 0 && c->dry_run) {
		list(c, j, id);
	} else if (r > 0) {
		r = undo_dead(c, j, &why);
		if (r == 0) {
			c->result->undone++;
			tell(c, "campaign '%s': %zu changes undone", id, c->result->entries - before);
		}
	}
	if (r < 0)
		failed(c, id, &why);
	journal_free(j);
}

/* What is not a campaign's folder was not put there by us, and stays. */
static int list_campaigns(const char *state, struct strvec *ids, struct vt_err *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	char path[PATH_MAX + 16];
	struct dirent *e;
	int fd;

	snprintf(path, sizeof path, "%s/campaigns", state);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : vt_fail_errno(err, "cannot open '%s'", path);
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return vt_fail_errno(err, "cannot list '%s'", path);
	}
	while ((e = readdir(d))) {
		struct stat st;

		if (journal_id_is_plain(e->d_name) &&
			fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			strvec_push(ids, e->d_name);
	}
	return 0;
}

int journal_clean(
	struct journal_clean *result, int dry_run, void (*say)(const char *line), struct vt_err *err)
{
	_cleanup_strvec_ struct strvec ids = STRVEC_INIT;
	struct cleaning c = { .result = result, .say = say, .err = err, .dry_run = dry_run != 0 };
	int lock = -1, r;

	*result = (struct journal_clean){ 0 };
	r = journal_find_state(c.state, false, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	journal_boot_id(c.boot_id);
	r = list_campaigns(c.state, &ids, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ids.n; i++)
		clean_one(&c, ids.v[i]);
	if (result->undone && !c.dry_run && journal_lock_state(&lock, c.state, "clean", NULL) == 0) {
		rmdir(UNDO_RUN_DIR); /* when it is empty */
		journal_unlock_state(&lock);
	}
	return 0;
}
