/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each gate is made to fire by readings that only it should object to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "campaign/gates.h"

#include <math.h>
#include <string.h>

struct fixture {
	struct trial_result r;
	struct trial_info info;
	struct testbed tb;
	struct workload w;
};

/* A healthy second on two CPUs: env 0.4 s, client 0.3 s, softirq 0.1 s, host 0.9 s, 1000 transactions. */
static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof f);
	f.info.begin.taken = f.info.end.taken = true;
	f.info.end.host.at_ns = NS_PER_S;
	f.info.end.host.ncpus = f.info.begin.host.ncpus = 2;
	f.info.end.host.user_ns = 300 * NS_PER_MS;
	f.info.end.host.system_ns = 500 * NS_PER_MS;
	f.info.end.host.softirq_ns = 100 * NS_PER_MS;
	f.info.end.host.idle_ns = 1100 * NS_PER_MS;
	f.info.end.env_ns = 400 * NS_PER_MS;
	f.info.end.client_ns = 300 * NS_PER_MS;
	f.info.testbed_as_asked = true;
	f.info.cable_packets = 2000;
	f.info.cable_bytes = 120000;
	snprintf(f.info.client_cpus, sizeof f.info.client_cpus, "1");
	snprintf(f.info.sut_cpus, sizeof f.info.sut_cpus, "0");
	f.tb.config.pin = true;
	f.tb.client.cpu = 1;
	f.tb.sut.cpu = 0;
	f.r.ops = 1000;
	f.w.ops = workload_find("tcp_rr");
	*state = &f;
	return 0;
}

static const char *only_gate(struct fixture *f)
{
	struct gate_limits limits;
	struct plan p;

	plan_init(&p);
	limits = gate_limits_of(&p);
	gates_check(&f->r, &f->info, &f->tb, &f->w, &limits);
	if (f->r.ngates > 1)
		fail_msg("more than one gate: %s, %s", f->r.gates[0].name, f->r.gates[1].name);
	return f->r.ngates ? f->r.gates[0].name : "";
}

static void a_healthy_trial_passes(void **state)
{
	assert_string_equal(only_gate(*state), "");
}

static void steal_fires(void **state)
{
	struct fixture *f = *state;

	f->info.end.host.steal_ns = 300 * NS_PER_MS;
	assert_string_equal(only_gate(f), "steal");
}

static void other_load_fires(void **state)
{
	struct fixture *f = *state;

	f->info.end.host.user_ns += 500 * NS_PER_MS;
	f->info.end.host.idle_ns -= 500 * NS_PER_MS;
	assert_string_equal(only_gate(f), "other-load");
}

static void packets_handled_in_threads_are_no_other_load(void **state)
{
	struct fixture *f = *state;

	f->info.end.host.softirq_ns += 500 * NS_PER_MS;
	f->info.end.host.idle_ns -= 500 * NS_PER_MS;
	f->info.end.host.ksoftirqd_ns = 500 * NS_PER_MS;
	assert_string_equal(only_gate(f), "");
}

static void affinity_fires_for_each_side(void **state)
{
	struct fixture *f = *state;

	snprintf(f->info.client_cpus, sizeof f->info.client_cpus, "0-1");
	assert_string_equal(only_gate(f), "affinity");
	setup(state);
	snprintf(f->info.sut_cpus, sizeof f->info.sut_cpus, "1");
	assert_string_equal(only_gate(f), "affinity");
	setup(state);
	snprintf(f->info.sut_cpus, sizeof f->info.sut_cpus, "0-1");
	f->tb.config.pin = false;
	assert_string_equal(only_gate(f), "");
}

static void a_changed_cable_fires(void **state)
{
	struct fixture *f = *state;

	f->info.testbed_as_asked = false;
	snprintf(f->info.testbed_why, sizeof f->info.testbed_why, "tso is off");
	assert_string_equal(only_gate(f), "testbed");
	assert_non_null(strstr(f->r.gates[0].reason, "tso is off"));
}

static void shortcut_fires(void **state)
{
	struct fixture *f = *state;

	f->info.cable_packets = 12;
	assert_string_equal(only_gate(f), "shortcut");
	setup(state);
	f->r.bytes = 1000000;
	f->w.ops = workload_find("tcp_stream");
	assert_string_equal(only_gate(f), "shortcut");
}

static void a_saturated_client_fires_unless_by_design(void **state)
{
	struct fixture *f = *state;

	f->info.end.client_ns = 980 * NS_PER_MS;
	f->info.end.env_ns = 0;
	f->info.end.host.user_ns += 200 * NS_PER_MS;
	assert_string_equal(only_gate(f), "client-saturated");
	setup(state);
	f->info.end.client_ns = 980 * NS_PER_MS;
	f->info.end.env_ns = 0;
	f->info.end.host.user_ns += 200 * NS_PER_MS;
	f->w.ops = workload_find("udp_stream");
	assert_string_equal(only_gate(f), "");
}

static void unreadable_cpu_time_fires(void **state)
{
	struct fixture *f = *state;

	f->info.end.taken = false;
	assert_string_equal(only_gate(f), "cpu");
}

static void cpu_time_is_split_per_operation(void **state)
{
	struct fixture *f = *state;

	gates_cpu_metrics(&f->r, &f->info);
	assert_true(fabs(trial_metric_get(&f->r, "cpu_host_ns_per_op") - 900000) < 1);
	assert_true(fabs(trial_metric_get(&f->r, "cpu_env_ns_per_op") - 400000) < 1);
	assert_true(fabs(trial_metric_get(&f->r, "cpu_client_ns_per_op") - 300000) < 1);
	assert_true(fabs(trial_metric_get(&f->r, "cpu_softirq_ns_per_op") - 100000) < 1);
	assert_true(fabs(trial_metric_get(&f->r, "cpu_rest_ns_per_op") - 200000) < 1);
	assert_true(fabs(trial_metric_get(&f->r, "service_demand_us_per_transaction") - 900) < 1e-6);
	assert_true(fabs(trial_metric_get(&f->r, "client_cpu_ratio") - 0.3) < 1e-9);
	assert_true(isnan(trial_metric_get(&f->r, "cpu_host_ns_per_byte")));
}

static void cpu_time_is_split_per_byte(void **state)
{
	struct fixture *f = *state;

	f->r.bytes = 1024000;
	gates_cpu_metrics(&f->r, &f->info);
	assert_true(fabs(trial_metric_get(&f->r, "cpu_host_ns_per_byte") - 9e8 / 1024000) < 1e-6);
	assert_true(fabs(trial_metric_get(&f->r, "service_demand_us_per_kb") - 900) < 1e-6);
	assert_true(isnan(trial_metric_get(&f->r, "cpu_host_ns_per_op")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_healthy_trial_passes, setup),
		cmocka_unit_test_setup(steal_fires, setup),
		cmocka_unit_test_setup(other_load_fires, setup),
		cmocka_unit_test_setup(packets_handled_in_threads_are_no_other_load, setup),
		cmocka_unit_test_setup(affinity_fires_for_each_side, setup),
		cmocka_unit_test_setup(a_changed_cable_fires, setup),
		cmocka_unit_test_setup(shortcut_fires, setup),
		cmocka_unit_test_setup(a_saturated_client_fires_unless_by_design, setup),
		cmocka_unit_test_setup(unreadable_cpu_time_fires, setup),
		cmocka_unit_test_setup(cpu_time_is_split_per_operation, setup),
		cmocka_unit_test_setup(cpu_time_is_split_per_byte, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
