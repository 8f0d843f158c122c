/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See runtime.h. */
#include "technique/oci/runtime.h"

#include "base/cleanup.h"
#include "technique/program.h"

#include <string.h>

static const struct oci_quirks rows[] = {
	/* crun 1.8 refuses hybrid layouts even with cgroups disabled. */
	{ .name = "crun", .no_cgroup = "--cgroup-manager=disabled", .hide_unified = true, .contained = true },
	{ .name = "runc", .contained = true },
};
static const struct oci_quirks plain = { .name = "" };

static const struct oci_quirks *quirks_of(const char *version)
{
	size_t word = strcspn(version, " \t:");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strlen(rows[i].name) == word && !memcmp(rows[i].name, version, word))
			return &rows[i];
	return &plain;
}

int oci_runtime_find(struct oci_runtime *rt, const char *name, struct vt_err *err)
{
	struct oci_runtime found = { 0 };
	int r = program_find(name, NULL, found.path, sizeof(found.path), err);

	if (r == -ENOENT && !strchr(name, '/')) {
		/* Rows are for runtimes that the distribution has: their package has their name. */
		if (quirks_of(name) != &plain)
			return vt_fail(err, r,
				"OCI runtime '%s' is not installed; `apt-get install %s`, or give "
				"runtime=/path/to/it",
				name, name);
		return vt_fail(err, r,
			"OCI runtime '%s' is not installed; put it into PATH, or give runtime=/path/to/it",
			name);
	}
	if (r < 0)
		return vt_wrap(err, "OCI runtime");
	r = program_version(found.path, "--version", NULL, found.version, sizeof(found.version), err);
	if (r < 0)
		return vt_wrap(err, "OCI runtime '%s' does not work", found.path);
	found.quirks = quirks_of(found.version);
	*rt = found;
	return 0;
}
