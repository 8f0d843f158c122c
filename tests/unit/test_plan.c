/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "campaign/plan.h"

#include <string.h>

static int parse(struct plan *p, const char *yaml, struct vt_err *err)
{
	return plan_parse(p, yaml, strlen(yaml), "test.yaml", err);
}

static void reads_every_key(void **state)
{
	struct vt_err err = { 0 };
	struct plan p;

	assert_int_equal(parse(&p,
				 "suite: mine\ndescription: what it is\nduration: 250ms\nwarmup: 0\nblocks: 7\n"
				 "max_blocks: 9\nmax_steal: 7%\nmax_other_load: 0.5\ntime_budget: 2m\ntarget: 2%\npin: off\noffload: no\nmtu: 9000\n"
				 "baseline: oci\ntechniques: [native, \"oci:net=nat,label=x\"]\nworkloads:\n  - tcp_rr\n",
				 &err),
		0);
	assert_string_equal(p.suite, "mine");
	assert_string_equal(p.description, "what it is");
	assert_int_equal(p.duration_ns, 250 * NS_PER_MS);
	assert_int_equal(p.warmup_ns, 0);
	assert_int_equal(p.blocks_min, 7);
	assert_int_equal(p.blocks_max, 9);
	assert_int_equal(p.time_budget_ns, 120 * NS_PER_S);
	assert_true(p.target > 0.0199 && p.target < 0.0201);
	assert_true(p.max_steal == 0.07);
	assert_true(p.max_other_load == 0.5);
	assert_false(p.pin);
	assert_false(p.offload);
	assert_int_equal(p.mtu, 9000);
	assert_string_equal(p.baseline, "oci");
	assert_int_equal(p.techniques.n, 2);
	assert_string_equal(p.techniques.v[1], "oci:net=nat,label=x");
	assert_int_equal(p.workloads.n, 1);
	assert_int_equal(plan_check(&p, &err), 0);
	plan_release(&p);
}

static void has_defaults(void **state)
{
	struct vt_err err = { 0 };
	struct plan p;

	assert_int_equal(parse(&p, "workloads: [tcp_rr]\n", &err), 0);
	assert_int_equal(p.duration_ns, NS_PER_S);
	assert_true(p.pin);
	assert_int_equal(plan_check(&p, &err), -EINVAL);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_non_null(strstr(err.msg, "no techniques"));
	plan_release(&p);
}

/* Each of these is a usage error whose message names the file, and none of them crashes or leaks. */
static void refuses_what_is_no_plan(void **state)
{
	static const char *const bad[] = {
		"",
		"just text",
		"- a\n- b\n",
		"techniques: native\n",
		"techniques: {a: b}\n",
		"unknown_key: 1\n",
		"duration: soon\n",
		"duration: 0\n",
		"duration: -1s\n",
		"blocks: 0\n",
		"blocks: many\n",
		"blocks: 99999999999999999999\n",
		"target: 200%\n",
		"target: wide\n",
		"target: nan\n",
		"pin: perhaps\n",
		"mtu: 5\n",
		"a: &x [1]\nb: *x\n",
		"techniques: [native\n",
		"\t\tsuite: x\n",
		"suite: \"\xff\xfe\"\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vt_err err = { 0 };
		struct plan p;
		int r = parse(&p, bad[i], &err);

		if (r == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.kind, VT_ERR_USAGE);
		assert_non_null(strstr(err.msg, "test.yaml"));
	}
}

static void refuses_the_huge(void **state)
{
	_cleanup_free_ char *big = xmalloc(PLAN_MAX_BYTES + 2);
	_cleanup_buf_ struct buf many = BUF_INIT(PLAN_MAX_BYTES);
	struct vt_err err = { 0 };
	struct plan p;

	memset(big, '#', PLAN_MAX_BYTES + 1);
	assert_true(plan_parse(&p, big, PLAN_MAX_BYTES + 1, "big", &err) < 0);
	assert_non_null(strstr(err.msg, "more than"));
	buf_puts(&many, "techniques:\n");
	for (int i = 0; i <= PLAN_MAX_ITEMS; i++)
		buf_puts(&many, "- native\n");
	assert_true(plan_parse(&p, buf_str(&many), many.len, "many", &err) < 0);
	assert_true(plan_parse(&p, "suite: a\0b", 10, "nul", &err) < 0);
	assert_non_null(strstr(err.msg, "NUL"));
}

static void refuses_contradictions(void **state)
{
	struct vt_err err = { 0 };
	struct plan p;

	assert_int_equal(parse(&p, "blocks: 9\nmax_blocks: 3\ntechniques: [native]\nworkloads: [tcp_rr]\n", &err), 0);
	assert_true(plan_check(&p, &err) < 0);
	assert_non_null(strstr(err.msg, "contradiction"));
	plan_release(&p);
	assert_int_equal(parse(&p, "pin: off\nsteer: on\ntechniques: [native]\nworkloads: [tcp_rr]\n", &err), 0);
	assert_true(plan_check(&p, &err) < 0);
	assert_non_null(strstr(err.msg, "steer"));
	plan_release(&p);
}

static void survives_storage(void **state)
{
	struct vt_err err = { 0 };
	struct plan p, q;
	json_t *o;

	assert_int_equal(parse(&p, "suite: s\nduration: 3s\nblocks: 4\ntarget: 0.05\nbaseline: b\npin: off\n"
				   "techniques: [a, \"b:c=d\"]\nworkloads: [w]\n", &err), 0);
	o = plan_to_json(&p);
	assert_non_null(o);
	_cleanup_free_ char *text = json_dumps(o, 0);

	json_decref(o);
	assert_int_equal(plan_from_json(&q, text, &err), 0);
	assert_string_equal(q.suite, "s");
	assert_int_equal(q.duration_ns, 3 * NS_PER_S);
	assert_int_equal(q.blocks_min, 4);
	assert_true(q.target == p.target);
	assert_true(q.max_steal == p.max_steal);
	assert_string_equal(q.baseline, "b");
	assert_false(q.pin);
	assert_string_equal(q.techniques.v[1], "b:c=d");
	plan_release(&p);
	plan_release(&q);
	assert_true(plan_from_json(&q, "{\"suite\": 1}", &err) < 0);
	assert_true(plan_from_json(&q, "not json", &err) < 0);
}

static void finds_suites(void **state)
{
	struct vt_err err = { 0 };
	struct plan p;

	assert_true(plan_load(&p, "quik", &err) < 0);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_true(plan_load(&p, "/nonexistent/suite.yaml", &err) < 0);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_true(plan_load(&p, "/", &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_key),	  cmocka_unit_test(has_defaults),
		cmocka_unit_test(refuses_what_is_no_plan), cmocka_unit_test(refuses_the_huge),
		cmocka_unit_test(refuses_contradictions),  cmocka_unit_test(survives_storage),
		cmocka_unit_test(finds_suites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
