/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See capability.h. */
#include "technique/capability.h"

#include "base/cleanup.h"

#include <sys/prctl.h>

/* By number (linux/capability.h). Nobody can give away what he does not hold: "all" means all of ours. */
static const char *const all_caps[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

/* What engines leave to root in a container. */
static const char *const default_caps[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_FSETID",
	"CAP_FOWNER",
	"CAP_MKNOD",
	"CAP_NET_RAW",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETFCAP",
	"CAP_SETPCAP",
	"CAP_NET_BIND_SERVICE",
	"CAP_SYS_CHROOT",
	"CAP_KILL",
	"CAP_AUDIT_WRITE",
	NULL,
};

/* Those that the kernel knows and that we hold, or do not. */
static const char *const *select_caps(const char **out, int held)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all_caps); i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == held)
			out[n++] = all_caps[i];
	out[n] = NULL;
	return out;
}

const char *const *capability_list(enum capability_choice choice)
{
	static const char *held[ARRAY_SIZE(all_caps) + 1];
	static const char *const none[] = { NULL };

	if (choice == CAPABILITY_ALL)
		return select_caps(held, 1);
	return choice == CAPABILITY_NONE ? none : default_caps;
}

const char *const *capability_missing(void)
{
	static const char *missing[ARRAY_SIZE(all_caps) + 1];

	return select_caps(missing, 0);
}
