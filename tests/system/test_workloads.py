# SPDX-License-Identifier: GPL-2.0-or-later
"""Every workload and its options: all metrics are there, and they agree with each other."""

import json
import math
import os
import sqlite3
import struct

import pytest

from vtaxtest import PERCENTILES, USAGE, assert_ran, check_cells, primary

ENVIRONMENTS = ["native", "oci:net=bridge"]
RR = ["tcp_rr", "tcp_crr", "udp_rr"]
BULK = ["tcp_stream", "tcp_maerts", "udp_stream"]
ALL = [*RR, *BULK, "ping"]
LATENCY = [f"latency_{p}_ns" for p in ("mean", "min", "max", *PERCENTILES)]
COMMON = ["cpu_host_ratio", "client_cpu_ratio", "steal_ratio", "startup_ns", "drifts"]
PARTIES = ("host", "env", "monitor", "client", "softirq", "rest")
OWN = {
    "tcp_rr": ["transactions_per_s", "retransmits", *LATENCY],
    "tcp_crr": ["transactions_per_s", "retransmits", "port_waits", *LATENCY],
    "udp_rr": ["transactions_per_s", "lost_transactions", *LATENCY],
    "ping": ["transactions_per_s", "lost_transactions", *LATENCY],
    "tcp_stream": ["throughput_bits_per_s", "retransmits", "cwnd_segments", "rtt_ns", "elapsed_ns"],
    "tcp_maerts": ["throughput_bits_per_s", "retransmits", "cwnd_segments", "rtt_ns", "elapsed_ns"],
    "udp_stream": ["throughput_bits_per_s", "offered_bits_per_s", "lost_ratio", "reordered_datagrams",
                   "duplicate_datagrams", "jitter_ns", "sent_datagrams", "sent_bytes", "received_datagrams",
                   "received_bytes", "elapsed_ns"],
}


@pytest.fixture(scope="module")
def plain(shared, need):
    need("crun")
    return shared.campaign(ENVIRONMENTS, ALL, out="plain", flags=("-d", "200ms", "--warmup", "50ms", "-b", "1",
                                                                  "--no-html"))


@pytest.fixture(params=ENVIRONMENTS)
def environment_name(request):
    return request.param


def test_every_workload_runs(plain):
    check_cells(plain, ENVIRONMENTS, ALL)


@pytest.mark.parametrize("workload", ALL)
def test_metric_table_is_complete(plain, environment_name, workload):
    metrics = plain.metrics(workload, environment_name)
    unit = "byte" if workload in BULK else "op"
    wanted = {*OWN[workload], *COMMON, *(f"cpu_{p}_ns_per_{unit}" for p in PARTIES),
              "service_demand_us_per_kb" if workload in BULK else "service_demand_us_per_transaction"}
    assert set(metrics) == wanted
    for name, value in metrics.items():
        assert isinstance(value, (int, float)) and math.isfinite(value), f"{name}: {value}"
        # What nobody accounts for is a difference of readings, and may come out below zero.
        assert value >= 0 or name.startswith("cpu_rest_"), f"{name}: {value}"


@pytest.mark.parametrize("workload", [*RR, "ping"])
def test_percentiles_rise(plain, environment_name, workload):
    m = plain.metrics(workload, environment_name)
    ladder = [m[f"latency_{p}_ns"] for p in ("min", *PERCENTILES, "max")]
    assert ladder == sorted(ladder)
    assert m["latency_min_ns"] <= m["latency_mean_ns"] <= m["latency_max_ns"]
    assert ladder[0] > 0


@pytest.mark.parametrize("workload", [*RR, "ping"])
def test_rate_and_latency_agree(plain, environment_name, workload):
    """One in flight: the mean time of a transaction cannot exceed the time there was for each of them."""
    m = plain.metrics(workload, environment_name)
    assert m["latency_mean_ns"] * m["transactions_per_s"] <= 1.02e9


def stored(campaign, workload, technique):
    """Histogram and series of the only trial of a cell, and its measured time."""
    with sqlite3.connect(f"file:{campaign.dir}/results.db?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT h.name, h.data, s.data, t.measured_s FROM trial t JOIN cell c USING (workload, technique)"
            " JOIN hist h ON h.trial = t.id JOIN series s ON s.trial = t.id"
            " WHERE c.workload_name = ? AND c.technique_label = ?", (workload, technique)).fetchall()
    assert len(rows) == 1, f"{len(rows)} histograms and series of {workload} in {technique}"
    return rows[0]


@pytest.mark.parametrize("workload", [*RR, "ping"])
def test_histogram_holds_every_transaction(plain, environment_name, workload):
    name, blob, _, measured_s = stored(plain, workload, environment_name)
    m = plain.metrics(workload, environment_name)
    _, samples, over, least, greatest = struct.unpack_from("<IQQQQ", blob)
    # What the CPU time was divided by is the number of operations that the agent counted apart.
    operations = m["cpu_host_ratio"] * measured_s * 1e9 * os.cpu_count() / m["cpu_host_ns_per_op"]
    assert name == "latency" and over == 0
    assert samples == pytest.approx(operations, rel=1e-6)
    assert (least, greatest) == (m["latency_min_ns"], m["latency_max_ns"])


@pytest.mark.parametrize("workload", [*RR, "ping"])
def test_series_is_of_the_same_transactions(plain, environment_name, workload):
    _, blob, series, _ = stored(plain, workload, environment_name)
    samples = struct.unpack_from("<IQ", blob)[1]
    rates = struct.unpack(f"<{len(series) // 8}d", series)
    assert 18 <= len(rates) <= 20
    assert all(rate >= 0 for rate in rates)
    # 20 ticks of 10 ms; what ended after the last tick is in no tick.
    in_ticks = sum(rates) * 0.01
    assert in_ticks <= samples + 0.5
    assert in_ticks >= 0.5 * samples


def test_receiver_counts(plain, environment_name):
    m = plain.metrics("udp_stream", environment_name)
    assert m["received_bytes"] <= m["sent_bytes"]
    assert m["received_datagrams"] <= m["sent_datagrams"] + m["duplicate_datagrams"]
    assert m["throughput_bits_per_s"] <= m["offered_bits_per_s"] * (1 + 1e-9)
    assert m["throughput_bits_per_s"] == pytest.approx(8e9 * m["received_bytes"] / m["elapsed_ns"], rel=1e-6)
    assert m["offered_bits_per_s"] == pytest.approx(8e9 * m["sent_bytes"] / m["elapsed_ns"], rel=1e-6)
    assert m["lost_ratio"] == pytest.approx(max(0, 1 - m["received_datagrams"] / m["sent_datagrams"]), abs=1e-6)


@pytest.mark.parametrize("workload", BULK)
def test_elapsed_is_the_measured_time(plain, environment_name, workload):
    """The load ends by the clock, so it cannot have been shorter than asked."""
    assert plain.metrics(workload, environment_name)["elapsed_ns"] >= 199e6


@pytest.mark.parametrize("workload", ALL)
def test_cpu_adds_up(plain, environment_name, workload):
    m = plain.metrics(workload, environment_name)
    unit = "byte" if workload in BULK else "op"
    parts = sum(m[f"cpu_{p}_ns_per_{unit}"] for p in ("env", "monitor", "client", "rest"))
    assert parts == pytest.approx(m[f"cpu_host_ns_per_{unit}"], rel=1e-6, abs=1e-9)
    demand = m["service_demand_us_per_kb"] / 1024 if unit == "byte" else m["service_demand_us_per_transaction"]
    assert demand * 1e3 == pytest.approx(m[f"cpu_host_ns_per_{unit}"], rel=1e-6)
    assert 0 <= m["cpu_host_ratio"] <= 1.05
    assert m[f"cpu_client_ns_per_{unit}"] > 0
    if workload != "ping":
        assert m[f"cpu_env_ns_per_{unit}"] > 0, "the server used no CPU: its cgroup was not read"


VARIATIONS = [
    "tcp_rr:request=100,response=20000", "tcp_rr:streams=4", "tcp_rr:nodelay=off", "tcp_rr:sockbuf=64K",
    "tcp_crr:streams=2,response=1K", "tcp_crr:request=8K",
    "udp_rr:request=1000,response=1000", "udp_rr:streams=3,timeout=50ms", "udp_rr:response=65507",
    "tcp_stream:message=1K", "tcp_stream:message=1M,streams=3", "tcp_stream:sockbuf=128K,nodelay=off",
    "tcp_maerts:message=64K,streams=2", "tcp_maerts:sockbuf=128K",
    "udp_stream:message=24", "udp_stream:message=1472,streams=2", "udp_stream:message=512,interval=100us",
    "udp_stream:message=65507,sockbuf=1M",
    "ping:size=16", "ping:size=4000", "ping:interval=5ms", "ping:timeout=1s,interval=1ms",
]


@pytest.fixture(scope="module")
def varied(shared, need):
    need("crun")
    return shared.campaign(ENVIRONMENTS, VARIATIONS, out="varied")


def size(text):
    scale = {"K": 1 << 10, "M": 1 << 20}
    return int(text[:-1]) * scale[text[-1]] if text[-1] in scale else int(text)


def trials_of(campaign, text):
    """Trials of one variation, told apart by its parameters as resolved."""
    name, _, options = text.partition(":")
    wanted = dict(o.split("=") for o in options.split(","))

    def fits(params):
        for key, value in wanted.items():
            got = params[key]
            if isinstance(got, bool):
                if got != (value == "on"):
                    return False
            elif value.endswith("s"):
                number, unit = next((value[:-len(u)], u) for u in ("us", "ms", "s") if value.endswith(u))
                if got != int(number) * {"us": 10**3, "ms": 10**6, "s": 10**9}[unit]:
                    return False
            elif got != size(value):
                return False
        return True
    return [t for t in campaign.trials(name) if fits(t["params"])]


@pytest.mark.parametrize("text", VARIATIONS)
def test_option_variations_run(varied, text):
    trials = trials_of(varied, text)
    assert {t["technique"] for t in trials} == set(ENVIRONMENTS), text
    for trial in trials:
        assert_ran(trial)
        assert trial["metrics"][primary(trial["workload"])] > 0


def test_paced_datagrams_are_not_faster_than_asked(varied):
    for trial in trials_of(varied, "udp_stream:message=512,interval=100us"):
        m = trial["metrics"]
        seconds = m["elapsed_ns"] / 1e9
        assert m["sent_datagrams"] <= seconds * 10_000 * 1.05 + 10
        assert m["sent_bytes"] == 512 * m["sent_datagrams"]


def test_datagrams_have_the_size_asked(varied):
    for text, size_ in (("udp_stream:message=24", 24), ("udp_stream:message=1472,streams=2", 1472),
                        ("udp_stream:message=65507,sockbuf=1M", 65507)):
        for trial in trials_of(varied, text):
            m = trial["metrics"]
            assert m["sent_bytes"] == size_ * m["sent_datagrams"], text
            assert m["received_bytes"] == size_ * m["received_datagrams"], text


def test_paced_pings_are_not_faster_than_asked(varied):
    for trial in trials_of(varied, "ping:interval=5ms"):
        assert trial["metrics"]["transactions_per_s"] <= 200 * 1.2


def test_streams_multiply_what_is_in_flight(varied):
    """With n in flight the mean latency can be up to n times the time per transaction, and never more."""
    for text, n in (("tcp_rr:streams=4", 4), ("udp_rr:streams=3,timeout=50ms", 3), ("tcp_crr:streams=2,response=1K", 2)):
        for trial in trials_of(varied, text):
            m = trial["metrics"]
            assert m["latency_mean_ns"] * m["transactions_per_s"] <= n * 1.05e9, text


def test_parameters_are_numbers_in_base_units(varied):
    params = trials_of(varied, "udp_rr:streams=3,timeout=50ms")[0]["params"]
    assert params["timeout"] == 50_000_000 and params["streams"] == 3 and params["request"] == 1
    params = trials_of(varied, "tcp_rr:nodelay=off")[0]["params"]
    assert params["nodelay"] is False
    assert json.dumps(params)


@pytest.mark.parametrize("workload, says", [
    ("udp_stream:message=8", "too short"),
    ("udp_rr:request=70000", "65507"),
    ("tcp_rr:streams=0", "streams"),
    ("tcp_rr:streams=1000", "streams"),
    ("tcp_rr:request=0", "request"),
    ("ping:size=1", "size"),
    ("tcp_rr:nodelay=maybe", "nodelay"),
    ("tcp_rr:request=1X", "request"),
    ("tcp_rr:request=-1", "request"),
    ("ping:interval=5parsecs", "interval"),
    ("tcp_rr:message=5", "message"),
    ("tcp_rr:request=1,request=2", "twice"),
    ("tcp_rr:,", "tcp_rr"),
    ("tcp_rr:request", "needs a value"),
])
def test_bad_options_are_refused(vtax, workload, says):
    vtax.refuses("run", "-n", "-t", "native", "-w", workload, status=USAGE, says=says)


def test_the_same_workload_with_other_options_is_another_row(varied):
    rows = [r for r in varied.rows("tcp_rr", "native", "transactions_per_s")]
    assert len(rows) == 4
    assert len({json.dumps(r["params"], sort_keys=True) for r in rows}) == 4
