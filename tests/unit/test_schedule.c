/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "campaign/schedule.h"

#include <string.h>

#define N 6

static void is_permutation(const unsigned *a, size_t n)
{
	unsigned seen[64] = { 0 };

	for (size_t i = 0; i < n; i++) {
		assert_true(a[i] < n);
		assert_int_equal(seen[a[i]]++, 0);
	}
}

static void orders_are_permutations(void **state)
{
	unsigned order[N];

	for (unsigned block = 0; block < 200; block++) {
		schedule_techniques(42, block, 3, order, N);
		is_permutation(order, N);
		schedule_workloads(42, block, order, N);
		is_permutation(order, N);
	}
}

static void orders_repeat_with_the_seed(void **state)
{
	unsigned a[N], b[N];

	for (unsigned block = 0; block < 50; block++) {
		schedule_techniques(7, block, 2, a, N);
		schedule_techniques(7, block, 2, b, N);
		assert_memory_equal(a, b, sizeof a);
	}
}

/* Different seeds, blocks and workloads give different orders, nearly always: 1/720 chance of a coincidence. */
static void orders_differ(void **state)
{
	unsigned a[N], b[N], same_seed = 0, same_block = 0, same_workload = 0;

	for (unsigned i = 0; i < 200; i++) {
		schedule_techniques(1, i, 0, a, N);
		schedule_techniques(2, i, 0, b, N);
		same_seed += memcmp(a, b, sizeof a) == 0;
		schedule_techniques(1, i + 1, 0, b, N);
		same_block += memcmp(a, b, sizeof a) == 0;
		schedule_techniques(1, i, 1, b, N);
		same_workload += memcmp(a, b, sizeof a) == 0;
	}
	assert_true(same_seed < 10 && same_block < 10 && same_workload < 10);
}

/* Every technique comes first about equally often: 600 blocks of 6, 100 expected, 5 sigma is 46. */
static void positions_are_balanced(void **state)
{
	unsigned first[N] = { 0 }, order[N];

	for (unsigned block = 0; block < 600; block++) {
		schedule_techniques(99, block, 0, order, N);
		first[order[0]]++;
	}
	for (unsigned i = 0; i < N; i++)
		assert_in_range(first[i], 54, 146);
}

static void seeds_fit_json(void **state)
{
	uint64_t a = schedule_fresh_seed(), b = schedule_fresh_seed();

	assert_true(a < (UINT64_C(1) << 53));
	assert_true(a != b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_permutations), cmocka_unit_test(orders_repeat_with_the_seed),
		cmocka_unit_test(orders_differ),	   cmocka_unit_test(positions_are_balanced),
		cmocka_unit_test(seeds_fit_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
