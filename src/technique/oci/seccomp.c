/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allow-list; see seccomp.h. Everything not named fails with EPERM. Left out are calls that reach past
 * the container (mounting, modules, keyrings, kexec, bpf, tracing, clocks, other namespaces) unless the
 * container keeps the capability that guards them anyway. Both 64- and 32-bit names are listed: the runtime
 * compiles the filter for the sub-architectures too, which is part of its size, hence of its cost.
 *
 * One text for each group: a table of 350 rows would say no more.
 */
#include "technique/oci/seccomp.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <stdint.h>
#include <string.h>

#define EPERM_RET 1
#define ENOSYS_RET 38

static const char files[] =
	"access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat "
	"faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 "
	"fchownat "
	"fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 "
	"fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr "
	"inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lchown32 lgetxattr link "
	"linkat "
	"listxattr llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat "
	"name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 "
	"read "
	"readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile sendfile64 "
	"setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee "
	"truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write "
	"writev";

static const char memory[] = "brk madvise memfd_create memfd_secret membarrier mincore mlock mlock2 "
			     "mlockall mmap mmap2 mprotect mremap msync munlock munlockall munmap pkey_alloc "
			     "pkey_free pkey_mprotect "
			     "process_mrelease remap_file_pages shmat shmctl shmdt shmget";

static const char processes[] =
	"alarm arch_prctl capget capset execve execveat exit exit_group fork getegid "
	"getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpgid getpgrp getpid "
	"getppid "
	"getpriority getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid "
	"getuid32 "
	"get_robust_list get_thread_area ioprio_get ioprio_set kill landlock_add_rule "
	"landlock_create_ruleset "
	"landlock_restrict_self modify_ldt pidfd_open pidfd_send_signal pause prctl prlimit64 "
	"process_vm_readv "
	"process_vm_writev ptrace restart_syscall rseq sched_getaffinity sched_getattr sched_getparam "
	"sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval "
	"sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
	"sched_yield "
	"seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer "
	"setpgid "
	"setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 "
	"setrlimit "
	"set_robust_list setsid set_thread_area set_tid_address setuid setuid32 tgkill tkill times "
	"ugetrlimit "
	"uname vfork wait4 waitid waitpid sysinfo getrandom getcpu";

static const char events[] =
	"epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
	"epoll_wait_old "
	"eventfd eventfd2 futex futex_time64 futex_waitv io_cancel io_destroy io_getevents io_pgetevents "
	"io_pgetevents_time64 io_setup io_submit io_uring_enter io_uring_register io_uring_setup _newselect "
	"pipe "
	"pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 rt_sigaction rt_sigpending rt_sigprocmask "
	"rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
	"select sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend";

static const char clocks[] =
	"clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
	"clock_nanosleep clock_nanosleep_time64 adjtimex gettimeofday nanosleep time timer_create "
	"timer_delete "
	"timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create "
	"timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64";

static const char sockets[] =
	"accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg "
	"recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair";

static const char queues[] =
	"ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
	"mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
	"semtimedop_time64";

/* What a capability adds. */
static const struct {
	const char *cap, *calls;
} by_cap[] = {
	{ "CAP_DAC_READ_SEARCH", "open_by_handle_at" },
	{ "CAP_SYS_ADMIN", "bpf clone clone3 fanotify_init fanotify_mark fsconfig fsmount fsopen fspick "
			   "lookup_dcookie mount "
			   "mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd "
			   "setdomainname sethostname setns "
			   "syslog umount umount2 unshare" },
	{ "CAP_SYS_BOOT", "reboot" },
	{ "CAP_SYS_CHROOT", "chroot" },
	{ "CAP_SYS_MODULE", "delete_module finit_module init_module" },
	{ "CAP_SYS_PACCT", "acct" },
	{ "CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise" },
	{ "CAP_SYS_RAWIO", "iopl ioperm" },
	{ "CAP_SYS_TIME", "clock_adjtime clock_settime clock_settime64 settimeofday stime" },
	{ "CAP_SYS_TTY_CONFIG", "vhangup" },
	{ "CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
	{ "CAP_SYSLOG", "syslog" },
	{ "CAP_BPF", "bpf" },
	{ "CAP_PERFMON", "perf_event_open" },
};

static void add_names(json_t *names, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);
	char *save = NULL;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		json_array_append_new(names, json_string(w));
}

static json_t *allow(json_t *names, json_t *args)
{
	json_t *o = json_pack("{s:o,s:s}", "names", names, "action", "SCMP_ACT_ALLOW");

	if (args)
		json_object_set_new(o, "args", args);
	return o;
}

/* One call allowed when argument `index` compares so. */
static json_t *allow_if(const char *name, int index, uint64_t value, uint64_t value2, const char *op)
{
	json_t *arg = json_pack("{s:i,s:I,s:s}", "index", index, "value", (json_int_t)value, "op", op);

	if (value2)
		json_object_set_new(arg, "valueTwo", json_integer((json_int_t)value2));
	return allow(json_pack("[s]", name), json_pack("[o]", arg));
}

static json_t *architectures(void)
{
#if defined(__x86_64__)
	return json_pack("[s,s,s]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32");
#elif defined(__aarch64__)
	return json_pack("[s,s]", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM");
#else
	return json_array(); /* the runtime's own */
#endif
}

json_t *seccomp_profile(bool (*has_cap)(const char *cap, const void *arg), const void *arg)
{
	/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: no new namespaces. */
	static const uint64_t clone_namespaces = 0x7E020000;
	static const uint64_t personalities[] = { 0x0, 0x0008, 0x20000, 0x20008, 0xffffffff };
	static const uint64_t af_vsock = 40;
	const char *const groups[] = { files, memory, processes, events, clocks, sockets, queues };
	json_t *calls = json_array(), *names = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		add_names(names, groups[i]);
	json_array_append_new(calls, allow(names, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
		json_array_append_new(calls, allow_if("personality", 0, personalities[i], 0, "SCMP_CMP_EQ"));
	json_array_append_new(calls, allow_if("socket", 0, af_vsock, 0, "SCMP_CMP_NE"));
	for (size_t i = 0; i < ARRAY_SIZE(by_cap); i++) {
		if (!has_cap(by_cap[i].cap, arg))
			continue;
		names = json_array();
		add_names(names, by_cap[i].calls);
		json_array_append_new(calls, allow(names, NULL));
	}
	if (!has_cap("CAP_SYS_ADMIN", arg)) {
		json_array_append_new(calls, allow_if("clone", 0, clone_namespaces, 0, "SCMP_CMP_MASKED_EQ"));
		/* Its flags are behind a pointer: "no such call" makes libc fall back to clone. */
		json_array_append_new(calls, json_pack("{s:[s],s:s,s:i}", "names", "clone3", "action",
						     "SCMP_ACT_ERRNO", "errnoRet", ENOSYS_RET));
	}
	return json_pack("{s:s,s:i,s:o,s:o}", "defaultAction", "SCMP_ACT_ERRNO", "defaultErrnoRet", EPERM_RET,
		"architectures", architectures(), "syscalls", calls);
}
