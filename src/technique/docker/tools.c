/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tools.h. iptables must be the nf_tables form, whatever the machine prefers: its rules can be taken out
 * of a network namespace again by deleting tables, those of the legacy form stay hooked for good.
 */
#include "technique/docker/tools.h"

#include "host/journal.h"
#include "technique/program.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <string.h>
#include <sys/stat.h>

#define USUAL_DIRS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int missing(const char *name, const char *package, struct vt_err *err)
{
	return vt_fail(err, -ENOENT,
		"no Docker of its own to start: '%s' is not installed; ./quickstart unpacks it privately, or "
		"`apt-get "
		"install %s`",
		name, package);
}

/* The private tree's library directories, for programs whose libraries are not installed. */
static void add_libraries(struct docker_tools *t, const char *tree)
{
	static const char *const dirs[] = { "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu",
		"usr/lib", "lib" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *dir = xasprintf("%s/%s", tree, dirs[i]);
		size_t len = strlen(t->libraries);

		if (access(dir, F_OK) == 0)
			snprintf(t->libraries + len, sizeof(t->libraries) - len, "%s%s", len ? ":" : "", dir);
	}
}

int docker_tools_find(struct docker_tools *tools, struct vt_err *err)
{
	_cleanup_free_ char *tree = xasprintf("%s/tools/docker", journal_state_dir());
	_cleanup_free_ char *first = xasprintf("%s/usr/sbin:%s/usr/bin", tree, tree);
	const char *path = getenv("PATH");
	struct docker_tools t = { 0 };
	char other[256];
	const struct {
		const char *name, *package;
		char *out;
		size_t size;
	} wanted[] = {
		{ "dockerd", "docker.io", t.dockerd, sizeof(t.dockerd) },
		{ "docker", "docker.io", t.docker, sizeof(t.docker) },
		{ "containerd", "containerd", other, sizeof(other) },
		{ "containerd-shim-runc-v2", "containerd", other, sizeof(other) },
		{ "runc", "runc", other, sizeof(other) },
		{ "iptables-nft", "iptables", t.iptables, sizeof(t.iptables) },
		{ "iptables-nft-save", "iptables", t.save, sizeof(t.save) },
		{ "iptables-nft-restore", "iptables", t.restore, sizeof(t.restore) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (program_find(wanted[i].name, first, wanted[i].out, wanted[i].size, NULL) < 0)
			return missing(wanted[i].name, wanted[i].package, err);
	snprintf(t.path, sizeof(t.path), "%s:%.1000s:%s", first, path ? path : USUAL_DIRS, USUAL_DIRS);
	add_libraries(&t, tree);
	if (program_version(t.dockerd, "--version", t.libraries, t.version, sizeof(t.version), err) < 0)
		return vt_wrap(err, "'%s' does not work", t.dockerd);
	*tools = t;
	return 0;
}
