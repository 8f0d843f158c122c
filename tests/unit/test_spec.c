/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "name:options": the split, and one clear line for each way to get it wrong. */
#include "base/spec.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *text, int glob, const char *name, const char *opts)
{
	_cleanup_spec_ struct spec s = { 0 };

	assert_int_equal(spec_parse(&s, text, glob, NULL), 0);
	assert_string_equal(s.name, name);
	assert_string_equal(s.opts, opts);
}

static void splits_at_the_first_colon(void **state)
{
	check("native", 0, "native", "");
	check("oci:runtime=crun,net=nat", 0, "oci", "runtime=crun,net=nat");
	check("docker:socket=unix:/run/x", 0, "docker", "socket=unix:/run/x");
	check("native:", 0, "native", "");
	check("tcp_rr-2", 0, "tcp_rr-2", "");
	check("*:net=*", 1, "*", "net=*");
	check("tcp_[rc]?", 1, "tcp_[rc]?", "");
}

static void refuse(const char *text, int glob, const char *because)
{
	struct spec s = { .name = (char *)"untouched", .opts = NULL };
	struct vt_err err = { 0 };

	assert_int_equal(spec_parse(&s, text, glob, &err), -EINVAL);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	if (!strstr(err.msg, because))
		fail_msg("'%s' does not say '%s'", err.msg, because);
	assert_string_equal(s.name, "untouched");
	assert_int_equal(spec_parse(&s, text, glob, NULL), -EINVAL); /* nobody to tell */
}

static void refuses_what_is_no_name(void **state)
{
	refuse("", 0, "empty name");
	refuse(":net=nat", 0, "no name before ':'");
	refuse("Docker", 0, "is not a name");
	refuse("doc ker", 0, "is not a name");
	refuse("oc\xc3\xad", 0, "is not a name");
	refuse("../oci", 0, "is not a name");
	refuse("oci\n", 0, "is not a name");
	refuse("tcp_*", 0, "is not a name");
	refuse("oci,net=nat", 0, "options follow a colon");
	refuse("net=nat", 1, "options follow a colon");
}

static void length_is_bounded(void **state)
{
	char text[SPEC_MAX + 2];

	memset(text, 'a', sizeof text);
	text[1] = ':';
	text[SPEC_MAX + 1] = '\0';
	refuse(text, 0, "longer than");
	text[SPEC_MAX] = '\0';
	check(text, 0, "a", text + 2);
}

static void release_accepts_nothing(void **state)
{
	struct spec s = { 0 };

	spec_release(&s);
	assert_null(s.name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_at_the_first_colon),
		cmocka_unit_test(refuses_what_is_no_name),
		cmocka_unit_test(length_is_bounded),
		cmocka_unit_test(release_accepts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
