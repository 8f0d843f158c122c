/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files and locks of the undo journal; its text is journal_format.c, one undo is undo.c, looking after dead
 * campaigns is journal_clean.c.
 *
 * Two locks, both flock(2) and both released by the kernel however the process ends. STATE/lock is held for a
 * campaign's life, so that there is one at a time; the lock on the campaign's own journal tells `vtax clean`
 * whether it is alive. A journal appears under its name only once it is complete and locked ("journal.new",
 * then rename), so that whoever finds one unlocked knows that its owner is dead.
 *
 * Order on disk is the promise: an entry is durable before journal_add() returns, and an entry is cut off
 * only after its undo is done. A crash at any point leaves at worst an entry whose undo finds nothing to do.
 */
#include "host/journal_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "host/mountinfo.h"
#include "host/tree.h"
#include "host/undo.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define DEFAULT_STATE "/var/lib/vtax"
#define STALE_LOCK_NS (2 * NS_PER_S) /* how long the children of a killed owner may keep its lock */

/* $VTAX_STATE or the default, absolute, not necessarily there. */
static int state_wanted(char out[PATH_MAX], struct vt_err *err)
{
	const char *env = getenv("VTAX_STATE");
	char cwd[PATH_MAX] = "";
	int n;

	if (!env || !env[0])
		env = DEFAULT_STATE;
	if (env[0] != '/' && !getcwd(cwd, sizeof cwd))
		return vt_fail_errno(err, "cannot tell the current folder");
	n = snprintf(out, PATH_MAX, "%s%s%s", cwd, cwd[0] ? "/" : "", env);
	return n < PATH_MAX ? 0 : vt_fail(err, -ENAMETOOLONG, "the path of VTAX_STATE is too long");
}

int journal_find_state(char out[PATH_MAX], bool make, struct vt_err *err)
{
	char wanted[PATH_MAX];
	struct stat st;
	int r = state_wanted(wanted, err);

	if (r < 0)
		return r;
	if (make && access(wanted, F_OK) < 0) {
		r = tree_make(wanted, 0700, err);
		if (r < 0)
			return vt_wrap(err, "cannot keep state (VTAX_STATE chooses another folder)");
	}
	if (!realpath(wanted, out)) {
		r = errno == ENOENT ? -ENOENT
				    : vt_fail_errno(err, "cannot use the state folder '%s'", wanted);
		return r;
	}
	if (stat(out, &st) < 0)
		return vt_fail_errno(err, "cannot use the state folder '%s'", out);
	if (!S_ISDIR(st.st_mode) || !strcmp(out, "/"))
		return vt_fail(
			err, -ENOTDIR, "cannot use '%s' as the state folder; set VTAX_STATE to another", out);
	/* Whoever can write here can have us undo things. */
	if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 022))
		return vt_fail(err, -EPERM,
			"the state folder '%s' can be written by other users; chown and chmod 700 it", out);
	return 0;
}

const char *journal_state_dir(void)
{
	static _Thread_local char dir[PATH_MAX];

	if (journal_find_state(dir, true, NULL) < 0 && state_wanted(dir, NULL) < 0)
		return DEFAULT_STATE;
	return dir;
}

void journal_boot_id(char out[JOURNAL_BOOT_ID_MAX])
{
	_cleanup_buf_ struct buf text = BUF_INIT(256);

	buf_read_file(&text, "/proc/sys/kernel/random/boot_id", NULL);
	snprintf(out, JOURNAL_BOOT_ID_MAX, "%.*s", (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
	if (!out[0])
		snprintf(out, JOURNAL_BOOT_ID_MAX, "0");
}

bool journal_id_is_plain(const char *id)
{
	size_t n = strlen(id);

	if (n == 0 || n > JOURNAL_ID_MAX)
		return false;
	for (; *id; id++)
		if (!islower((unsigned char)*id) && !isdigit((unsigned char)*id) && *id != '-' && *id != '_')
			return false;
	return true;
}

/*
 * Tries the lock. A child that was about to exec when its parent was killed keeps the parent's lock for a
 * moment: when the owner is dead, wait for that. Returns 0, -EWOULDBLOCK or another negative errno.
 */
int journal_flock(int fd, uint64_t owner_pid, uint64_t owner_start)
{
	uint64_t deadline = clock_deadline_ns(STALE_LOCK_NS), start;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return -errno;
		if (owner_pid == 0 || owner_pid > INT32_MAX ||
			(undo_start_time((pid_t)owner_pid, &start, NULL) == 0 && start == owner_start) ||
			clock_now_ns() >= deadline)
			return -EWOULDBLOCK;
		clock_sleep_until(clock_deadline_ns(5 * NS_PER_MS));
	}
	return 0;
}

/* Who holds STATE/lock, as it says itself. */
static void read_holder(int fd, char id[JOURNAL_ID_MAX + 1], uint64_t *pid, uint64_t *start)
{
	char text[128];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	*pid = *start = 0;
	snprintf(id, JOURNAL_ID_MAX + 1, "?");
	if (n <= 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "%31[a-z0-9_-] %" SCNu64 " %" SCNu64, id, pid, start) != 3)
		*pid = 0;
}

int journal_lock_state(int *out, const char *state, const char *id, struct vt_err *err)
{
	char path[PATH_MAX + 8], text[128], other[JOURNAL_ID_MAX + 1];
	_cleanup_close_ int fd = -1;
	uint64_t pid, start = 0;
	int r, n;

	snprintf(path, sizeof path, "%s/lock", state);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return vt_fail_errno(err, "cannot open the lock '%s'", path);
	read_holder(fd, other, &pid, &start);
	r = journal_flock(fd, pid, start);
	if (r == -EWOULDBLOCK) {
		read_holder(fd, other, &pid, &start);
		return vt_fail(err, -EBUSY,
			"campaign '%s' (process %" PRIu64 ") is running, and two at once would "
			"disturb each other's measurements; wait for its end, or end it",
			other, pid);
	}
	if (r < 0)
		return vt_fail(err, r, "cannot lock '%s': %s", path, strerror(-r));
	undo_start_time(getpid(), &start, NULL);
	n = snprintf(text, sizeof text, "%s %d %" PRIu64 "\n", id, (int)getpid(), start);
	/* Only for the message above: a full disk must not stop anybody here. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) < 0)
		errno = 0;
	*out = steal_fd(&fd);
	return 0;
}

void journal_unlock_state(int *fd)
{
	if (*fd >= 0 && ftruncate(*fd, 0) < 0)
		errno = 0;
	cleanup_closep(fd);
}

static int sync_dir(const char *path, struct vt_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* Some file systems cannot sync a folder (EINVAL); they give no order to rely on anyway. */
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		return vt_fail_errno(err, "cannot make '%s' durable", path);
	return 0;
}

/* Appends at j->text.end, durably; on failure the file is cut back, so that no torn line stays inside it. */
static int append(struct journal *j, const struct buf *line, struct vt_err *err)
{
	size_t done = 0;
	int r = line->failed ? -ENOMEM : 0;

	while (r == 0 && done < line->len) {
		ssize_t n = pwrite(j->fd, line->data + done, line->len - done, (off_t)(j->text.end + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = n == 0 ? -EIO : -errno;
	}
	if (r == 0 && fdatasync(j->fd) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	if (ftruncate(j->fd, (off_t)j->text.end) < 0)
		j->broken = true;
	return vt_fail(err, r, "cannot write the undo journal '%s/journal': %s; %s", j->dir, strerror(-r),
		r == -ENOSPC || r == -EDQUOT
			? "free some space, or set VTAX_STATE to a folder on another disk"
			: "set VTAX_STATE to another folder");
}

/* The journal's file, complete with its first line, locked, under its final name. */
static int make_file(struct journal *j, struct vt_err *err)
{
	_cleanup_buf_ struct buf line = BUF_INIT(256);
	char temp[PATH_MAX + 64], path[PATH_MAX + 64];
	uint64_t start = 0;
	int r;

	snprintf(temp, sizeof temp, "%s/journal.new", j->dir);
	snprintf(path, sizeof path, "%s/journal", j->dir);
	j->fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->fd < 0)
		return vt_fail_errno(err, "cannot create the undo journal '%s'", temp);
	if (flock(j->fd, LOCK_EX | LOCK_NB) < 0)
		return vt_fail_errno(err, "cannot lock the undo journal '%s'", temp);
	journal_boot_id(j->text.boot_id);
	undo_start_time(getpid(), &start, NULL);
	journal_format_header(&line, j->text.boot_id, (uint64_t)getpid(), start);
	r = append(j, &line, err);
	if (r < 0)
		return r;
	j->text.end = j->text.header_end = line.len;
	if (rename(temp, path) < 0)
		return vt_fail_errno(err, "cannot name the undo journal '%s'", path);
	return sync_dir(j->dir, err);
}

static int make_campaign(struct journal *j, const char *id, struct vt_err *err)
{
	char campaigns[PATH_MAX + 16];
	int r;

	snprintf(campaigns, sizeof campaigns, "%s/campaigns", j->state);
	r = tree_make(campaigns, 0700, err);
	if (r < 0)
		return r;
	if (mkdir(j->dir, 0700) < 0)
		return errno == EEXIST ? vt_fail(err, -EEXIST,
						 "'%s' is left of an earlier campaign '%s'; run 'vtax "
						 "clean' first",
						 j->dir, id)
				       : vt_fail_errno(err, "cannot make the folder '%s'", j->dir);
	r = make_file(j, err);
	if (r == 0)
		r = sync_dir(campaigns, err);
	if (r == 0)
		r = sync_dir(j->state, err);
	if (r < 0)
		tree_remove(j->state, j->dir, NULL, NULL);
	return r;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	journal_text_release(&j->text);
	cleanup_closep(&j->fd);
	journal_unlock_state(&j->lock);
	free(j);
}

int journal_create(struct journal **out, const char *id, struct vt_err *err)
{
	struct journal *j = xcalloc(1, sizeof *j);
	int r;

	j->fd = j->lock = -1;
	r = journal_id_is_plain(id)
		    ? 0
		    : vt_usage(err, "'%s' is not a campaign id: use a-z, 0-9, '-' and '_'", id);
	if (r == 0)
		r = journal_find_state(j->state, true, err);
	if (r == 0)
		r = journal_lock_state(&j->lock, j->state, id, err);
	if (r == 0) {
		int n = snprintf(j->dir, sizeof j->dir, "%s/campaigns/%s", j->state, id);

		r = n < (int)sizeof j->dir
			    ? make_campaign(j, id, err)
			    : vt_fail(err, -ENAMETOOLONG, "the path of the state folder is too long");
	}
	if (r < 0) {
		journal_free(j);
		return r;
	}
	*out = j;
	return 0;
}

const char *journal_dir(const struct journal *j)
{
	return j->dir;
}

int journal_add(struct journal *j, enum undo_kind kind, const char *arg, struct vt_err *err)
{
	_cleanup_buf_ struct buf line = BUF_INIT(JOURNAL_ARG_MAX * 4 + 64);
	int r = undo_check(j->state, kind, arg, err);

	if (r < 0)
		return r;
	if (j->broken)
		return vt_fail(
			err, -EIO, "the undo journal '%s/journal' could not be written before", j->dir);
	r = journal_format_line(&line, kind, arg);
	if (r < 0)
		return vt_fail(err, r, "cannot note how to undo a change: %s", strerror(-r));
	if (j->text.end + line.len > JOURNAL_SIZE_MAX)
		return vt_fail(err, -EFBIG, "the undo journal '%s/journal' is full", j->dir);
	r = append(j, &line, err);
	if (r < 0)
		return r;
	journal_text_push(&j->text, kind, xstrdup(arg), j->text.end + line.len);
	return 0;
}

int journal_addf(struct journal *j, enum undo_kind kind, struct vt_err *err, const char *fmt, ...)
{
	_cleanup_free_ char *arg = NULL;
	va_list ap;

	va_start(ap, fmt);
	arg = xvasprintf(fmt, ap);
	va_end(ap);
	return journal_add(j, kind, arg, err);
}

int journal_add_pid(struct journal *j, pid_t pid, struct vt_err *err)
{
	uint64_t start;
	int r = undo_start_time(pid, &start, err);

	return r < 0 ? r : journal_addf(j, UNDO_PID, err, "%d %" PRIu64, (int)pid, start);
}

size_t journal_mark(const struct journal *j)
{
	return j->text.n;
}

/* Cuts the newest entry off, in memory and on disk. Not made durable: doing an undo twice is harmless. */
static void forget_last(struct journal *j)
{
	journal_text_pop(&j->text);
	if (ftruncate(j->fd, (off_t)j->text.end) < 0)
		j->broken = true;
}

int journal_undo_entries(struct journal *j, size_t mark, bool same_boot, size_t *undone, struct vt_err *err)
{
	int first = 0;

	for (size_t i = j->text.n; i-- > mark;) {
		struct journal_entry *e = &j->text.entries[i];
		struct vt_err why = { 0 };
		int r = 0;

		if (!e->done && (same_boot || !undo_is_volatile(e->kind)))
			r = undo_perform(j->state, e->kind, e->arg, &why);
		if (r < 0) {
			if (first == 0 && err)
				*err = why;
			first = first ? first : r;
			continue;
		}
		*undone += !e->done;
		e->done = true;
		if (i == j->text.n - 1)
			forget_last(j);
	}
	return first;
}

int journal_undo_to(struct journal *j, size_t mark, struct vt_err *err)
{
	size_t undone = 0;

	return journal_undo_entries(j, mark, true, &undone, err);
}

int journal_remove_dir(const struct journal *j, struct vt_err *err)
{
	char path[PATH_MAX + 64];
	int r = mountinfo_detach(j->dir, true, err);

	/* The journal goes last: as long as it is there, somebody will try again. */
	if (r == 0)
		r = tree_remove(j->state, j->dir, "journal", err);
	if (r < 0)
		return r;
	snprintf(path, sizeof path, "%s/journal", j->dir);
	if (unlink(path) < 0 && errno != ENOENT)
		return vt_fail_errno(err, "cannot remove '%s'", path);
	if (rmdir(j->dir) < 0 && errno != ENOENT)
		return vt_fail_errno(err, "cannot remove the folder '%s'", j->dir);
	return 0;
}

int journal_finish(struct journal *j, struct vt_err *err)
{
	int r;

	if (!j)
		return 0;
	r = journal_undo_to(j, 0, err);
	if (r == 0)
		r = journal_remove_dir(j, err);
	if (r == 0)
		rmdir(UNDO_RUN_DIR); /* when it is empty; the lock keeps other campaigns from needing it now
				      */
	journal_free(j);
	return r;
}
