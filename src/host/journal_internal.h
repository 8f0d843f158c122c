/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between journal.c (a campaign's own journal) and journal_clean.c (those of dead campaigns). */
#ifndef VTAX_HOST_JOURNAL_INTERNAL_H
#define VTAX_HOST_JOURNAL_INTERNAL_H

#include "host/journal_format.h"

#include <limits.h>

#define JOURNAL_ID_MAX 31

struct journal {
	char state[PATH_MAX];
	char dir[PATH_MAX];
	int fd;	     /* the journal, locked */
	int lock;    /* STATE/lock, locked; -1 in journal_clean() */
	bool broken; /* could not be cut back: nothing may be added any more */
	struct journal_text text;
};

/* The state folder, canonical and checked; -ENOENT (no message) when it is not there and not to be made. */
int journal_find_state(char out[PATH_MAX], bool make, struct vt_err *err);
bool journal_id_is_plain(const char *id);
void journal_boot_id(char out[JOURNAL_BOOT_ID_MAX]);

/* -EWOULDBLOCK when another holds it and the owner named lives. */
int journal_flock(int fd, uint64_t owner_pid, uint64_t owner_start);

/* STATE/lock in the name of `id`; -EBUSY with the holder's name. */
int journal_lock_state(int *fd, const char *state, const char *id, struct vt_err *err);
void journal_unlock_state(int *fd);

/* As journal_undo_to(), counting. Without `same_boot` only files are undone. */
int journal_undo_entries(struct journal *j, size_t mark, bool same_boot, size_t *undone, struct vt_err *err);

/* Everything in the campaign's folder, the journal last. */
int journal_remove_dir(const struct journal *j, struct vt_err *err);
void journal_free(struct journal *j);

#endif
