# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: help, suggestions, lists, completion, doctor, dry runs, and a stdout that cannot be written."""

import json
import os
import re
import subprocess

import pytest

from vtaxtest import CANNOT_RUN, OK, USAGE, QUICK, TOLERANT

VERBS = ("run", "resume", "report", "doctor", "list", "clean", "help", "completion")
TECHNIQUES = ("native", "oci", "docker", "delay", "null")
WORKLOADS = ("tcp_stream", "tcp_maerts", "tcp_rr", "tcp_crr", "udp_stream", "udp_rr", "ping")


def test_no_arguments_print_help_and_fail(vtax):
    r = vtax(status=USAGE)
    assert "usage: vtax" in r.out


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_names_every_verb_and_exit_code(vtax, words):
    out = vtax(*words).out
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", out, re.M), verb
    for code in ("2 usage", "3 inconclusive or invalid", "77 cannot run", "130 interrupted"):
        assert code in out


@pytest.mark.parametrize("words", [["--version"], ["-V"]])
def test_version_is_one_line(vtax, words):
    assert re.fullmatch(r"vtax \d+\.\d+\.\d+\S*\n", vtax(*words).out)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(vtax, verb):
    by_flag, by_help = vtax(verb, "--help"), vtax("help", verb)
    assert by_flag.out == by_help.out
    assert by_flag.out.startswith(f"usage: vtax {verb}")
    assert by_flag.err == ""


def test_a_mistyped_verb_is_suggested(vtax):
    vtax.refuses("rnu", says=("'rnu'", "did you mean 'run'?"))
    vtax.refuses("doctr", says="did you mean 'doctor'?")


def test_an_unknown_verb_points_to_help(vtax):
    vtax.refuses("frobnicate", says=("'frobnicate'", "vtax help"))
    vtax.refuses("", says="vtax help")


@pytest.mark.parametrize("argv, says", [
    (["run", "--blokcs", "3"], ("'--blokcs'", "did you mean '--blocks'?")),
    (["run", "quick", "--blokcs", "3"], ("'--blokcs'", "did you mean '--blocks'?")),
    (["run", "--jsno=x"], ("--jsno", "did you mean '--json'?")),
    (["run", "--zzzzzzzz"], "'--zzzzzzzz'"),
    (["run", "-Z"], "'-Z'"),
    (["run", "-qZ"], "'-Z'"),
    (["run", "quick", "-nZq"], "'-Z'"),
    (["run", "--duration"], ("'--duration'", "needs an argument")),
    (["run", "quick", "--duration"], ("'--duration'", "needs an argument")),
    (["run", "-d"], ("'-d'", "needs an argument")),
    (["run", "-nqd"], ("'-d'", "needs an argument")),
    (["run", "--quiet=3"], ("'--quiet'", "takes no argument")),
    (["report", "--html=x"], ("'--html'", "takes no argument")),
    (["report", "--baselin", "a", "--frob"], "'--frob'"),
    (["clean", "--dry-rum"], "did you mean '--dry-run'?"),
    (["doctor", "--json"], "'--json'"),
    (["list", "-x"], "'-x'"),
    (["completion", "zsh"], "zsh"),
])
def test_bad_flags_name_the_flag(vtax, argv, says):
    vtax.refuses(*argv, says=says)


@pytest.mark.parametrize("argv", [
    ["run", "quick", "quick"], ["report", "a", "b"], ["resume", "a", "b"], ["list", "suites", "metrics"],
    ["clean", "something"], ["list", "nothing"], ["help", "nothing"], ["completion", "bash", "fish"], ["help", "run", "oci"],
])
def test_too_many_or_wrong_words_are_usage_errors(vtax, argv):
    vtax.refuses(*argv)


def test_list_topics_suggest(vtax):
    vtax.refuses("list", "techniqes", says="did you mean 'techniques'?")


def test_list_shows_everything(vtax):
    out = vtax("list").out
    for word in (*TECHNIQUES, *WORKLOADS, "quick", "transactions_per_s", "cpu_host_ns_per_op", "latency_p99_9_ns"):
        assert re.search(rf"^ *{word}\b", out, re.M), word


@pytest.mark.parametrize("topic, words", [
    ("techniques", TECHNIQUES), ("workloads", WORKLOADS), ("suites", ["quick"]),
    ("metrics", ["throughput_bits_per_s", "jitter_ns", "retransmits", "startup_ns"]),
])
def test_each_list_topic(vtax, topic, words):
    out = vtax("list", topic).out
    for word in words:
        assert re.search(rf"^ *{word}\b", out, re.M), word


@pytest.mark.parametrize("name", TECHNIQUES)
def test_help_of_techniques_comes_from_their_options(vtax, name):
    out = vtax("help", name).out
    assert out.startswith(f"technique {name}")
    assert "label=TEXT" in out
    for option in {"oci": ("runtime=", "net=host|bridge|nat|macvlan", "rootfs=overlay|bind", "pidns=", "mountns=",
                           "utsns=", "ipcns=", "userns=", "cgroupns=", "cgroup=", "seccomp=", "caps=", "readonly="),
                   "docker": ("net=", "rootfs="), "delay": ("us=",), "null": ("agent=", "start="),
                   "native": ()}[name]:
        assert f"  {option}" in out, option


@pytest.mark.parametrize("name", WORKLOADS)
def test_help_of_workloads_lists_options_and_metrics(vtax, name):
    out = vtax("help", name).out
    assert out.startswith(f"workload {name}")
    assert re.search(r"^\* \w+", out, re.M), "no primary metric"
    for option in {"tcp_rr": ("request=", "response=", "streams=", "nodelay=", "sockbuf="),
                   "udp_stream": ("message=", "streams=", "interval=", "sockbuf="),
                   "ping": ("size=", "interval=", "timeout=")}.get(name, ()):
        assert f"  {option}" in out, option


def test_help_of_the_plan_names_every_key(vtax):
    out = vtax("help", "plan").out
    for key in ("suite", "description", "duration", "warmup", "blocks", "max_blocks", "time_budget", "target", "pin",
                "offload", "mtu", "baseline", "techniques", "workloads"):
        assert re.search(rf"^  {key}: ", out, re.M), key


def complete(script, words, cwd):
    """What bash would offer for the last of `words`."""
    ask = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vtax; printf "%s\\n" "${COMPREPLY[@]}"'
    p = subprocess.run(["bash", "-c", ask, "bash", str(script), *words], cwd=cwd, capture_output=True, text=True,
                       timeout=30, check=True)
    assert p.stderr == "", p.stderr
    return p.stdout.split()


def test_completion_is_bash_and_completes(vtax, tmp_path):
    script = tmp_path / "vtax.bash"
    script.write_text(vtax("completion", "bash").out)
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=30)
    assert complete(script, ["vtax", "re"], tmp_path) == ["resume", "report"]
    assert set(VERBS) <= set(complete(script, ["vtax", ""], tmp_path))
    assert complete(script, ["vtax", "run", "--bl"], tmp_path) == ["--blocks"]
    assert complete(script, ["vtax", "clean", "--dr"], tmp_path) == ["--dry-run"]
    assert complete(script, ["vtax", "run", "-t", "do"], tmp_path) == ["docker"]
    assert complete(script, ["vtax", "run", "--workload", "udp_"], tmp_path) == ["udp_stream", "udp_rr"]
    assert complete(script, ["vtax", "list", "sui"], tmp_path) == ["suites"]
    assert complete(script, ["vtax", "help", "pla"], tmp_path) == ["plan"]
    (tmp_path / "my-plan.yaml").write_text("")
    assert complete(script, ["vtax", "run", "my-"], tmp_path) == ["my-plan.yaml"]


def test_completion_loads_into_a_shell(vtax, tmp_path):
    script = tmp_path / "vtax.bash"
    script.write_text(vtax("completion").out)
    p = subprocess.run(["bash", "-c", 'source "$1" && complete -p vtax', "bash", str(script)], capture_output=True,
                       text=True, timeout=30, check=True)
    assert "_vtax" in p.stdout


def test_doctor_looks_at_everything_and_succeeds(vtax):
    out = vtax("doctor").out
    for word in ("root", "cgroups", "CPUs", "addresses 198.18.0.0/15", "gnuplot", *TECHNIQUES, "oci:runtime=runc"):
        assert word in out, word
    assert re.search(r"^  ok +native ", out, re.M)


def test_doctor_says_no_to_what_was_named_and_is_missing(vtax):
    r = vtax("doctor", "oci:runtime=no-such-runtime", status=CANNOT_RUN)
    assert re.search(r"^  no +oci:runtime=no-such-runtime .*not installed", r.out, re.M), r
    r = vtax("doctor", "native", "oci:runtime=no-such-runtime", status=CANNOT_RUN)
    assert re.search(r"^  ok +native ", r.out, re.M), r


def test_doctor_of_something_usable(vtax):
    assert vtax("doctor", "native", "null").status == OK


def test_doctor_works_without_rights(unprivileged):
    out = unprivileged("doctor").out
    assert re.search(r"^  no +root .*sudo", out, re.M)


def test_dry_run_needs_no_root_and_prints_the_plan(unprivileged):
    out = unprivileged("run", "--dry-run", "--seed", "7").out
    assert "seed 7" in out and "baseline native" in out
    for w in WORKLOADS[:6]:
        assert re.search(rf"^  {w}$", out, re.M), w
    assert re.search(r"^about \d+ blocks of each workload, about \S+", out, re.M)


def test_dry_run_says_why_something_would_not_run(vtax, tmp_path):
    r = vtax("run", "-n", "-t", "native", "-t", "oci:runtime=no-such-runtime", "-t", "delay:us=1", "-w", "ping")
    assert "not run: oci:runtime=no-such-runtime: " in r.out and "not installed" in r.out
    assert "not run: delay:us=1: ICMP" in r.out
    assert not list(tmp_path.iterdir()), "a dry run wrote something"


def test_dry_run_estimate_grows_with_the_plan(vtax):
    def seconds(*args):
        out = vtax("run", "-n", "-t", "native", "-w", "tcp_rr", *args).out
        total = re.search(r", about (?:(\d+) ?h ?)?(?:(\d+) ?min ?)?(?:([\d.]+) ?s)?$", out, re.M)
        assert total and any(total.groups()), out
        h, m, s = (float(g or 0) for g in total.groups())
        return 3600 * h + 60 * m + s
    one, ten = seconds("-d", "5s", "-b", "1"), seconds("-d", "5s", "-b", "10")
    assert 5 <= one < 10
    assert 50 <= ten < 100


def test_dry_run_order_depends_on_the_seed_only(vtax):
    def plan(seed):
        out = vtax("run", "-n", "-t", "oci:net=*", "-t", "native", "-w", "tcp_*", "--seed", seed).out
        return out.split("workloads and techniques:")[1]
    assert plan(1) == plan(1)
    assert len({plan(seed) for seed in range(6)}) > 1


def test_json_on_stdout_is_only_json(vtax, root):
    r = vtax("run", *QUICK, *TOLERANT, "-t", "native", "-w", "tcp_rr", "--json", "-", status=(0, 3))
    assert json.loads(r.out)["schema"] == "vtax.report/1"
    name = json.loads(r.out)["campaign"]["id"]
    again = vtax("report", name, "--json", "-", status=(0, 3))
    assert json.loads(again.out)["trials"] == json.loads(r.out)["trials"]


def test_results_go_to_a_folder_of_the_campaigns_name(vtax, root, tmp_path):
    vtax("run", *QUICK, *TOLERANT, "-t", "native", "-w", "tcp_rr", "--json", "r.json", status=(0, 3))
    name = json.loads((tmp_path / "r.json").read_text())["campaign"]["id"]
    assert (tmp_path / "vtax-results" / name / "results.db").exists()
    for words in ([], [name], [f"vtax-results/{name}"], [str(tmp_path / "vtax-results" / name)]):
        assert "tcp_rr" in vtax("report", *words, status=(0, 3)).out


@pytest.mark.parametrize("argv", [["--help"], ["--version"], [], ["list"], ["help", "oci"], ["run", "--help"],
                                  ["doctor"], ["completion"], ["run", "--dry-run"]])
def test_a_full_disk_on_stdout_is_no_success(vtax, argv):
    with open("/dev/full", "wb") as full:
        r = vtax(*argv, stdout=full, status=None)
    assert r.status not in (OK, -6, -11), r
    assert len(r.error_lines) == 1 and "standard output" in r.err, r


@pytest.mark.parametrize("argv", [["--help"], ["list"]])
def test_a_closed_stdout_is_no_success(vtax, argv):
    # Closed by a child between fork and exec; /dev/null stands in for the pipe that subprocess makes.
    p = subprocess.run([str(vtax.program), *argv], cwd=vtax.cwd, env=vtax.env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=30, check=False,
                       preexec_fn=lambda: os.close(1))
    assert p.returncode == CANNOT_RUN, p
    assert b"standard output" in p.stderr


def test_a_reader_that_left_is_no_success(vtax):
    read, write = os.pipe()
    os.close(read)
    try:
        r = vtax("list", stdout=write, status=None)
    finally:
        os.close(write)
    assert r.status == CANNOT_RUN and "standard output" in r.err, r
