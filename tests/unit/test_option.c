/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option tables: what is accepted, with its value; what is refused, with the advice that goes with it; globs
 * and help. Two tables at once, as every technique has (its own and the common one).
 */
#include "base/option.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct opt_def own[] = {
	{ "net", OPT_ENUM, "bridge", "host|bridge|nat|macvlan", 0, 0, "how the client reaches it" },
	{ "readonly", OPT_BOOL, NULL, NULL, 0, 0, "read-only root" },
	{ "seccomp", OPT_BOOL, "on", NULL, 0, 0, "system call filter" },
	{ "vcpus", OPT_UINT, NULL, NULL, 1, 64, "processors" },
	{ "mem", OPT_SIZE, "1G", NULL, 1 << 20, 0, "memory" },
	{ "delay", OPT_DURATION, "1.5s", NULL, 1000, UINT64_C(3600000000000), "added delay" },
	{ "any", OPT_UINT, NULL, NULL, 0, 0, "unbounded" },
	OPT_END,
};
static const struct opt_def common[] = {
	{ "label", OPT_STRING, NULL, NULL, 0, 0, "name in tables" },
	OPT_END,
};
static const struct opt_def *const tables[] = { own, common, NULL };

static void defaults(void **state)
{
	struct opt_set s = OPT_SET_INIT;
	const char *const texts[] = { "", NULL };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(opt_parse(&s, tables, texts[i], "oci", NULL), 0);
		assert_string_equal(opt_str(&s, "net"), "bridge");
		assert_int_equal(opt_num(&s, "net"), 1);
		assert_false(opt_given(&s, "net"));
		assert_null(opt_str(&s, "readonly"));
		assert_false(opt_bool(&s, "readonly"));
		assert_true(opt_bool(&s, "seccomp"));
		assert_int_equal(opt_num(&s, "mem"), 1 << 30);
		assert_int_equal(opt_num(&s, "delay"), 1500000000);
		assert_int_equal(opt_num(&s, "vcpus"), 0);
		assert_null(opt_str(&s, "label"));
		opt_release(&s);
	}
	opt_release(&s); /* nothing held: fine */
}

static void given_values(void **state)
{
	struct opt_set s;

	assert_int_equal(opt_parse(&s, tables, "net=nat,readonly,vcpus=4,label=a=b: c", "oci", NULL), 0);
	assert_true(opt_is(&s, "net", "nat"));
	assert_false(opt_is(&s, "net", "bridge"));
	assert_int_equal(opt_num(&s, "net"), 2);
	assert_true(opt_given(&s, "net"));
	assert_true(opt_bool(&s, "readonly")); /* a bare word is on */
	assert_true(opt_is(&s, "readonly", "on"));
	assert_int_equal(opt_num(&s, "vcpus"), 4);
	assert_string_equal(opt_str(&s, "label"), "a=b: c"); /* only the first '=' separates */
	assert_false(opt_given(&s, "mem"));
	opt_release(&s);
	assert_int_equal(opt_parse(&s, tables, "label=", "oci", NULL), 0);
	assert_true(opt_given(&s, "label"));
	assert_string_equal(opt_str(&s, "label"), "");
	assert_false(opt_is(&s, "vcpus", "")); /* unset equals nothing */
	opt_release(&s);
}

static void value(const char *name, const char *text, uint64_t expected)
{
	for (const struct opt_def *d = own; d->name; d++) {
		uint64_t num = 12345;

		if (strcmp(d->name, name) != 0)
			continue;
		if (opt_parse_value(d, text, NULL, &num, NULL) != 0)
			fail_msg("%s=%s was refused", name, text);
		assert_int_equal(num, expected);
		assert_int_equal(opt_parse_value(d, text, NULL, NULL, NULL), 0);
	}
}

static void notations(void **state)
{
	static const char *const on[] = { "on", "yes", "true", "1" };
	static const char *const off[] = { "off", "no", "false", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
		value("readonly", on[i], 1);
		value("readonly", off[i], 0);
	}
	value("any", "0", 0);
	value("any", "18446744073709551615", UINT64_MAX);
	value("any", "007", 7);
	value("mem", "1048576", 1 << 20);
	value("mem", "1024K", 1 << 20);
	value("mem", "64M", 64 << 20);
	value("mem", "2g", UINT64_C(2) << 30);
	value("mem", "17179869183G", UINT64_C(17179869183) << 30);
	value("delay", "10", UINT64_C(10000000000));
	value("delay", "0.5", 500000000);
	value("delay", "0.1s", 100000000); /* exact: 0.1 has no double */
	value("delay", "1000ns", 1000);
	value("delay", "250us", 250000);
	value("delay", "1.5ms", 1500000);
	value("delay", "2m", UINT64_C(120000000000));
	value("delay", "0.25h", UINT64_C(900000000000));
	value("delay", "0.000001s", 1000);
	value("delay", "3m30s", UINT64_C(210000000000));
	value("delay", "1m0.5s", UINT64_C(60500000000));
	value("delay", "2ms5us7ns", 2005007);
	value("delay", "1h", UINT64_C(3600000000000)); /* the bound itself */
	value("vcpus", "1", 1);
	value("vcpus", "64", 64);
}

static void refuse(const char *text, const char *because)
{
	struct opt_set s = { .n = 99 };
	struct vt_err err = { 0 };

	if (opt_parse(&s, tables, text, "oci", &err) != -EINVAL)
		fail_msg("'%s' was accepted", text);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	if (!strstr(err.msg, because))
		fail_msg("'%s' does not say '%s'", err.msg, because);
	assert_int_equal(s.n, 99); /* untouched */
}

static void bad_values(void **state)
{
	refuse("net=", "must be host|bridge|nat|macvlan");
	refuse("net=nta", "did you mean 'nat'?");
	refuse("net=Nat", "did you mean 'nat'?");
	refuse("net=na", "not 'na'");
	refuse("net=host|bridge", "must be host|bridge|nat|macvlan");
	refuse("readonly=2", "must be on or off, not '2'");
	refuse("readonly=", "must be on or off");
	refuse("vcpus=0", "option 'vcpus' of 'oci' must be 1 to 64, not '0'");
	refuse("vcpus=65", "must be 1 to 64");
	refuse("vcpus=", "whole number");
	refuse("vcpus=-1", "whole number");
	refuse("vcpus=+1", "whole number");
	refuse("vcpus= 1", "whole number");
	refuse("vcpus=1 ", "whole number");
	refuse("vcpus=1.0", "whole number");
	refuse("vcpus=0x10", "whole number");
	refuse("any=18446744073709551616", "too large");
	refuse("any=99999999999999999999999999", "too large");
	refuse("mem=1023K", "at least 1M");
	refuse("mem=1T", "a size");
	refuse("mem=1KB", "a size");
	refuse("mem=K", "a size");
	refuse("mem=17179869184G", "too large");
	refuse("delay=999ns", "must be 1us to 1h");
	refuse("delay=61m", "must be 1us to 1h");
	refuse("delay=1.5ns", "a time");	     /* finer than 1 ns */
	refuse("delay=1.0000000001s", "a time");
	refuse("delay=0.0000000000000000000000000000001s", "a time");
	refuse("delay=.5s", "a time");
	refuse("delay=1.s", "a time");
	refuse("delay=1.", "a time");
	refuse("delay=5 s", "a time");
	refuse("delay=5S", "a time");
	refuse("delay=-5s", "a time");
	refuse("delay=1e3", "a time");
	refuse("delay=999999999999999h", "too large");
	refuse("delay=18446744073709551615s", "too large");
	refuse("delay=3m30", "a time"); /* 30 what? */
	refuse("delay=30s3m", "a time");
	refuse("delay=3m3m", "a time");
	refuse("delay=3m30s ", "a time");
	refuse("delay=sm", "a time");
	refuse("delay=5msm", "a time");
	refuse("delay=5hmnsu", "a time");
}

static void bad_texts(void **state)
{
	refuse("nett=nat", "unknown option 'nett' of 'oci'; did you mean 'net'?");
	refuse("lable=x", "did you mean 'label'?"); /* from the second table */
	refuse("zzzzzz=1", "it has: net, readonly, seccomp, vcpus, mem, delay, any, label");
	refuse("zzzzzz", "it has: net");
	refuse("net", "needs a value");
	refuse("net=nat,net=nat", "given twice");
	refuse("readonly,readonly=off", "given twice");
	refuse("=nat", "without a name");
	refuse(",", "without a name");
	refuse("net=nat,", "without a name");
	refuse(",net=nat", "without a name");
	refuse("net=nat,,readonly", "without a name");
	refuse(" net=nat", "unknown option ' net'");
	refuse("label=a\nb", "control character");
	refuse("label=a\x1b[31m", "control character");
}

static void no_options_at_all(void **state)
{
	static const struct opt_def none[] = { OPT_END };
	const struct opt_def *const empty[] = { none, NULL };
	struct vt_err err = { 0 };
	struct opt_set s;

	assert_int_equal(opt_parse(&s, empty, "", "native", NULL), 0);
	opt_release(&s);
	assert_int_equal(opt_parse(&s, empty, "x=1", "native", &err), -EINVAL);
	assert_string_equal(err.msg, "'native' takes no options; remove 'x'");
}

static void huge_texts(void **state)
{
	char text[OPT_TEXT_MAX + 2];

	memset(text, 'x', sizeof text);
	memcpy(text, "label=", 6);
	text[sizeof text - 1] = '\0';
	refuse(text, "longer than");
	text[OPT_TEXT_MAX] = '\0';
	{
		struct opt_set s;

		assert_int_equal(opt_parse(&s, tables, text, "oci", NULL), 0);
		assert_int_equal(strlen(opt_str(&s, "label")), OPT_TEXT_MAX - 6);
		opt_release(&s);
	}
	memcpy(text, "net=zz", 6); /* the quoted value must leave room for the advice */
	refuse(text, "must be host|bridge|nat|macvlan");
}

static void bad_default_is_found(void **state)
{
	static const struct opt_def wrong[] = { { "n", OPT_UINT, "none", NULL, 0, 0, "count" }, OPT_END };
	const struct opt_def *const t[] = { wrong, NULL };
	struct opt_set s;

	assert_true(opt_parse(&s, t, "", "oci", NULL) < 0);
}

/* Asking for a name that no table has is a bug in vtax, and must not read as "unset". */
static void unknown_look_up_aborts(void **state)
{
	struct opt_set s;
	int status;
	pid_t pid;

	assert_int_equal(opt_parse(&s, tables, "", "oci", NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit no_core = { 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		opt_num(&s, "nett");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	opt_release(&s);
}

static void check_format(const char *text, bool all, const char *expected)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1024);
	struct opt_set s;

	assert_int_equal(opt_parse(&s, tables, text, "oci", NULL), 0);
	assert_int_equal(opt_format(&s, all, &out), 0);
	assert_string_equal(buf_str(&out), expected);
	opt_release(&s);
}

static void formats_back(void **state)
{
	check_format("", false, "");
	check_format("label=x,readonly,net=nat", false, "net=nat,readonly=on,label=x"); /* table order */
	check_format("net=nat", true, "net=nat,seccomp=on,mem=1G,delay=1.5s");
	check_format("mem=2048M", false, "mem=2048M"); /* as written */
}

static void format_reports_a_full_buffer(void **state)
{
	_cleanup_buf_ struct buf out = BUF_INIT(10);
	struct opt_set s;

	assert_int_equal(opt_parse(&s, tables, "", "oci", NULL), 0);
	assert_int_equal(opt_format(&s, true, &out), -ENOBUFS);
	opt_release(&s);
}

static void walks_what_has_a_value(void **state)
{
	static const char *const names[] = { "net", "seccomp", "vcpus", "mem", "delay" };
	const struct opt_def *def = NULL;
	const struct opt_val *val = NULL;
	struct opt_set s;
	size_t i = 0;

	assert_int_equal(opt_parse(&s, tables, "vcpus=2", "oci", NULL), 0);
	for (; opt_at(&s, i, &def, &val); i++) {
		assert_true(i < ARRAY_SIZE(names));
		assert_string_equal(def->name, names[i]);
		assert_int_equal(val->given, strcmp(def->name, "vcpus") == 0);
	}
	assert_int_equal(i, ARRAY_SIZE(names));
	opt_release(&s);
}

static void check_expand(const char *text, size_t n, ...)
{
	_cleanup_strvec_ struct strvec out = STRVEC_INIT;
	va_list ap;

	strvec_push(&out, "before");
	assert_int_equal(opt_expand(tables, text, "oci", &out, NULL), 0);
	assert_int_equal(out.n, n + 1);
	assert_string_equal(out.v[0], "before");
	va_start(ap, n);
	for (size_t i = 1; i <= n; i++)
		assert_string_equal(out.v[i], va_arg(ap, const char *));
	va_end(ap);
}

static void expands_globs(void **state)
{
	check_expand(NULL, 1, "");
	check_expand("", 1, "");
	check_expand("net=nat,label=x", 1, "net=nat,label=x");
	check_expand("net=*", 4, "net=host", "net=bridge", "net=nat", "net=macvlan");
	check_expand("net=?a?", 1, "net=nat");
	check_expand("net=[hm]*", 2, "net=host", "net=macvlan");
	check_expand("readonly=*", 2, "readonly=on", "readonly=off");
	check_expand("net=[bn]*,vcpus=2,readonly=o*", 4, "net=bridge,vcpus=2,readonly=on",
		"net=bridge,vcpus=2,readonly=off", "net=nat,vcpus=2,readonly=on",
		"net=nat,vcpus=2,readonly=off");
	/* Only where a list of words exists: a star in a text is a star; numbers are left to opt_parse(). */
	check_expand("label=*", 1, "label=*");
	check_expand("vcpus=*", 1, "vcpus=*");
	check_expand("nonsense=*", 1, "nonsense=*");
}

static void refuse_expansion(const struct opt_def *const *t, const char *text, const char *because)
{
	_cleanup_strvec_ struct strvec out = STRVEC_INIT;
	struct vt_err err = { 0 };

	assert_int_equal(opt_expand(t, text, "oci", &out, &err), -EINVAL);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	if (!strstr(err.msg, because))
		fail_msg("'%s' does not say '%s'", err.msg, because);
	assert_int_equal(out.n, 0);
}

static void refuses_expansions(void **state)
{
	static const struct opt_def many[] = {
		{ "a", OPT_ENUM, NULL, "0|1|2|3|4|5|6|7", 0, 0, "" },
		{ "b", OPT_ENUM, NULL, "0|1|2|3|4|5|6|7", 0, 0, "" },
		{ "c", OPT_ENUM, NULL, "0|1|2|3|4|5|6|7", 0, 0, "" },
		{ "d", OPT_ENUM, NULL, "0|1|2|3", 0, 0, "" },
		OPT_END,
	};
	const struct opt_def *const big[] = { many, NULL };
	_cleanup_strvec_ struct strvec out = STRVEC_INIT;
	_cleanup_buf_ struct buf text = BUF_INIT(9000);

	refuse_expansion(tables, "net=x*", "matches none of host|bridge|nat|macvlan");
	refuse_expansion(tables, "vcpus=1,readonly=?", "matches none of on|off");
	refuse_expansion(big, "a=*,b=*,c=*", "more than 256"); /* 512 */
	assert_int_equal(opt_expand(big, "a=*,b=*,d=*", "oci", &out, NULL), 0);
	assert_int_equal(out.n, 256);
	assert_string_equal(out.v[255], "a=7,b=7,d=3");
	for (int i = 0; i < 65; i++)
		buf_puts(&text, "a=*,");
	refuse_expansion(big, buf_str(&text), "more than");
	buf_clear(&text);
	for (int i = 0; i < 65; i++)
		buf_puts(&text, "label=x,");
	refuse_expansion(tables, buf_str(&text), "more than 64 options");
	for (int i = 0; i < 1000; i++)
		buf_puts(&text, "label=x,");
	refuse_expansion(tables, buf_str(&text), "longer than");
}

static void help_lines(void **state)
{
	_cleanup_buf_ struct buf out = BUF_INIT(4096);

	opt_help(own, &out);
	opt_help(common, &out);
	assert_string_equal(buf_str(&out),
		"  net=host|bridge|nat|macvlan   how the client reaches it (default bridge)\n"
		"  readonly=on|off               read-only root\n"
		"  seccomp=on|off                system call filter (default on)\n"
		"  vcpus=N                       processors (1 to 64)\n"
		"  mem=BYTES                     memory (at least 1M; default 1G)\n"
		"  delay=TIME                    added delay (1us to 1h; default 1.5s)\n"
		"  any=N                         unbounded\n"
		"  label=TEXT                    name in tables\n");
}

static void help_wraps_a_long_head(void **state)
{
	static const struct opt_def t[] = {
		{ "namespace", OPT_ENUM, "a", "a|quite|long|list|of|words", 0, 0, "which" },
		OPT_END,
	};
	_cleanup_buf_ struct buf out = BUF_INIT(4096);

	opt_help(t, &out);
	assert_string_equal(buf_str(&out), "  namespace=a|quite|long|list|of|words\n"
					   "                                which (default a)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(given_values),
		cmocka_unit_test(notations),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(bad_texts),
		cmocka_unit_test(no_options_at_all),
		cmocka_unit_test(huge_texts),
		cmocka_unit_test(bad_default_is_found),
		cmocka_unit_test(unknown_look_up_aborts),
		cmocka_unit_test(formats_back),
		cmocka_unit_test(format_reports_a_full_buffer),
		cmocka_unit_test(walks_what_has_a_value),
		cmocka_unit_test(expands_globs),
		cmocka_unit_test(refuses_expansions),
		cmocka_unit_test(help_lines),
		cmocka_unit_test(help_wraps_a_long_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
