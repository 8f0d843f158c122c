# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong gets one clear line and the documented status, and nothing is left behind."""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import sys

import pytest

import agents
import hoststate
from vtaxtest import AGENT, CANNOT_RUN, INVALID, OK, QUICK, TOLERANT, USAGE, assert_ran

INNERNS = (sys.executable, str(pathlib.Path(__file__).with_name("innerns.py")))
ONE = (*QUICK, *TOLERANT, "-q", "-t", "native", "-w", "udp_rr")


# ---- words -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("argv, says", [
    (["-t", "ntaive"], ("'ntaive'", "did you mean 'native'?")),
    (["-t", "oic:net=nat"], ("'oic'", "did you mean 'oci'?")),
    (["-t", "xyzzy"], ("'xyzzy'", "vtax list")),
    (["-t", "zz*"], "zz*"),
    (["-t", ""], "empty"),
    (["-t", "oci:nett=nat"], ("'nett'", "did you mean 'net'?")),
    (["-t", "oci:net=bridgee"], ("bridgee", "did you mean 'bridge'?")),
    (["-t", "oci:seccomp=perhaps"], ("seccomp", "perhaps")),
    (["-t", "native:net=nat"], "'net'"),
    (["-t", "native:label=a,label=b"], "twice"),
    (["-t", "delay:us=2000000"], ("us", "1000000")),
    (["-t", "delay:us=-5"], "us"),
    (["-t", "oci:mem=1"], "mem"),
    (["-t", "oci=net"], "'='"),
    (["-t", "native", "-t", "native"], ("two techniques are called 'native'", "label=TEXT")),
    (["-t", "x" * 5000], "longer than"),
    (["-w", "tcp_rrr"], ("'tcp_rrr'", "did you mean 'tcp_rr'?")),
    (["-w", "tcp_rr:reqest=3"], ("'reqest'", "did you mean 'request'?")),
    (["-w", "tcp_rr", "-w", "tcp_rr"], ("'tcp_rr'", "twice")),
    (["-b", "0"], "option 'blocks'"),
    (["-b", "many"], "option 'blocks'"),
    (["-b", "9999999999999999999999"], "option 'blocks'"),
    (["-d", "1ms"], "option 'duration'"),
    (["-d", "soon"], "option 'duration'"),
    (["--target", "200%"], "option 'target'"),
    (["--target", "nan"], "option 'target'"),
    (["--margin", "-1"], "option 'margin'"),
    (["--mtu", "100"], "option 'mtu'"),
    (["--pin", "maybe"], "option 'pin'"),
    (["--seed", "-1"], "option 'seed'"),
    (["--seed", "9007199254740992"], "option 'seed'"),
    (["-b", "5", "--max-blocks", "3"], "contradiction"),
    (["nosuch"], "'nosuch'"),
    (["qiuck"], ("'qiuck'", "did you mean 'quick'?")),
    (["./nosuch.yaml"], "nosuch.yaml"),
    (["-s", "quick", "quick"], "quick"),
])
def test_wrong_words(vtax, argv, says):
    vtax.refuses("run", "--dry-run", *argv, status=USAGE, says=says)


def test_baseline_that_does_not_exist(vtax):
    vtax.refuses("run", "--dry-run", "--baseline", "nothing", status=USAGE, says="nothing")


def test_baseline_that_cannot_run(vtax):
    vtax.refuses("run", "--dry-run", "-w", "tcp_rr", "-t", "native", "--baseline", "oci:runtime=no-such",
                 status=CANNOT_RUN, says=("baseline", "not installed"))


# ---- plans -----------------------------------------------------------------------------------------------------

PLANS = {
    "empty": (b"", "no plan"),
    "only-comments": (b"# nothing\n", "no plan"),
    "not-yaml": (b"suite: [unclosed\n", "no plan"),
    "tabs": (b"suite: x\n\tblocks: 3\n", "no plan"),
    "binary": (bytes(range(256)) * 8, "no plan"),
    "nul": (b"suite: a\0b\ntechniques: [native]\nworkloads: [tcp_rr]\n", "NUL"),
    "not-utf-8": (b"suite: \xff\xfe\xfd\n", "no plan"),
    "a-list": (b"- native\n- oci\n", "no plan"),
    "a-scalar": (b"42\n", "no plan"),
    "unknown-key": (b"techniques: [native]\nworkloads: [tcp_rr]\nblokcs: 3\n", "blokcs"),
    "wrong-type": (b"techniques: native\nworkloads: [tcp_rr]\n", "no plan"),
    "nested": (b"techniques: [[native]]\nworkloads: [tcp_rr]\n", "no plan"),
    "alias": (b"techniques: &a [native]\nworkloads: *a\n", "no plan"),
    "no-techniques": (b"workloads: [tcp_rr]\n", "no techniques"),
    "no-workloads": (b"techniques: [native]\n", "no workloads"),
    "bad-duration": (b"techniques: [native]\nworkloads: [tcp_rr]\nduration: forever\n", "forever"),
    "bad-blocks": (b"techniques: [native]\nworkloads: [tcp_rr]\nblocks: -3\n", "-3"),
    "contradiction": (b"techniques: [native]\nworkloads: [tcp_rr]\nblocks: 9\nmax_blocks: 3\n", "contradiction"),
    "bad-technique": (b"techniques: [natvie]\nworkloads: [tcp_rr]\n", "did you mean 'native'?"),
    "bad-workload": (b"techniques: [native]\nworkloads: [tcp_rr, tpc_rr]\n", "did you mean 'tcp_rr'?"),
    "too-many": (b"workloads: [tcp_rr]\ntechniques:\n" + b"".join(b"- native:label=t%d\n" % i for i in range(300)),
                 "no plan"),
    "huge": (b"# " + b"x" * (1 << 20) + b"\ntechniques: [native]\nworkloads: [tcp_rr]\n", ""),
    "deep": (b"techniques: " + b"[" * 20000 + b"]" * 20000 + b"\n", "no plan"),
    "escape": (b"suite: \"a\\e[31mred\"\ntechniques: [\"\\e[2Jx\"]\nworkloads: [tcp_rr]\n", ""),
}


@pytest.mark.parametrize("name", PLANS)
def test_bad_plans(vtax, tmp_path, name):
    text, says = PLANS[name]
    (tmp_path / "plan.yaml").write_bytes(text)
    vtax.refuses("run", "--dry-run", "plan.yaml", status=USAGE, says=says)


def test_plans_that_are_no_files(vtax, tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    vtax.refuses("run", "-n", "folder.yaml", status=USAGE, says="folder.yaml")
    vtax.refuses("run", "-n", "/dev/zero", status=USAGE, says="/dev/zero")


def test_a_good_plan_and_flags_over_it(vtax, tmp_path):
    (tmp_path / "plan.yaml").write_text(
        "suite: mine\nduration: 3s\nwarmup: 10ms\nblocks: 2\npin: off\ntechniques: [native, 'null:label=n']\n"
        "workloads: ['udp_rr:request=9']\n")
    out = vtax("run", "-n", "plan.yaml").out
    assert "suite mine" in out and "3.00 s measured" in out and "; not pinned" in out and "udp_rr:request=9" in out
    out = vtax("run", "-n", "plan.yaml", "-d", "2s", "--pin", "on", "-w", "tcp_rr").out
    assert "2.00 s measured" in out and "; pinned" in out and "udp_rr" not in out


# ---- rights and places -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("argv", [["run", "-t", "native", "-w", "tcp_rr"], ["clean"]])
def test_without_root(unprivileged, unprivileged_place, argv):
    r = unprivileged(*argv, status=CANNOT_RUN)
    assert len(r.error_lines) == 1 and "must be root" in r.err and "sudo vtax" in r.err, r
    assert not (unprivileged_place / "work" / "vtax-results").exists()


def test_without_root_a_report_is_read(unprivileged, unprivileged_place, vtax, root):
    vtax.campaign(["native"], ["udp_rr"])
    copy = unprivileged_place / "work" / "copy"
    shutil.copytree(vtax.cwd / "out", copy)
    copy.chmod(0o755)
    (copy / "results.db").chmod(0o644)
    assert "udp_rr" in unprivileged("report", str(copy), status=(OK, INVALID)).out
    shutil.rmtree(copy)


def test_resume_without_root(unprivileged, unprivileged_place, vtax, root):
    run = vtax.start("run", "-d", "30ms", "--warmup", "5ms", "-b", "9", "--no-html", "-v", "-t", "native", "-w", "udp_rr",
                     "--out", "out")
    run.wait_trials(1)
    run.signal(signal.SIGINT)
    run.finish(30)
    copy = unprivileged_place / "work" / "copy"
    shutil.copytree(vtax.cwd / "out", copy)
    os.chown(copy, 65534, 65534)
    os.chown(copy / "results.db", 65534, 65534)
    r = unprivileged("resume", str(copy), status=CANNOT_RUN)
    assert "must be root" in r.err
    shutil.rmtree(copy)


def test_results_folder_that_holds_a_campaign(vtax, root):
    vtax.campaign(["native"], ["udp_rr"])
    before = (vtax.cwd / "out" / "results.db").read_bytes()
    vtax.refuses("run", *ONE, "--out", "out", status=USAGE, says=("already holds a campaign", "out"))
    assert (vtax.cwd / "out" / "results.db").read_bytes() == before


def test_results_folder_that_is_a_file(vtax, root):
    (vtax.cwd / "out").write_text("mine")
    vtax.refuses("run", *ONE, "--out", "out", status=(USAGE, CANNOT_RUN), says="out")
    assert (vtax.cwd / "out").read_text() == "mine"


def test_results_folder_with_other_files_is_used_and_kept(vtax, root):
    (vtax.cwd / "out").mkdir()
    (vtax.cwd / "out" / "notes.txt").write_text("mine")
    vtax.campaign(["native"], ["udp_rr"])
    assert (vtax.cwd / "out" / "notes.txt").read_text() == "mine"


def test_read_only_results_folder(vtax, root):
    (vtax.cwd / "out").mkdir()
    vtax.refuses("run", *ONE, "--out", "out", prefix=(*INNERNS, "--read-only", str(vtax.cwd / "out"), "--"),
                 status=CANNOT_RUN, says=("out", "ead-only"))


def test_read_only_working_folder(vtax, root):
    vtax.refuses("run", *ONE, prefix=(*INNERNS, "--read-only", str(vtax.cwd), "--"), status=CANNOT_RUN,
                 says=("vtax-results", "ead-only"))


def test_no_space_for_results(vtax, root):
    """Room for the plan, not for many trials: the campaign ends, what fitted stays."""
    (vtax.cwd / "out").mkdir()
    r = vtax("run", "-d", "20ms", "--warmup", "5ms", "-b", "2000", "--no-html", *TOLERANT, "-t", "native", "-w", "udp_rr",
             "--out", "out", prefix=(*INNERNS, "--full", str(vtax.cwd / "out"), "200k", "--"), status=CANNOT_RUN)
    assert len(r.error_lines) == 1 and "no space left" in r.error_lines[0].lower(), r


def test_no_space_at_all_for_results(vtax, root):
    (vtax.cwd / "out").mkdir()
    vtax.refuses("run", *ONE, "--out", "out", prefix=(*INNERNS, "--full", str(vtax.cwd / "out"), "4k", "--"),
                 status=CANNOT_RUN, says="o space left")


@pytest.mark.parametrize("size", ["4k", "12k", "20k"])
def test_no_space_for_state(vtax, host_state, root, size):
    """The journal cannot be written: what it would have undone must not be made."""
    state = vtax.cwd / "state"
    state.mkdir(mode=0o700)
    host_state.watch(state)
    r = vtax("run", *ONE, "--out", "out", env={"VTAX_STATE": str(state)},
             prefix=(*INNERNS, "--full", str(state), size, "--"), status=(OK, INVALID, CANNOT_RUN))
    if r.status == CANNOT_RUN:
        assert len(r.error_lines) == 1 and "o space left" in r.err, r
        assert not (vtax.cwd / "out").exists(), "an empty results folder was left"
    else:
        assert size != "4k", "a journal cannot fit here"


def test_state_that_others_may_write(vtax, root):
    state = vtax.cwd / "state"
    state.mkdir()
    state.chmod(0o777)
    vtax.refuses("run", *ONE, env={"VTAX_STATE": str(state)}, status=CANNOT_RUN, says="written by other users")


@pytest.mark.parametrize("address", ["198.18.0.5/24", "198.19.255.1/32", "198.18.0.0/15"])
def test_address_range_in_use(vtax, need, address):
    need("ip")
    r = vtax.refuses("run", *ONE, "--out", "out", prefix=(*INNERNS, "--address", address, "--"), status=CANNOT_RUN,
                     says=("198.18.0.0/15", "in use"))
    assert not (vtax.cwd / "out").exists(), r
    out = vtax("doctor", prefix=(*INNERNS, "--address", address, "--")).out
    assert "in use" in [line for line in out.splitlines() if "198.18.0.0/15" in line][0]


def test_neighbouring_addresses_are_no_obstacle(vtax, need):
    need("ip")
    vtax("run", *ONE, "--out", "out", prefix=(*INNERNS, "--address", "198.17.0.5/16", "--address", "198.20.0.1/24", "--"),
         status=(OK, INVALID))


# ---- runtimes --------------------------------------------------------------------------------------------------

def test_missing_runtime_is_not_run_and_said(vtax, root):
    for runtime in ("/nonexistent", "no-such-runtime"):
        c = vtax.campaign([f"oci:runtime={runtime}"], ["udp_rr"], status=CANNOT_RUN, out=f"out{len(runtime)}")
        row = c.row("udp_rr", f"oci:runtime={runtime}", "transactions_per_s")
        assert row["verdict"] == "not-run" and runtime in row["reason"]
        assert_ran(c.trials("udp_rr", "native")[0])


def script(folder, name, text):
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_runtime_that_is_found_by_path(vtax, root):
    """PATH decides: a runtime of that name elsewhere is another runtime."""
    folder = vtax.cwd / "bin"
    folder.mkdir()
    script(folder, "myruntime", "case $1 in --version) echo 'myruntime version 1';; *) echo broken >&2; exit 1;; esac\n")
    r = vtax("doctor", "oci:runtime=myruntime", status=CANNOT_RUN)
    assert "not installed" in r.out
    r = vtax("doctor", "oci:runtime=myruntime", env={"PATH": f"{folder}:{os.environ['PATH']}"})
    assert "myruntime version 1" in r.out


def test_runtime_that_fails_to_start(vtax, root):
    bad = script(vtax.cwd, "bad", "case $1 in --version) echo 'bad version 1';; "
                                  "*) printf 'cannot \\033[31mfrobnicate\\n' >&2; exit 1;; esac\n")
    c = vtax.campaign([f"oci:runtime={bad}"], ["udp_rr"], status=INVALID)
    reason = c.trials("udp_rr", f"oci:runtime={bad}")[0]["reason"]
    assert "frobnicate" in reason and "status 1" in reason and reason.isprintable()


def test_runtime_that_does_not_even_tell_its_version(vtax, root):
    broken = script(vtax.cwd, "broken", "exit 7\n")
    r = vtax("doctor", f"oci:runtime={broken}", status=CANNOT_RUN)
    assert "does not work" in r.out


def test_runtime_that_hangs(vtax, root):
    hang = script(vtax.cwd, "hang", "case $1 in --version) echo 'hang version 1';; "
                                    "*) echo 'waiting for Godot' >&2; exec sleep 1000;; esac\n")
    c = vtax.campaign([f"oci:runtime={hang}"], ["udp_rr"], "--start-timeout", "1s", status=INVALID)
    reason = c.trials("udp_rr", f"oci:runtime={hang}")[0]["reason"]
    assert "hangs" in reason and "Godot" in reason


# ---- agents ----------------------------------------------------------------------------------------------------

def run_agent(vtax, name, *args):
    path = agents.write(vtax.cwd, name, AGENT)
    technique = f"null:agent={path},label=bad"
    c = vtax.campaign(["native", technique], ["udp_rr"], "--start-timeout", "2s", *args, status=INVALID)
    trial = c.trials("udp_rr", "bad")[0]
    assert not trial["valid"] and not trial["gates"], trial
    assert trial["reason"].isprintable() and 10 < len(trial["reason"]) < 500, trial["reason"]
    assert_ran(c.trials("udp_rr", "native")[0])
    row = c.row("udp_rr", "bad", "transactions_per_s")
    assert row["n"] == 0 and row["mean"] is None and row["reason"], "a failed trial left a value"
    return trial["reason"]


WORDS = {"dies at once": "I fell over", "is killed at once": "signal 9", "refuses to serve": "no",
         "lies in its result": "makes no sense", "is silent after hello": "silent",
         "logs for ever": "10.0 s"}


@pytest.mark.parametrize("name", [n for n in agents.AGENTS if n != "serves nothing"])
def test_agents_that_misbehave(vtax, root, name):
    reason = run_agent(vtax, name)
    # One that talks all the time may have said its last word just before the limit.
    if not (name == "logs for ever" and "fell silent" in reason):
        assert WORDS.get(name, "") in reason


def test_agent_that_serves_nothing(vtax, root):
    """It says that it listens, and does not: the client is refused, or counts losses only."""
    path = agents.write(vtax.cwd, "serves nothing", AGENT)
    c = vtax.campaign(["native", f"null:agent={path},label=bad"], ["tcp_rr"], status=INVALID)
    assert not c.trials("tcp_rr", "bad")[0]["valid"]


def test_agent_that_dies_mid_trial(vtax, root):
    reason = run_agent(vtax, "dies mid-trial", "-d", "1500ms")
    assert "agent" in reason


def test_agent_killed_by_its_pid(vtax, need, host_state):
    """The agent inside a container, found on the host and killed while it serves."""
    need("crun")
    run = vtax.start("run", "-d", "4s", "--warmup", "1ms", "-b", "1", "--no-html", "-v", *TOLERANT, "-t", "native", "-t",
                     "oci:runtime=crun", "-w", "tcp_rr", "--seed", "3", "--out", "out")
    victim = None
    while victim is None and run.process.poll() is None:
        for cgroup in hoststate.cgroups():
            if "-e" in cgroup.name and cgroup.name.startswith("vtax-"):
                victim = next(iter(hoststate.processes_in(cgroup)), victim)
    assert victim, run.text()
    os.kill(victim, signal.SIGKILL)
    r = run.finish(60)
    assert r.status == INVALID, r
    assert host_state.left() == []
    assert "oci:runtime=crun" in r.out and "native" in r.out


def test_agent_given_up_after_three_failures(vtax, root):
    path = agents.write(vtax.cwd, "dies at once", AGENT)
    c = vtax.campaign(["native", f"null:agent={path},label=bad"], ["udp_rr"],
                      flags=("-d", "20ms", "--warmup", "5ms", "-b", "6", "--no-html"), status=INVALID)
    assert len(c.trials("udp_rr", "bad")) == 3
    assert len(c.trials("udp_rr", "native")) == 6
    assert "given up" in c.result.err and c.result.err.count("given up") == 1
    row = c.row("udp_rr", "bad", "transactions_per_s")
    assert row["verdict"] == "not-run" and "3 times in a row" in row["reason"] and "I fell over" in row["reason"]


def test_agent_that_cannot_be_executed(vtax, root):
    (vtax.cwd / "plain").write_text("no program")
    c = vtax.campaign(["native", f"null:agent={vtax.cwd}/plain,label=bad"], ["udp_rr"], status=CANNOT_RUN)
    assert c.row("udp_rr", "bad", "transactions_per_s")["verdict"] == "not-run"


def test_missing_client_agent(vtax, root):
    vtax.refuses("run", *ONE, env={"VTAX_AGENT": "/nonexistent/agent"}, status=CANNOT_RUN, says="/nonexistent/agent")


def test_client_agent_that_is_no_agent(vtax, root):
    path = agents.write(vtax.cwd, "dies at once", AGENT)
    r = vtax("run", *ONE, env={"VTAX_AGENT": str(path)}, status=(INVALID, CANNOT_RUN))
    assert r.err.isascii() or r.err


# ---- databases -------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def good(shared, root):
    return shared.campaign(["native"], ["udp_rr"], out="good").dir / "results.db"


def damaged(vtax, good, change):
    folder = vtax.cwd / "bad"
    folder.mkdir()
    path = folder / "results.db"
    shutil.copy(good, path)
    change(path)
    return path


def truncate(path):
    path.write_bytes(path.read_bytes()[:5000])


def scramble(path):
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


def newer(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")


def foreign(path):
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE shopping (item TEXT)")


def not_a_database(path):
    path.write_text("milk, eggs\n")


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("change", [truncate, scramble, newer, foreign, not_a_database, empty])
@pytest.mark.parametrize("verb", ["report", "resume"])
def test_databases_that_are_none(vtax, good, verb, change):
    path = damaged(vtax, good, change)
    before = path.read_bytes()
    vtax.refuses(verb, "bad", status=(USAGE, CANNOT_RUN), says="bad")
    assert path.read_bytes() == before, "it was written to"


def test_newer_schema_says_so(vtax, good):
    damaged(vtax, good, newer)
    assert "newer" in vtax("report", "bad", status=None).err


def test_report_of_what_is_not_there(vtax):
    vtax.refuses("report", "nowhere", says=("nowhere", "no results.db"))
    vtax.refuses("report", says="no campaign in './vtax-results'")
    (vtax.cwd / "folder").mkdir()
    vtax.refuses("report", "folder", says="folder")


def test_report_with_an_unknown_baseline(vtax, good):
    vtax.refuses("report", str(good.parent), "--baseline", "nothing", says="nothing")


def test_report_into_a_place_that_cannot_be_written(vtax, good):
    for flag in ("--json", "--csv", "--markdown"):
        vtax.refuses("report", str(good.parent), flag, "/nonexistent/file", status=CANNOT_RUN, says="/nonexistent/file")
        vtax.refuses("report", str(good.parent), flag, "/dev/full", status=CANNOT_RUN, says="/dev/full")
        assert pathlib.Path("/dev/full").is_char_device(), "a device was replaced by a file"


def test_report_into_a_pipe_and_through_a_link(vtax, good):
    """/dev/stdout and links are written through, not replaced."""
    (vtax.cwd / "target.json").write_text("old")
    (vtax.cwd / "link.json").symlink_to("target.json")
    vtax("report", str(good.parent), "--json", "link.json", status=(OK, INVALID))
    assert (vtax.cwd / "link.json").is_symlink()
    assert json.loads((vtax.cwd / "target.json").read_text())["schema"] == "vtax.report/1"
    before = os.readlink("/dev/stdout")
    out = vtax("report", str(good.parent), "--csv", "/dev/stdout", status=(OK, INVALID)).out
    assert out.startswith("block,position,") or "\nblock,position," in out
    assert os.readlink("/dev/stdout") == before


def test_hostile_text_in_a_database_stays_text(vtax, good):
    """Labels from elsewhere must not drive the terminal."""
    def poison(path):
        with sqlite3.connect(path) as db:
            db.execute("UPDATE cell SET technique_label = ?", ("\x1b[2J\x07evil\u202e|<script>",))
            db.execute("UPDATE campaign SET baseline = ?", ("\x1b[2J\x07evil\u202e|<script>",))
    damaged(vtax, good, poison)
    for args in ((), ("--markdown", "-"), ("--csv", "-")):
        r = vtax("report", "bad", *args, status=None)
        if args != ("--csv", "-"):
            assert "\x1b" not in r.out and "\x07" not in r.out and "\u202e" not in r.out
            assert "evil" in r.out
