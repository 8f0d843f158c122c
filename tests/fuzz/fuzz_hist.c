/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an encoded histogram. What is accepted is one that recording could have made: its counts add
 * up, its quantiles rise and stay within min and max, it merges, and it encodes to the same bytes.
 */
#include "stats/hist.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hist h, sum;
static uint8_t again[HIST_ENCODED_MAX];

static void require(int true_)
{
	if (!true_)
		abort();
}

static void check_contents(void)
{
	uint64_t count, total = 0;
	double value, before = -1;
	unsigned cursor = 0;

	while (hist_next(&h, &cursor, &value, &count)) {
		require(count > 0 && value >= before);
		require(value >= (double)h.min && value <= (double)h.max);
		before = value;
		total += count;
	}
	require(total == h.n);
	before = 0;
	for (size_t i = 0; i < hist_percentiles_n && h.n; i++) {
		double q = hist_quantile(&h, hist_percentiles[i].q);

		require(q >= before && q >= (double)h.min && q <= (double)h.max);
		before = q;
	}
	require(h.n ? isfinite(hist_mean(&h)) : isnan(hist_mean(&h)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	long n;
	int r = hist_decode(&h, data, size);

	require(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	check_contents();
	if (r < 0) {
		require(h.n == 0);
		return 0;
	}
	n = hist_encode(&h, again, sizeof again);
	require(n == (long)size && memcmp(again, data, size) == 0);
	hist_init(&sum);
	hist_merge(&sum, &h);
	hist_merge(&sum, &h);
	require(sum.n == 2 * h.n && sum.min == h.min && sum.max == h.max);
	return 0;
}
