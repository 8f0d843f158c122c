/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The undo journal: before vtax changes the host, one line that undoes the change is on disk (fsync'ed), so
 * that after any crash `vtax clean`, or the next run, can undo everything, backwards. Undoing is idempotent:
 * what is already gone counts as undone.
 *
 * Place: STATE/campaigns/ID/journal, STATE being /var/lib/vtax (or $VTAX_STATE). The first line holds the
 * format version, the kernel's boot id and the owner: kernel objects (namespaces, mounts, cgroups, processes)
 * of another boot no longer exist and are skipped; files are removed all the same. A lock on the journal
 * (flock) says that its campaign is alive; only unlocked journals are undone by others. STATE/lock is locked
 * as long as a campaign runs.
 *
 * A journal is read back as untrusted text: an undo that reaches outside what vtax may touch (below) is
 * refused, by journal_add() already. A campaign's journal belongs to one thread.
 */
#ifndef VTAX_HOST_JOURNAL_H
#define VTAX_HOST_JOURNAL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum undo_kind {
	UNDO_NETNS,  /* arg: path of a bind-mounted net namespace, "/run/netns/vtax…": unmount, unlink */
	UNDO_MOUNT,  /* arg: mount point below STATE, /run/vtax, or "/run/netns/vtax…": umount -l */
	UNDO_CGROUP, /* arg: relative path, "vtax…": kill all in it, remove */
	UNDO_PID,    /* arg: "PID STARTTIME" (field 22 of /proc/PID/stat): SIGKILL if both still match */
	UNDO_FILE,   /* arg: path of a file, where UNDO_MOUNT may reach */
	/* arg: path below STATE or /run/vtax: unmount what is below it, remove all, never crossing a mount */
	UNDO_TREE,
	/* arg: an argv joined by \x1f, run with a 10 s limit; its failure is no error (runtime delete …) */
	UNDO_COMMAND,
	/* arg: "NETNS-PATH\x1fIFNAME"; with "" (our own namespace) only names that start with "vtax" */
	UNDO_LINK,
};

struct journal; /* open and locked */

/* Where state lives, canonical; honours $VTAX_STATE. Created 0700 when missing. Valid until the next call. */
const char *journal_state_dir(void);

/*
 * Creates STATE/campaigns/ID (0700) and its journal, locked. -EBUSY with a clear message when another
 * campaign is alive: two at once would disturb each other's measurements.
 */
int journal_create(struct journal **j, const char *id, struct vt_err *err);
const char *journal_dir(const struct journal *j); /* STATE/campaigns/ID: scratch space of the campaign */

/* Writes the undo, durable on return. Call it before making the change. */
int journal_add(struct journal *j, enum undo_kind kind, const char *arg, struct vt_err *err);
int journal_addf(struct journal *j, enum undo_kind kind, struct vt_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int journal_add_pid(
	struct journal *j, pid_t pid, struct vt_err *err); /* UNDO_PID of a process that runs now */

/*
 * A position; journal_undo_to() undoes everything added after it, newest first, and forgets it. All is tried;
 * the first error is reported, and what failed is tried again by journal_finish().
 */
size_t journal_mark(const struct journal *j);
int journal_undo_to(struct journal *j, size_t mark, struct vt_err *err);

/*
 * Undoes all, removes the campaign's directory, frees (always). The first error is reported, but all is
 * tried; after one the directory stays, for `vtax clean` to try again. NULL is fine.
 */
int journal_finish(struct journal *j, struct vt_err *err);

/*
 * Undoes every unlocked journal below STATE. *undone counts campaigns cleaned, *alive those still running,
 * *failed those where something was left (with the reason of the first in *err). `dry_run` only lists them.
 * Returns 0 when it could look everywhere, even if failed is not 0. `say` may be NULL.
 */
struct journal_clean {
	size_t undone, alive, failed, entries; /* entries: changes undone, or that would be */
};
int journal_clean(
	struct journal_clean *result, int dry_run, void (*say)(const char *line), struct vt_err *err);

#endif
