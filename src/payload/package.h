/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Debian package as a source of files: downloaded and verified by apt into CACHE/debs and unpacked from
 * there, or, when apt may not be asked or cannot answer, the files that are installed on this machine.
 * Nothing is ever installed.
 */
#ifndef VTAX_PAYLOAD_PACKAGE_H
#define VTAX_PAYLOAD_PACKAGE_H

#include "base/err.h"
#include "base/strvec.h"

#include <stdbool.h>

#if defined(__x86_64__)
#define PACKAGE_ARCH "amd64"
#elif defined(__aarch64__)
#define PACKAGE_ARCH "arm64"
#elif defined(__riscv)
#define PACKAGE_ARCH "riscv64"
#endif

struct package {
	char *name, *version;
	char *deb; /* the archive in the cache; NULL: installed, its files are the host's */
};

#define PACKAGE_INIT ((struct package){ 0 })

/*
 * Finds the package: the version apt would install, downloading it unless it is cached; when that fails or
 * `offline`, the newest one in the cache, then the installed one. The caller holds the cache's lock.
 */
int package_find(struct package *p, const char *cache, const char *name, bool offline, struct vt_err *err);

/* Unpacks into the directory `into`; nothing to do for an installed one. */
int package_unpack(const struct package *p, const char *into, struct vt_err *err);

/*
 * Adds the names of the packages it depends on that this machine does not have. `outdated_only`: only those
 * that it has in a version that will not do; the absent ones are not needed unless a library is missing.
 */
int package_wants(const struct package *p, bool outdated_only, struct strvec *names, struct vt_err *err);

/* One "name op version" of a Depends field; "" for what is not said. Advances *text; false at its end. */
struct package_dep {
	char name[128], op[4], version[128];
};
bool package_next_dep(const char **text, struct package_dep *dep);

void package_release(struct package *p);

/* Removes what killed downloads left in the cache. The caller holds the cache's lock. */
void package_sweep(const char *cache);

#define _cleanup_package_ __attribute__((cleanup(package_release)))

#endif
