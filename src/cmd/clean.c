/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vtax clean`: undoes what killed runs left on this machine. Never touches results, nor a campaign that lives. */
#include "cmd/verb.h"

#include "base/cleanup.h"
#include "base/units.h"
#include "host/journal.h"
#include "payload/payload.h"

#include <string.h>

extern const struct verb verb_clean;

static const struct flag flags[] = {
	{ 'n', "dry-run", NULL, "only say what would be undone" },
	{ 0, "cache", NULL, "also remove cached payloads and packages" },
	{ .name = NULL },
};

static void say(const char *line)
{
	printf("%s\n", line);
}

static int clean_cache(void)
{
	struct vt_err err = { 0 };
	uint64_t freed = 0;
	char text[32];

	if (payload_clean(NULL, &freed, &err) < 0)
		return verb_fail(&err);
	units_format(text, sizeof text, (double)freed, "bytes");
	printf("cache: %s freed\n", text);
	return EXIT_OK;
}

static int clean(bool dry_run, bool cache)
{
	struct journal_clean done = { 0 };
	struct vt_err err = { 0 };
	int status = EXIT_OK;

	if (geteuid() != 0) {
		vt_fail(&err, -EPERM, "vtax must be root to undo namespaces, mounts and cgroups: try 'sudo vtax clean'");
		return verb_fail(&err);
	}
	if (journal_clean(&done, dry_run, say, &err) < 0 || done.failed)
		status = verb_fail(&err);
	if (done.undone + done.alive + done.failed == 0)
		printf("nothing to undo\n");
	else
		printf("%zu campaign%s %s (%zu changes), %zu still running, %zu with something left\n", done.undone,
			done.undone == 1 ? "" : "s", dry_run ? "would be undone" : "undone", done.entries, done.alive,
			done.failed);
	if (status == EXIT_OK && cache && !dry_run)
		status = clean_cache();
	return status;
}

static int run(int argc, char **argv)
{
	bool dry_run = false, cache = false;
	const struct flag *f;
	const char *arg;
	int rest, status;

	while ((f = verb_next(&verb_clean, argc, argv, &arg, &rest, &status))) {
		if (strcmp(f->name, "dry-run") == 0)
			dry_run = true;
		else
			cache = true;
	}
	if (status >= 0)
		return status;
	if (argc > rest)
		return verb_usage(&verb_clean, "'%s' is not understood: clean takes flags only", argv[rest]);
	return clean(dry_run, cache);
}

const struct verb verb_clean = {
	.name = "clean",
	.args = "[FLAGS]",
	.summary = "undo what a killed run left behind",
	.flags = flags,
	.run = run,
};
