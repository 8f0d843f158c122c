/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.json: each switch changes what it should, and nothing else. */
#include "technique/oci/oci_spec.h"

#include "base/cleanup.h"
#include "technique/oci/runtime.h"
#include "technique/oci/seccomp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct oci_config plain(void)
{
	return (struct oci_config){
		.hostname = "vtax",
		.agent = "/vtax/agent",
		.root = "/scratch/root",
		.chroot = "/usr/sbin/chroot",
		.cgroups_path = "/vtax-x/e1/c",
		.pidns = true,
		.mountns = true,
		.utsns = true,
		.ipcns = true,
		.cgroupns = true,
		.seccomp = true,
		.cpu = -1,
		.nofile = 4096,
	};
}

/* "linux.resources.cpu.cpus"; NULL when it is not there. */
static json_t *at(json_t *o, const char *path)
{
	char copy[128], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok_r(copy, ".", &save); o && key; key = strtok_r(NULL, ".", &save))
		o = json_object_get(o, key);
	return o;
}

/* The element of an array of objects whose `key` is `value`. */
static json_t *find(json_t *array, const char *key, const char *value)
{
	json_t *e;
	size_t i;

	json_array_foreach(
		array, i, e) if (!strcmp(json_string_value(json_object_get(e, key)), value)) return e;
	return NULL;
}

static bool holds(json_t *array, const char *text)
{
	json_t *e;
	size_t i;

	json_array_foreach(array, i, e) if (!strcmp(json_string_value(e), text)) return true;
	return false;
}

static json_t *namespace_of(json_t *spec, const char *type)
{
	return find(at(spec, "linux.namespaces"), "type", type);
}

static json_t *mount_on(json_t *spec, const char *where)
{
	return find(json_object_get(spec, "mounts"), "destination", where);
}

static void test_plain(void **state)
{
	struct oci_config c = plain();
	json_t *o = oci_spec(&c), *args = at(o, "process.args");

	assert_non_null(o);
	assert_string_equal(json_string_value(json_array_get(args, 0)), "/vtax/agent");
	assert_int_equal(json_array_size(args), 1);
	assert_true(json_is_false(at(o, "process.terminal")));
	assert_string_equal(json_string_value(at(o, "root.path")), "/scratch/root");
	assert_true(json_is_false(at(o, "root.readonly")));
	assert_string_equal(json_string_value(at(o, "hostname")), "vtax");
	assert_string_equal(json_string_value(at(o, "linux.cgroupsPath")), "/vtax-x/e1/c");
	for (const char *const *t = (const char *const[]){ "pid", "mount", "uts", "ipc", "cgroup", NULL }; *t;
		t++)
		assert_non_null(namespace_of(o, *t));
	assert_null(namespace_of(o, "user"));
	assert_null(namespace_of(o, "network"));
	assert_non_null(at(o, "linux.seccomp"));
	assert_string_equal(json_string_value(json_object_get(mount_on(o, "/sys"), "type")), "sysfs");
	assert_null(mount_on(o, "/data"));
	assert_null(mount_on(o, "/tmp"));
	assert_null(at(o, "linux.resources.cpu"));
	assert_null(at(o, "linux.resources.memory"));
	assert_int_equal(json_integer_value(at(json_array_get(at(o, "process.rlimits"), 0), "soft")), 4096);
	json_decref(o);
}

static void test_namespaces(void **state)
{
	struct {
		const char *type;
		size_t offset;
	} rows[] = {
		{ "pid", offsetof(struct oci_config, pidns) },
		{ "uts", offsetof(struct oci_config, utsns) },
		{ "ipc", offsetof(struct oci_config, ipcns) },
		{ "cgroup", offsetof(struct oci_config, cgroupns) },
		{ "mount", offsetof(struct oci_config, mountns) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_config c = plain();
		json_t *o;

		*(bool *)((char *)&c + rows[i].offset) = false;
		o = oci_spec(&c);
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
			assert_int_equal(namespace_of(o, rows[k].type) != NULL, k != i);
		json_decref(o);
	}
}

static void test_netns(void **state)
{
	struct oci_config c = plain();
	json_t *o;

	c.netns = "/run/netns/vtax-x-e1";
	o = oci_spec(&c);
	assert_string_equal(json_string_value(json_object_get(namespace_of(o, "network"), "path")), c.netns);
	json_decref(o);
}

static void test_no_uts_no_hostname(void **state)
{
	struct oci_config c = plain();
	json_t *o;

	c.utsns = false; /* it would rename the host */
	o = oci_spec(&c);
	assert_null(json_object_get(o, "hostname"));
	json_decref(o);
}

static void test_no_mount_namespace(void **state)
{
	struct oci_config c = plain();
	json_t *o, *args;

	c.mountns = false;
	o = oci_spec(&c);
	args = at(o, "process.args");
	assert_string_equal(json_string_value(json_array_get(args, 0)), "/usr/sbin/chroot");
	assert_string_equal(json_string_value(json_array_get(args, 1)), "/scratch/root");
	assert_string_equal(json_string_value(json_array_get(args, 2)), "/vtax/agent");
	assert_string_equal(json_string_value(at(o, "root.path")), "/");
	assert_null(at(o, "root.readonly")); /* it would be the host's */
	assert_int_equal(json_array_size(json_object_get(o, "mounts")), 0);
	assert_null(at(o, "linux.maskedPaths"));
	json_decref(o);
}

static void test_user_namespace(void **state)
{
	struct oci_config c = plain();
	json_t *o;

	c.userns = true;
	o = oci_spec(&c);
	assert_non_null(namespace_of(o, "user"));
	assert_int_equal(json_array_size(at(o, "linux.uidMappings")), 1);
	assert_int_equal(json_array_size(at(o, "linux.gidMappings")), 1);
	assert_string_equal(json_string_value(json_object_get(mount_on(o, "/sys"), "type")), "none");
	assert_string_equal(json_string_value(json_object_get(mount_on(o, "/proc"), "type")), "proc");
	assert_non_null(mount_on(o, "/dev/mqueue"));
	json_decref(o);

	c.pidns = c.ipcns = false; /* mounts that the kernel would refuse */
	o = oci_spec(&c);
	assert_string_equal(json_string_value(json_object_get(mount_on(o, "/proc"), "type")), "none");
	assert_null(mount_on(o, "/dev/mqueue"));
	json_decref(o);
}

static void test_readonly(void **state)
{
	struct oci_config c = plain();
	json_t *o;

	c.readonly = c.scratch_run = c.scratch_tmp = true;
	c.data_dir = "/scratch/data";
	o = oci_spec(&c);
	assert_true(json_is_true(at(o, "root.readonly")));
	assert_string_equal(
		json_string_value(json_object_get(mount_on(o, "/data"), "source")), "/scratch/data");
	assert_string_equal(json_string_value(json_object_get(mount_on(o, "/tmp"), "type")), "tmpfs");
	assert_string_equal(json_string_value(json_object_get(mount_on(o, "/run"), "type")), "tmpfs");
	json_decref(o);
}

static void test_cgroup(void **state)
{
	struct oci_config c = plain();
	json_t *o;

	c.cpu = 3;
	c.cpu_quota = 2;
	c.mem_bytes = 64 << 20;
	o = oci_spec(&c);
	assert_string_equal(json_string_value(at(o, "linux.resources.cpu.cpus")), "3");
	assert_int_equal(json_integer_value(at(o, "linux.resources.cpu.quota")),
		2 * json_integer_value(at(o, "linux.resources.cpu.period")));
	assert_int_equal(json_integer_value(at(o, "linux.resources.memory.limit")), 64 << 20);
	json_decref(o);

	c.cgroups_path = NULL;
	o = oci_spec(&c);
	assert_null(at(o, "linux.cgroupsPath"));
	assert_null(at(o, "linux.resources"));
	json_decref(o);
}

static void test_capabilities(void **state)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };
	struct oci_config c = plain();

	for (int caps = CAPABILITY_DEFAULT; caps <= CAPABILITY_NONE; caps++) {
		json_t *o;

		c.caps = (enum capability_choice)caps;
		o = oci_spec(&c);
		for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
			json_t *set = json_object_get(at(o, "process.capabilities"), sets[i]);
			const char *const *want = capability_list(c.caps);
			size_t n = 0;

			for (; want[n]; n++)
				assert_true(holds(set, want[n]));
			assert_int_equal(json_array_size(set), n);
		}
		json_decref(o);
	}
	assert_null(capability_list(CAPABILITY_NONE)[0]);
	for (const char *const *m = capability_missing(); *m; m++)
		for (const char *const *h = capability_list(CAPABILITY_ALL); *h; h++)
			assert_string_not_equal(*m, *h);
}

static void test_seccomp_off(void **state)
{
	struct oci_config c = plain();
	json_t *o;

	c.seccomp = false;
	o = oci_spec(&c);
	assert_null(at(o, "linux.seccomp"));
	json_decref(o);
}

/* The rule for a call: "allow", "if" (some arguments only), "deny" by default. */
static const char *verdict(json_t *profile, const char *call)
{
	json_t *rule;
	size_t i;
	const char *is = "deny";

	json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
	{
		if (!holds(json_object_get(rule, "names"), call) ||
			strcmp(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW"))
			continue;
		if (!json_object_get(rule, "args"))
			return "allow";
		is = "if";
	}
	return is;
}

static bool has_none(const char *cap, const void *arg)
{
	return false;
}

static bool has_all(const char *cap, const void *arg)
{
	return true;
}

static void test_seccomp_profile(void **state)
{
	json_t *none = seccomp_profile(has_none, NULL), *all = seccomp_profile(has_all, NULL), *rule;
	size_t i, names = 0;

	assert_string_equal(json_string_value(json_object_get(none, "defaultAction")), "SCMP_ACT_ERRNO");
	assert_string_equal(verdict(none, "read"), "allow");
	assert_string_equal(verdict(none, "sendmsg"), "allow");
	assert_string_equal(verdict(none, "epoll_pwait2"), "allow");
	assert_string_equal(verdict(none, "socket"), "if");
	assert_string_equal(verdict(none, "clone"), "if");
	for (const char *const *bad =
			(const char *const[]){ "mount", "unshare", "setns", "bpf", "init_module",
				"kexec_load", "keyctl", "reboot", "clone3", "settimeofday", "chroot", NULL };
		*bad; bad++)
		assert_string_equal(verdict(none, *bad), "deny");
	for (const char *const *ok =
			(const char *const[]){ "mount", "unshare", "clone", "clone3", "chroot", NULL };
		*ok; ok++)
		assert_string_equal(verdict(all, *ok), "allow");
	assert_string_equal(verdict(all, "kexec_load"), "deny");
	/* The usual size: a filter's cost depends on it. */
	json_array_foreach(json_object_get(none, "syscalls"), i, rule) names +=
		json_array_size(json_object_get(rule, "names"));
	assert_in_range(names, 300, 420);
	json_decref(none);
	json_decref(all);
}

static void test_seccomp_once(void **state)
{
	json_t *p = seccomp_profile(has_none, NULL);
	json_t *names = json_object_get(json_array_get(json_object_get(p, "syscalls"), 0), "names"), *e;
	size_t i;

	for (i = 0; i < json_array_size(names); i++) {
		size_t k;

		json_array_foreach(names, k,
			e) if (k != i &&
			       !strcmp(json_string_value(e), json_string_value(json_array_get(names, i))))
			fail_msg("'%s' is listed twice", json_string_value(e));
	}
	json_decref(p);
}

static void test_runtime(void **state)
{
	struct vt_err err = { 0 };
	struct oci_runtime rt;

	assert_true(oci_runtime_find(&rt, "no-such-runtime", &err) < 0);
	assert_non_null(strstr(err.msg, "no-such-runtime"));
	assert_true(oci_runtime_find(&rt, "relative/path", &err) < 0);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	/* A program without a row of its own is driven plainly. */
	assert_int_equal(oci_runtime_find(&rt, "/bin/echo", &err), 0);
	assert_null(rt.quirks->no_cgroup);
	assert_false(rt.quirks->contained);
	if (oci_runtime_find(&rt, "crun", NULL) == 0) {
		assert_true(rt.quirks->hide_unified);
		assert_non_null(rt.quirks->no_cgroup);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_netns),
		cmocka_unit_test(test_no_uts_no_hostname),
		cmocka_unit_test(test_no_mount_namespace),
		cmocka_unit_test(test_user_namespace),
		cmocka_unit_test(test_readonly),
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_seccomp_off),
		cmocka_unit_test(test_seccomp_profile),
		cmocka_unit_test(test_seccomp_once),
		cmocka_unit_test(test_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
