/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean …?" answers typos, and keeps quiet about words that are merely short. */
#include "base/suggest.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = { "native", "null", "delay", "oci", "docker", "bridge", "macvlan", "nat" };

static const char *near(const char *word)
{
	return suggest_nearest(word, names, ARRAY_SIZE(names));
}

static void one_edit_of_each_kind(void **state)
{
	assert_string_equal(near("dockr"), "docker");	 /* a letter missing */
	assert_string_equal(near("dockker"), "docker");	 /* one too many */
	assert_string_equal(near("dicker"), "docker");	 /* a wrong one */
	assert_string_equal(near("dokcer"), "docker");	 /* two swapped */
	assert_string_equal(near("docker"), "docker");
}

/* A swap costs one edit, not two: "nta" is 1 from "nat" (limit 1 + 3/3 = 2), and wins over "null" (3). */
static void swap_costs_one(void **state)
{
	const char *const words[] = { "ntab", "nat" }; /* 1 by insertion comes first, and stays on a tie */

	assert_string_equal(near("nta"), "nat");
	assert_string_equal(suggest_nearest("nta", words, 2), "ntab");
	assert_string_equal(suggest_nearest("nta", words + 1, 1), "nat");
	/* Length 2 allows a distance of 1: only a swap is that near. */
	assert_string_equal(suggest_nearest("ab", (const char *const[]){ "ba" }, 1), "ba");
	assert_null(suggest_nearest("ab", (const char *const[]){ "bcd" }, 1));
}

static void limit_grows_with_length(void **state)
{
	assert_string_equal(near("mcvaln"), "macvlan");	 /* 2 of 6 letters: limit 3 */
	assert_null(near("macintosh"));
	assert_null(near("zzz"));
	assert_null(near("kubernetes"));
}

static void nothing_in_common_is_no_typo(void **state)
{
	const char *const words[] = { "x", "qo" };

	assert_null(suggest_nearest("y", words, 2)); /* distance 1 is within the limit, but keeps no letter */
	assert_null(suggest_nearest("", words, 2));
}

static void awkward_lists(void **state)
{
	char longer[200];

	memset(longer, 'a', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_null(suggest_nearest("nat", NULL, 0));
	assert_null(near(longer));
	assert_null(suggest_nearest("a", (const char *const[]){ longer }, 1));
	longer[64] = '\0';
	assert_ptr_equal(suggest_nearest(longer, (const char *const[]){ longer }, 1), longer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_edit_of_each_kind),
		cmocka_unit_test(swap_costs_one),
		cmocka_unit_test(limit_grows_with_length),
		cmocka_unit_test(nothing_in_common_is_no_typo),
		cmocka_unit_test(awkward_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
