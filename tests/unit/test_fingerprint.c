/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsers on literal texts, SHA-256 on known answers, and the shape of this machine's own fingerprint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "host/fingerprint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

static const char *str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void test_os_release(void **state)
{
	json_t *o = fingerprint_parse_os_release(
		"PRETTY_NAME=\"A \\ B\"\nID=debian\n# x\nnonsense\nVERSION_ID='12'\n"
		"VARIANT_ID=x\n");

	assert_string_equal(str(o, "id"), "debian");
	assert_string_equal(str(o, "version_id"), "12");
	assert_string_equal(str(o, "name"), "A \\ B");
	assert_int_equal(json_object_size(o), 3);
	json_decref(o);
	o = fingerprint_parse_os_release("ID=\nVERSION_ID=\"\nPRETTY_NAME=\xff\xfe\n");
	assert_string_equal(str(o, "id"), "");
	assert_string_equal(str(o, "version_id"), "\"");
	assert_true(json_is_null(json_object_get(o, "name"))); /* not UTF-8 */
	json_decref(o);
	o = fingerprint_parse_os_release("");
	assert_true(json_is_null(json_object_get(o, "id")));
	json_decref(o);
}

static void test_cpuinfo(void **state)
{
	json_t *o = fingerprint_parse_cpuinfo(
		"processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
		"model name\t: Xeon: the CPU\nstepping\t: 7\nmicrocode\t: 0x5003604\nflags\t\t: fpu vmx avx2 "
		"xyz hypervisor\n"
		"power management:\n\nprocessor\t: 1\nvendor_id\t: Other\nmodel name\t: Second\n");
	json_t *flags = json_object_get(o, "flags");

	assert_string_equal(str(o, "vendor"), "GenuineIntel");
	assert_string_equal(str(o, "model"), "Xeon: the CPU");
	assert_string_equal(str(o, "model_number"), "85");
	assert_string_equal(str(o, "microcode"), "0x5003604");
	assert_int_equal(json_array_size(flags), 3);
	assert_string_equal(json_string_value(json_array_get(flags, 2)), "hypervisor");
	json_decref(o);
	o = fingerprint_parse_cpuinfo(
		"processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\nFeatures\t: fp aes\n");
	assert_string_equal(str(o, "implementer"), "0x41");
	assert_true(json_is_null(json_object_get(o, "model")));
	assert_int_equal(json_array_size(json_object_get(o, "flags")), 1);
	json_decref(o);
}

static void test_parameters(void **state)
{
	json_t *a = fingerprint_parse_parameters("root=/dev/sda secret=1 mitigations=off isolcpus=2-3 "
						 "processor.max_cstate=1 quiet -- nohz=off\n");

	assert_int_equal(json_array_size(a), 3);
	assert_string_equal(json_string_value(json_array_get(a, 0)), "mitigations=off");
	assert_string_equal(json_string_value(json_array_get(a, 2)), "processor.max_cstate=1");
	json_decref(a);
}

static void hash_of(const char *text, size_t times, char out[65])
{
	char path[] = "/tmp/vtax-test-XXXXXX";
	int fd = mkstemp(path);
	struct vt_err err = { 0 };

	assert_true(fd >= 0);
	for (size_t i = 0; i < times; i++)
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(fingerprint_sha256_file(path, out, &err), 0);
	unlink(path);
}

/* FIPS 180-2, appendix B. */
static void test_sha256(void **state)
{
	char block[1001], hex[65] = "untouched";

	hash_of("", 1, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_of("abc", 1, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	memset(block, 'a', 1000);
	block[1000] = '\0';
	hash_of(block, 1000, hex);
	assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	assert_int_equal(fingerprint_sha256_file("/nonexistent", hex, NULL), -ENOENT);
	assert_int_equal(fingerprint_sha256_file("/tmp", hex, NULL), -EINVAL);
}

static void test_hash_of_a_fifo_does_not_wait(void **state)
{
	char dir[] = "/tmp/vtax-test-XXXXXX", path[64], hex[65];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(fingerprint_sha256_file(path, hex, NULL), -EINVAL);
	unlink(path);
	rmdir(dir);
}

static void test_this_machine(void **state)
{
	static const char *const keys[] = { "os", "kernel", "cpu", "mitigations", "clocksource", "memory",
		"virtualization", "cgroup", "security", "pressure_stall_information", "sysctl", "binaries" };
	_cleanup_strvec_ struct strvec binaries = STRVEC_INIT;
	_cleanup_free_ char *text = NULL;
	struct vt_err err = { 0 };
	struct utsname u;
	json_t *o, *b;

	strvec_push(&binaries, "/proc/self/exe");
	strvec_push(&binaries, "/nonexistent");
	assert_int_equal(fingerprint_read(&o, &binaries, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_non_null(json_object_get(o, keys[i]));
	uname(&u);
	assert_string_equal(str(json_object_get(o, "kernel"), "release"), u.release);
	assert_true(json_integer_value(json_object_get(json_object_get(o, "cpu"), "online")) >= 1);
	assert_true(
		json_integer_value(json_object_get(json_object_get(o, "memory"), "total_bytes")) > 1 << 20);
	b = json_object_get(o, "binaries");
	assert_int_equal(strlen(str(b, "/proc/self/exe")), 64);
	assert_true(json_is_null(json_object_get(b, "/nonexistent")));
	text = json_dumps(o, 0);
	assert_non_null(text);
	if (strlen(u.nodename) > 3) /* "vm" would be found in words */
		assert_null(strstr(text, u.nodename));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_os_release),
		cmocka_unit_test(test_cpuinfo),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_hash_of_a_fifo_does_not_wait),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
