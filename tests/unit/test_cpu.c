/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU accounting from literal texts and numbers; lists, choice of CPUs, affinity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/cpu.h"

#include <math.h>
#include <sys/wait.h>

static const char proc_stat[] = "cpu  2486 10 1611 210625 224 3 35 7 1 0\n"
				"cpu0 796 0 651 106015 3 0 8 1 0 0\n"
				"cpu1 1689 0 959 104610 220 0 27 5 0 0\n"
				"intr 134492 0 0 7\n"
				"ctxt 18446744073709551615\n"
				"btime 1\nprocesses 5\n"
				"softirq 3344 1 2 3\n";

static void test_parse(void **state)
{
	struct cpu_sample s = { 0 };

	assert_int_equal(cpu_sample_parse(&s, proc_stat, 100, NULL), 0);
	assert_int_equal(s.user_ns, 24860000000);
	assert_int_equal(s.nice_ns, 100000000);
	assert_int_equal(s.system_ns, 16110000000);
	assert_int_equal(s.idle_ns, 2106250000000);
	assert_int_equal(s.iowait_ns, 2240000000);
	assert_int_equal(s.irq_ns, 30000000);
	assert_int_equal(s.softirq_ns, 350000000);
	assert_int_equal(s.steal_ns, 70000000);
	assert_int_equal(s.ncpus, 2);
	assert_int_equal(s.intr, 134492);
	assert_int_equal(s.ctxt, UINT64_MAX);
	assert_int_equal(s.softirqs, 3344);
	assert_int_equal(cpu_sample_parse(&s, proc_stat, 1000, NULL), 0);
	assert_int_equal(s.steal_ns, 7000000);
}

static void test_parse_nonsense(void **state)
{
	static const char *const bad[] = { "", "cpu", "cpu 1 2 3\n", "cpux 1 2 3 4 5 6 7 8\n", "intr 5\n",
		"cpu  1 2 3 4 5 6 7 8\n" /* no CPU */ };
	struct cpu_sample s;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cpu_sample_parse(&s, bad[i], 100, NULL), -EINVAL);
	assert_int_equal(cpu_sample_parse(&s, proc_stat, 0, NULL), -EINVAL);
}

/* One second on two CPUs. */
static void second(struct cpu_sample *a, struct cpu_sample *b)
{
	*a = (struct cpu_sample){ .at_ns = 5 * NS_PER_S,
		.idle_ns = 100 * NS_PER_S,
		.iowait_ns = NS_PER_S,
		.user_ns = 7,
		.precise_busy_ns = 50 * NS_PER_S,
		.ncpus = 2 };
	*b = *a;
	b->at_ns += NS_PER_S;
}

static void test_busy_is_the_complement_of_idle(void **state)
{
	struct cpu_sample a, b;
	struct cpu_usage u;

	second(&a, &b);
	b.idle_ns += 700 * NS_PER_MS;
	b.iowait_ns += 100 * NS_PER_MS;
	b.steal_ns += 200 * NS_PER_MS;
	b.user_ns += 300 * NS_PER_MS; /* the poll saw less than ran */
	b.system_ns += 300 * NS_PER_MS;
	b.softirq_ns += 150 * NS_PER_MS;
	b.irq_ns += 50 * NS_PER_MS;
	b.precise_busy_ns += 900 * NS_PER_MS;
	cpu_usage_between(&u, &a, &b);
	assert_true(fabs(u.wall_ns - 1e9) < 1);
	assert_true(fabs(u.busy_ns - 1e9) < 1);
	assert_true(fabs(u.softirq_ns - 0.25e9) < 1); /* 200 of 800 polled, of 1000 */
	assert_true(fabs(u.steal_ratio - 0.1) < 1e-9);

	b.precise_busy_ns += 150 * NS_PER_MS; /* the exact sum bounds it below */
	cpu_usage_between(&u, &a, &b);
	assert_true(fabs(u.busy_ns - 1.05e9) < 1);
	a.precise_busy_ns = 0; /* no such account at one end: not a second of 50 s */
	cpu_usage_between(&u, &a, &b);
	assert_true(fabs(u.busy_ns - 1e9) < 1);
}

static void test_bounds(void **state)
{
	struct cpu_sample a, b;
	struct cpu_usage u;

	second(&a, &b);
	b.idle_ns += 2020 * NS_PER_MS; /* rounding: more idle than time */
	b.precise_busy_ns = a.precise_busy_ns;
	cpu_usage_between(&u, &a, &b);
	assert_true(u.busy_ns >= 0 && u.busy_ns < 1);
	assert_true(u.softirq_ns >= 0 && u.softirq_ns < 1);

	second(&a, &b);
	b.iowait_ns -= 500 * NS_PER_MS; /* iowait may step back */
	b.precise_busy_ns += 3 * NS_PER_S;
	cpu_usage_between(&u, &a, &b);
	assert_true(fabs(u.busy_ns - 2e9) < 1);

	second(&a, &b);
	b.ncpus = 3;
	b.user_ns += 400 * NS_PER_MS;
	cpu_usage_between(&u, &a, &b);
	assert_true(fabs(u.busy_ns - 0.4e9) < 1);

	cpu_usage_between(&u, &a, &a);
	assert_true(
		u.wall_ns >= 0 && u.wall_ns < 1 && u.busy_ns >= 0 && u.busy_ns < 1 && !isnan(u.steal_ratio));
}

static void test_read_the_machine(void **state)
{
	struct cpu_sample a, b;
	struct vt_err err = { 0 };
	struct cpu_usage u;

	assert_int_equal(cpu_sample_read(&a, &err), 0);
	for (volatile unsigned i = 0; i < 30000000; i++)
		;
	assert_int_equal(cpu_sample_read(&b, &err), 0);
	assert_true(b.at_ns > a.at_ns);
	assert_true(b.precise_busy_ns >= a.precise_busy_ns);
	assert_true(b.ctxt >= a.ctxt);
	cpu_usage_between(&u, &a, &b);
	assert_true(u.busy_ns >= 0 && u.busy_ns <= u.wall_ns * b.ncpus + 1);
}

static void test_lists(void **state)
{
	static const struct {
		const char *text, *again;
	} good[] = { { "0", "0" }, { "0-1,4", "0-1,4" }, { "3,2,1", "1-3" }, { "0-3\n", "0-3" }, { "", "" },
		{ "\n", "" }, { "1023", "1023" }, { "0,2,4,6-8", "0,2,4,6-8" } };
	static const char *const bad[] = { ",", "1,", ",1", "a", "1-", "-1", "3-1", "1024", "0-1024", "1 2",
		"1\n2", "99999999999999999999", "0x1", "1--2", "1,,2", " 1" };
	char out[64];
	cpu_set_t set, kept;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(cpu_list_parse(good[i].text, &set, NULL), 0);
		cpu_list_format(&set, out, sizeof out);
		assert_string_equal(out, good[i].again);
	}
	kept = set;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (cpu_list_parse(bad[i], &set, NULL) != -EINVAL)
			fail_msg("'%s' was taken for a list", bad[i]);
	assert_true(CPU_EQUAL(&set, &kept)); /* untouched */
	assert_int_equal(cpu_list_parse("0,10,20-29", &set, NULL), 0);
	cpu_list_format(&set, out, 6); /* what does not fit is left out whole */
	assert_string_equal(out, "0,10");
}

static void choice(const struct cpu_place *p, size_t n, int sut, int client)
{
	int s = -7, c = -7;

	assert_true(cpu_choose_from(p, n, &s, &c));
	assert_int_equal(s, sut);
	assert_int_equal(c, client);
}

static void test_choice(void **state)
{
	/* { cpu, core, node, package, speed } */
	static const struct cpu_place siblings_adjacent[] = { { 0, 0, 0, 0, -1 }, { 1, 0, 0, 0, -1 },
		{ 2, 2, 0, 0, -1 }, { 3, 2, 0, 0, -1 } };
	static const struct cpu_place two_sockets[] = { { 0, 0, 0, 0, 5 }, { 1, 1, 1, 1, 5 },
		{ 2, 2, 0, 0, 5 }, { 3, 3, 1, 1, 5 } };
	static const struct cpu_place big_little[] = { { 0, 0, 0, 0, 1 }, { 1, 1, 0, 0, 1 },
		{ 4, 4, 0, 0, 9 }, { 5, 5, 0, 0, 9 } };
	static const struct cpu_place one_each[] = { { 2, 2, 0, 0, 1 }, { 3, 3, 0, 0, 9 },
		{ 4, 4, 1, 1, 9 } };
	static const struct cpu_place only_siblings[] = { { 4, 4, 0, 0, -1 }, { 5, 4, 0, 0, -1 } };
	static const struct cpu_place unknown[] = { { 0, -1, -1, -1, -1 }, { 1, -1, -1, -1, -1 } };
	int s = -7, c = -7;

	choice(siblings_adjacent, 4, 0, 2);
	choice(two_sockets, 4, 0, 2);
	choice(big_little, 4, 0, 1);
	choice(one_each, 3, 2, 3); /* the node matters more than the speed */
	choice(only_siblings, 2, 4, 5);
	choice(unknown, 2, 0, 1);
	assert_false(cpu_choose_from(unknown, 1, &s, &c));
	assert_false(cpu_choose_from(unknown, 0, &s, &c));
	assert_int_equal(s, -7);
}

/* In a child, since a test should not pin the tests after it. */
static int pinned_choice(void)
{
	int sut = -7, client = -7;
	struct vt_err err;
	cpu_set_t all, one;
	bool pinned;

	if (cpu_affinity_of(0, &all, &err) < 0 || cpu_choose(&sut, &client, &pinned, &err) < 0)
		return 1;
	if (pinned != (CPU_COUNT(&all) > 1))
		return 2;
	if (pinned && (sut >= client || !CPU_ISSET(sut, &all) || !CPU_ISSET(client, &all)))
		return 3;
	if (!pinned)
		return 0;
	if (cpu_pin_self(client, &err) < 0 || cpu_affinity_of(getpid(), &one, &err) < 0)
		return 4;
	if (CPU_COUNT(&one) != 1 || !CPU_ISSET(client, &one))
		return 5;
	/* Now there is one CPU to choose from: our own mask is respected. */
	if (cpu_choose(&sut, &client, &pinned, &err) < 0 || pinned || sut != -1 || client != -1)
		return 6;
	return 0;
}

static void test_pinning(void **state)
{
	struct vt_err err = { 0 };
	cpu_set_t set;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(pinned_choice());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(cpu_pin_self(-1, &err), -EINVAL);
	assert_int_equal(cpu_pin_self(CPU_SETSIZE, &err), -EINVAL);
	assert_true(cpu_pin_self(CPU_SETSIZE - 1, &err) < 0);
	assert_true(cpu_affinity_of(pid, &set, &err) < 0); /* it is gone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_nonsense),
		cmocka_unit_test(test_busy_is_the_complement_of_idle),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_read_the_machine),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_pinning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
