/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See program.h. */
#include "technique/program.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"

#include <string.h>
#include <sys/stat.h>

#define USUAL_DIRS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define VERSION_TIMEOUT_NS (5 * NS_PER_S)
#define VERSION_MAX (64 << 10)

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool find_in(const char *dirs, const char *name, char *out, size_t size)
{
	_cleanup_free_ char *copy = dirs ? xstrdup(dirs) : NULL;
	char *save = NULL;

	for (char *d = copy ? strtok_r(copy, ":", &save) : NULL; d; d = strtok_r(NULL, ":", &save)) {
		if (*d != '/' || (size_t)snprintf(out, size, "%s/%s", d, name) >= size)
			continue;
		if (is_program(out))
			return true;
	}
	return false;
}

int program_find(const char *name, const char *first, char *out, size_t size, struct vt_err *err)
{
	char path[4096];

	if (strchr(name, '/')) {
		if (*name != '/')
			return vt_usage(err, "'%s' is neither a name nor an absolute path", name);
		if (!is_program(name))
			return vt_fail(err, -ENOENT, "'%s' is not an executable file", name);
		snprintf(path, sizeof(path), "%s", name);
	} else if (!find_in(first, name, path, sizeof(path)) &&
		   !find_in(getenv("PATH"), name, path, sizeof(path)) &&
		   !find_in(USUAL_DIRS, name, path, sizeof(path))) {
		return vt_fail(err, -ENOENT, "'%s' is not installed", name);
	}
	if (strlen(path) >= size)
		return vt_fail(err, -ENAMETOOLONG, "the path of '%s' is too long", name);
	snprintf(out, size, "%s", path);
	return 0;
}

int program_version(const char *path, const char *flag, const char *libraries, char *out, size_t size,
	struct vt_err *err)
{
	_cleanup_free_ char *search = xasprintf("LD_LIBRARY_PATH=%s", libraries ? libraries : "");
	_cleanup_buf_ struct buf b = BUF_INIT(VERSION_MAX);
	const char *const argv[] = { path, flag, NULL };
	/* crun makes its runtime directory even to print a version: give it a place where it cannot. */
	const char *const envp[] = { "PATH=" USUAL_DIRS, "XDG_RUNTIME_DIR=/proc/none", "LC_ALL=C",
		libraries && *libraries ? search : NULL, NULL };
	struct child_spec spec = { .argv = argv, .envp = envp, .new_session = true, .die_with_parent = true };
	int r = child_run(&spec, VERSION_TIMEOUT_NS, &b, err);

	if (r < 0)
		return r;
	snprintf(out, size, "%.*s", (int)strcspn(buf_str(&b), "\n"), buf_str(&b));
	return 0;
}
