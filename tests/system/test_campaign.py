# SPDX-License-Identifier: GPL-2.0-or-later
"""The design of a run, and how it ends: order, blocks, commits, signals, kills, resume, contrasts."""

import collections
import json
import os
import random
import signal
import subprocess

import pytest

from vtaxtest import CANNOT_RUN, INTERRUPTED, INVALID, OK, TOLERANT, Campaign, is_trial_line, stored_trials

pytestmark = pytest.mark.usefixtures("root")

SHORT = ("-d", "30ms", "--warmup", "5ms", "--no-html", "-q")
LONG = ("-d", "60s", "--warmup", "1ms", "-b", "1", "--no-html", "-v")
FOUR = ["native", "native:label=b", "native:label=c", "null"]


def order(campaign):
    return [(t["block"], t["workload"], t["technique"]) for t in campaign.json["trials"]]


# ---- design ----------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def seeded(shared):
    """Three campaigns of the same plan: seeds 1, 1 and 2."""
    return [shared.campaign(FOUR, ["tcp_rr", "udp_rr"], "--seed", seed, out=f"seed-{i}", flags=(*SHORT, "-b", "3"))
            for i, seed in enumerate((1, 1, 2))]


def test_same_seed_same_order(seeded):
    assert order(seeded[0]) == order(seeded[1])
    assert order(seeded[0]) != order(seeded[2])
    assert [c.json["campaign"]["seed"] for c in seeded] == [1, 1, 2]


def test_blocks_are_complete_and_shuffled(seeded):
    for campaign in seeded:
        blocks = collections.defaultdict(list)
        for t in campaign.json["trials"]:
            blocks[t["block"], t["workload"]].append((t["position"], t["technique"]))
        assert len(blocks) == 6
        orders = set()
        for rows in blocks.values():
            assert [p for p, _ in rows] == [0, 1, 2, 3]
            assert {t for _, t in rows} == {"native", "b", "c", "null"}
            orders.add(tuple(t for _, t in rows))
        assert len(orders) > 1, "every block in the same order"


def test_trials_of_a_block_follow_each_other(seeded):
    for campaign in seeded:
        runs = [(t["block"], t["workload"]) for t in campaign.json["trials"]]
        changes = 1 + sum(a != b for a, b in zip(runs, runs[1:]))
        assert changes == 6
        assert [b for b, _ in runs] == sorted(b for b, _ in runs), "a round began before the one before it ended"


def test_a_fresh_seed_each_time(vtax):
    seeds = {vtax.campaign(["native"], ["udp_rr"], out=f"o{i}", flags=(*SHORT, "-b", "1")).json["campaign"]["seed"]
             for i in range(3)}
    assert len(seeds) == 3 and all(0 <= s < 2**53 for s in seeds)


def test_the_campaign_is_complete_and_its_times_add_up(seeded):
    for campaign in seeded:
        head = campaign.json["campaign"]
        assert head["complete"] is True
        durations = sum(t["duration_s"] for t in campaign.json["trials"])
        assert 0 < head["measuring_s"] <= durations <= head["wall_s"]
        assert head["measuring_s"] >= 24 * 0.030 * 0.5  # the marks travel to vtax before they are timed


def test_target_stops_on_interval_width(vtax):
    wide = vtax.campaign(["native", "native:label=b"], ["udp_rr"], "--target", "100%", "--max-blocks", "12",
                         flags=(*SHORT, "--time-budget", "0"), out="wide")
    blocks = {t["block"] for t in wide.json["trials"]}
    row = wide.row("udp_rr", "b", "transactions_per_s")
    low, high = row["overhead_ci95"]
    assert (high - low) / 2 <= 1.0
    assert len(blocks) < 12, "an interval this wide is reached long before"


def test_time_budget_bounds_the_rounds(vtax):
    c = vtax.campaign(["native"], ["udp_rr"], flags=(*SHORT, "--time-budget", "2s", "--max-blocks", "100000"))
    assert 1 <= len(c.trials()) < 200
    assert c.json["campaign"]["complete"] is True


# ---- contrasts -------------------------------------------------------------------------------------------------

def test_labels_make_a_against_a(vtax):
    c = vtax.campaign(["native", "native:label=again"], ["tcp_rr"], flags=(*SHORT, "-b", "4"))
    a, b = c.row("tcp_rr", "native", "transactions_per_s"), c.row("tcp_rr", "again", "transactions_per_s")
    assert a["verdict"] == "baseline" and a["overhead"] is None
    if b["n"] >= 2 and a["n"] >= 2:
        assert b["overhead_ci95"][0] <= b["overhead"] <= b["overhead_ci95"][1]
        assert b["verdict"] in ("tax", "gain", "none", "inconclusive")


def test_baseline_is_added_when_the_plan_lacks_it(vtax):
    c = vtax.campaign(["null"], ["udp_rr"], flags=(*SHORT, "-b", "1"))
    assert {t["technique"] for t in c.trials()} == {"native", "null"}
    assert c.row("udp_rr", "native", "transactions_per_s")["verdict"] == "baseline"


def test_another_baseline(vtax):
    c = vtax.campaign(["null:label=x", "native:label=y"], ["udp_rr"], "--baseline", "x", flags=(*SHORT, "-b", "2"))
    assert {r["baseline"] for r in c.rows()} == {"x"}
    assert {t["technique"] for t in c.trials()} == {"x", "y"}, "native was added, although it is not the baseline"
    assert c.row("udp_rr", "x", "transactions_per_s")["verdict"] == "baseline"
    r = vtax("report", "out", "--json", "-", "--baseline", "y", status=(OK, INVALID))
    other = Campaign(c.dir, json.loads(r.out))
    assert other.row("udp_rr", "y", "transactions_per_s")["verdict"] == "baseline"
    forth, back = (k.row("udp_rr", t, "transactions_per_s")["overhead"] for k, t in ((c, "y"), (other, "x")))
    if forth is not None and back is not None:
        assert (1 + forth) * (1 + back) == pytest.approx(1, rel=1e-9)


def test_an_injected_delay_is_found(vtax):
    """Only the lower bound holds on every machine: nothing answers before the delay is over."""
    c = vtax.campaign(["delay:us=0", "delay:us=2000"], ["tcp_rr", "udp_rr"], "--baseline", "delay:us=0",
                      flags=("-d", "200ms", "--warmup", "20ms", "-b", "2", "--no-html"))
    for workload in ("tcp_rr", "udp_rr"):
        for trial in c.trials(workload, "delay:us=2000"):
            assert trial["metrics"]["latency_min_ns"] >= 2_000_000
        row = c.row(workload, "delay:us=2000", "transactions_per_s")
        if row["overhead"] is not None:
            assert row["overhead"] > 0


# ---- what is announced is stored -------------------------------------------------------------------------------

def test_a_trial_told_is_a_trial_stored(vtax, host_state):
    run = vtax.start("run", "-d", "20ms", "--warmup", "5ms", "-b", "1000", "--no-html", "-v", *TOLERANT, "-t", "native",
                     "-t", "null", "-w", "tcp_rr", "-w", "udp_rr", "--out", "out")
    run.wait_trials(6)
    result = run.kill()
    told = sum(map(is_trial_line, result.err.splitlines()))
    stored = stored_trials(vtax.cwd / "out")
    # One may have been stored and not told yet; none may have been told and not stored.
    assert told <= len(stored) <= told + 1
    assert [s for *_, s in stored] == list(range(len(stored)))
    vtax("clean")
    assert host_state.left() == []


# ---- signals ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_cleanly_and_reports(vtax, host_state, number):
    run = vtax.start("run", "-d", "30ms", "--warmup", "5ms", "-b", "500", "--no-html", "-v", *TOLERANT, "-t", "native",
                     "-t", "null", "-w", "udp_rr", "--out", "out")
    run.wait_trials(5)
    run.signal(number)
    r = run.finish(30)
    assert r.status == INTERRUPTED, r
    assert host_state.left() == [], "a clean end leaves nothing, without 'vtax clean'"
    assert "udp_rr" in r.out and "native" in r.out, f"no table of what is done\n{r}"
    assert "vtax resume" in r.err and "interrupted" in r.err, r
    done = len(stored_trials(vtax.cwd / "out"))
    assert done >= 5
    assert json.loads(vtax("report", "out", "--json", "-").out)["campaign"]["complete"] is False


def test_a_signal_in_the_middle_of_a_trial(vtax, host_state):
    run = vtax.start("run", *LONG, "-t", "native", "-w", "tcp_rr", "--out", "out")
    run.wait_for(lambda line: line.startswith("round 1"))
    run.signal(signal.SIGINT)
    r = run.finish(30)
    assert r.status == INTERRUPTED, r
    assert host_state.left() == []
    assert not (vtax.cwd / "out").exists(), "an empty results folder was left"


def test_a_signal_during_set_up(vtax, host_state):
    run = vtax.start("run", *LONG, "-t", "native", "-w", "tcp_rr", "--out", "out")
    run.wait_for(lambda line: "testbed" in line or "payload" in line)
    run.signal(signal.SIGINT)
    r = run.finish(30)
    assert r.status == INTERRUPTED, r
    assert host_state.left() == []


def test_a_second_signal_is_immediate(vtax, host_state):
    run = vtax.start("run", *LONG, "-t", "null:start=hang", "-w", "tcp_rr", "--out", "out")
    run.wait_for(lambda line: line.startswith("round 1"))
    run.signal(signal.SIGINT)
    run.wait_for(lambda line: "again" in line)
    run.signal(signal.SIGINT)
    r = run.finish(10)
    assert r.status == INTERRUPTED, r
    assert "vtax clean" in r.err, r
    assert "undone (" in vtax("clean").out
    assert host_state.left() == []
    assert vtax("clean").out == "nothing to undo\n"


# ---- resume ----------------------------------------------------------------------------------------------------

def test_resume_completes_what_is_missing(vtax):
    args = ("-d", "30ms", "--warmup", "5ms", "-b", "6", "--no-html", "-v", *TOLERANT, "--seed", "5", "-t", "native",
            "-t", "null", "-t", "native:label=b", "-w", "udp_rr", "-w", "tcp_rr")
    whole = [row[:3] for row in stored_trials(
        vtax.campaign(["native", "null", "native:label=b"], ["udp_rr", "tcp_rr"], "--seed", "5", out="whole",
                      flags=(*SHORT, "-b", "6")).dir)]
    run = vtax.start("run", *args, "--out", "out")
    run.wait_trials(7)
    run.signal(signal.SIGINT)
    assert run.finish(30).status == INTERRUPTED
    before = stored_trials(vtax.cwd / "out")
    assert 7 <= len(before) < 36
    r = vtax("resume", "out", "-q", "--no-html", "--json", "-", status=(OK, INVALID))
    after = stored_trials(vtax.cwd / "out")
    assert after[:len(before)] == before, "what was done was changed"
    assert [row[:3] for row in after] == whole, "the order did not go on as it was drawn"
    assert [s for *_, s in after] == list(range(36))
    data = json.loads(r.out)
    assert data["campaign"]["complete"] is True and data["campaign"]["seed"] == 5
    vtax.refuses("resume", "out", says=("complete", "nothing to resume"))


def test_resume_after_a_kill_and_without_a_name(vtax):
    run = vtax.start("run", "-d", "30ms", "--warmup", "5ms", "-b", "5", "--no-html", "-v", *TOLERANT, "-t", "native",
                     "-t", "null", "-w", "udp_rr")
    run.wait_trials(3)
    run.kill()
    r = vtax("resume", "--no-html", "--json", "-", status=(OK, INVALID))
    assert "undid what a killed run had left" in r.err, r
    trials = json.loads(r.out)["trials"]
    assert sorted((t["block"], t["technique"]) for t in trials) == sorted(
        (b, t) for b in range(5) for t in ("native", "null"))


def test_resume_refuses_what_is_no_campaign(vtax):
    vtax.refuses("resume", "nowhere", says=("nowhere", "no results.db"))
    vtax.refuses("resume", says="vtax-results")


# ---- kills -----------------------------------------------------------------------------------------------------

KILLED = ["native", "oci:runtime=crun,net=nat", "oci:runtime=runc,net=macvlan", "oci:runtime=crun,rootfs=bind",
          "docker:net=bridge", "docker:net=nat", "delay:us=100", "null"]


KILLS = int(os.environ.get("VTAX_KILLS", len(KILLED)))


@pytest.mark.parametrize("technique", [pytest.param(KILLED[i % len(KILLED)], id=f"{KILLED[i % len(KILLED)]}-{i}")
                                       for i in range(KILLS)])
def test_kill_leaves_nothing_after_clean(vtax, host_state, request, need, technique):
    """
    Killed at a random moment: during set-up, within the trials of a block, or between two. VTAX_KILLS asks for more
    than one kill of each technique.
    """
    if technique.startswith("docker"):
        request.getfixturevalue("docker")
    need(*[name for name in ("crun", "runc") if name in technique])
    dice = random.Random(os.urandom(8))
    trials, pause = dice.choice((0, 1, 2, 3, 4)), dice.uniform(0, 0.5)
    run = vtax.start("run", "-d", "50ms", "--warmup", "5ms", "-b", "500", "--no-html", "-v", *TOLERANT, "-t", technique,
                     "-w", "tcp_rr", "-w", "udp_rr", "--out", "out")
    if trials:
        run.wait_trials(trials)
    with pytest.raises(subprocess.TimeoutExpired):
        run.process.wait(pause)  # a random moment, not a wait for something
    r = run.kill()
    told = sum(map(is_trial_line, r.err.splitlines()))
    say = vtax("clean")
    left = host_state.left()
    assert left == [], f"killed after trial {trials} and {pause:.3f} s; clean said:\n{say.out}"
    assert vtax("clean").out == "nothing to undo\n"
    if told:
        assert len(stored_trials(vtax.cwd / "out")) >= told, "a finished trial was lost"


def test_kill_during_set_up(vtax, host_state, docker):
    for awaited in ("testbed", "docker:net=nat"):
        run = vtax.start("run", *LONG, "-t", "docker:net=nat", "-w", "tcp_rr", "--out", f"out-{len(awaited)}")
        run.wait_for(lambda line, awaited=awaited: awaited in line)
        run.kill()
        vtax("clean")
        assert host_state.left() == [], f"killed at '{awaited}'"


def test_clean_dry_run_changes_nothing(vtax, host_state):
    run = vtax.start("run", *LONG, "-t", "native", "-w", "tcp_rr", "--out", "out")
    run.wait_for(lambda line: line.startswith("round 1"))
    run.kill()
    first = vtax("clean", "--dry-run").out
    assert "would be undone" in first and "/run/netns/vtax-" in first
    assert vtax("clean", "-n").out == first
    assert "1 campaign undone" in vtax("clean").out
    assert host_state.left() == []


def test_the_next_run_cleans_up_first(vtax, host_state):
    run = vtax.start("run", *LONG, "-t", "native", "-w", "tcp_rr", "--out", "killed")
    run.wait_for(lambda line: line.startswith("round 1"))
    run.kill()
    assert "killed campaign" in vtax("doctor").out
    c = vtax.campaign(["native"], ["udp_rr"], flags=(*SHORT, "-b", "1"))
    assert "undid what a killed run had left" in c.result.err
    assert host_state.left() == []


# ---- two at once -----------------------------------------------------------------------------------------------

def test_a_second_campaign_refuses_and_the_first_goes_on(vtax, host_state):
    run = vtax.start("run", *LONG, "-t", "native", "-w", "tcp_rr", "--out", "first")
    run.wait_for(lambda line: line.startswith("round 1"))
    r = vtax.refuses("run", *SHORT, "-b", "1", "-t", "native", "-w", "udp_rr", "--out", "second", status=CANNOT_RUN,
                     says=("is running", f"process {run.process.pid}"))
    assert "undid" not in r.err
    assert not (vtax.cwd / "second").exists(), "an empty results folder was left"
    assert "still running" in vtax("clean").out
    assert "none" in [line for line in vtax("doctor").out.splitlines() if "leftovers" in line][0]
    run.signal(signal.SIGINT)
    assert run.finish(30).status == INTERRUPTED
    assert host_state.left() == []


def test_a_running_campaign_cannot_be_resumed_but_read(vtax):
    run = vtax.start("run", "-d", "50ms", "--warmup", "5ms", "-b", "500", "--no-html", "-v", *TOLERANT, "-t", "native",
                     "-w", "udp_rr", "--out", "out")
    run.wait_trials(2)
    vtax.refuses("resume", "out", status=CANNOT_RUN)
    assert len(json.loads(vtax("report", "out", "--json", "-").out)["trials"]) >= 2
    run.signal(signal.SIGINT)
    assert run.finish(30).status == INTERRUPTED
