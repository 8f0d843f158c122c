/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the programs of others, and what they say they are. */
#ifndef VTAX_TECHNIQUE_PROGRAM_H
#define VTAX_TECHNIQUE_PROGRAM_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

/*
 * The absolute path of a program: as given when it has a slash, else the first executable of that name in
 * `first` (a ':'-separated list; may be NULL), then in PATH and the system's usual directories (root's PATH
 * may lack the sbin ones). -ENOENT, with a message that names it.
 */
int program_find(const char *name, const char *first, char *out, size_t size, struct vt_err *err);

/*
 * The first line that `path flag` prints, within 5 s. `libraries` is a search path for shared libraries that are not
 * installed ("" or NULL: none).
 */
int program_version(const char *path, const char *flag, const char *libraries, char *out, size_t size,
	struct vt_err *err);

#endif
