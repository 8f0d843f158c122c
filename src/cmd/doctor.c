/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `vtax doctor`: what this machine can do, and for what it cannot, why not and how to get it. Changes nothing.
 */
#include "cmd/verb.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "host/cgroup.h"
#include "host/cpu.h"
#include "host/journal.h"
#include "host/net.h"
#include "technique/technique.h"

#include <string.h>

extern const struct verb verb_doctor;

static const struct flag flags[] = { { .name = NULL } };

static unsigned bad;

static void row(bool ok, const char *name, const char *text)
{
	bool colour = log_is_terminal(STDOUT_FILENO);
	const char *word = ok ? "ok" : "no";

	if (!ok)
		bad++;
	if (colour)
		printf("  \033[%sm%-3s\033[0m %-28s %s\n", ok ? "32" : "31", word, name, text);
	else
		printf("  %-3s %-28s %s\n", word, name, text);
}

static void check_root(void)
{
	row(geteuid() == 0, "root", geteuid() == 0 ? "yes" : "no: namespaces and cgroups need it: try 'sudo vtax doctor'");
}

static void check_cgroups(void)
{
	static const char *const names[] = { "pure v2", "hybrid (v1 with an extra v2 tree)", "pure v1" };
	struct vt_err err = { 0 };
	enum cgroup_layout layout;

	if (cgroup_layout(&layout, &err) < 0)
		row(false, "cgroups", err.msg);
	else
		row(true, "cgroups", names[layout]);
}

static void check_cpus(void)
{
	struct vt_err err = { 0 };
	int sut, client;
	bool pinned;
	char text[96];

	if (cpu_choose(&sut, &client, &pinned, &err) < 0) {
		row(false, "CPUs", err.msg);
		return;
	}
	if (pinned)
		snprintf(text, sizeof text, "SUT on %d, client on %d", sut, client);
	else
		snprintf(text, sizeof text, "only one core: client and SUT share it, nothing is pinned");
	row(pinned, "CPUs", text);
}

static void check_addresses(void)
{
	struct vt_err err = { 0 };
	char where[128], text[256];
	bool used = false;

	if (net_range_in_use(&used, where, sizeof where, &err) < 0) {
		row(false, "addresses 198.18.0.0/15", err.msg);
		return;
	}
	snprintf(text, sizeof text, used ? "in use: %s" : "free", where);
	row(!used, "addresses 198.18.0.0/15", text);
}

static bool in_path(const char *name, char *where, size_t size)
{
	const char *path = getenv("PATH");
	char copy[4096], *save = NULL;

	snprintf(copy, sizeof copy, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		snprintf(where, size, "%s/%s", dir, name);
		if (access(where, X_OK) == 0)
			return true;
	}
	return false;
}

static void check_tools(void)
{
	static const struct {
		const char *name, *why, *package;
	} tools[] = {
		{ "gnuplot", "figures", "gnuplot-nox" },
		{ "apt-get", "fetches the programs of the payload", "apt" },
		{ "dpkg-deb", "unpacks them", "dpkg" },
	};
	char where[4352], text[4500];

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		bool ok = in_path(tools[i].name, where, sizeof where);

		if (ok)
			snprintf(text, sizeof text, "%s", where);
		else
			snprintf(text, sizeof text, "not found (%s): apt-get install %s", tools[i].why, tools[i].package);
		row(ok, tools[i].name, text);
	}
}

static void check_leftovers(void)
{
	struct journal_clean found = { 0 };
	struct vt_err err = { 0 };
	char text[128];

	if (geteuid() != 0)
		return;
	if (journal_clean(&found, 1, NULL, &err) < 0) {
		row(false, "leftovers", err.msg);
		return;
	}
	snprintf(text, sizeof text, found.undone ? "%zu killed campaign(s): run 'vtax clean'" : "none", found.undone);
	row(found.undone == 0, "leftovers", text);
}

static void check_text(const char *text)
{
	_cleanup_buf_ struct buf detail = BUF_INIT(4096);
	struct vt_err err = { 0 };
	struct technique t = { 0 };

	if (technique_parse(&t, text, &err) == 0 && technique_probe(&t, &detail, &err) == 0)
		row(true, text, buf_str(&detail));
	else
		row(false, text, err.msg);
	technique_release(&t);
}

static int run(int argc, char **argv)
{
	static const char *const runtimes[] = { "oci:runtime=crun", "oci:runtime=runc", "oci:runtime=runsc",
		"oci:runtime=kata-runtime" };
	const char *arg;
	int rest, status;

	verb_next(&verb_doctor, argc, argv, &arg, &rest, &status);
	if (status >= 0)
		return status;
	if (argc > rest) {
		printf("techniques:\n");
		for (int i = rest; i < argc; i++)
			check_text(argv[i]);
		return bad ? EXIT_CANNOT_RUN : EXIT_OK;
	}
	printf("machine:\n");
	check_root();
	check_cgroups();
	check_cpus();
	check_addresses();
	check_leftovers();
	printf("tools:\n");
	check_tools();
	printf("techniques:\n");
	for (size_t i = 0; technique_registry[i]; i++)
		if (strcmp(technique_registry[i]->name, "oci") != 0)
			check_text(technique_registry[i]->name);
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		check_text(runtimes[i]);
	return EXIT_OK;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.args = "[TECHNIQUE…]",
	.summary = "what this machine can run, and if not, why and how to get it",
	.details = "Exit status 77 when a technique that was named cannot run; 0 otherwise.\n",
	.flags = flags,
	.run = run,
};
