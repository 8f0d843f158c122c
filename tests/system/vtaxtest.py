# SPDX-License-Identifier: GPL-2.0-or-later
"""Running vtax and reading what it left: what the system tests share.

The program is run as a user runs it: argv arrays, its own working folder, no shell. Nothing here asserts a time:
every wait is for an event and has a limit, and a limit that is reached is a failure of its own.
"""

import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VTAX_BUILD", ROOT / "build")).resolve()
VTAX = BUILD / "vtax"
AGENT = BUILD / "vtax-agent"

# Exit codes, as the manual documents them.
OK, REGRESSION, USAGE, INVALID, CANNOT_RUN, INTERRUPTED = 0, 1, 2, 3, 77, 130

# Short trials; gates that other work on a shared machine would trip are open, since nothing here judges speed.
QUICK = ("-d", "100ms", "--warmup", "20ms", "-b", "1", "--no-html")
TOLERANT = ("--max-steal", "100%", "--max-other-load", "100%")
# Gates that a busy machine can trip and that no flag opens; such a trial still has all its numbers.
BUSY_GATES = {"client-saturated", "loss"}

PERCENTILES = ("p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p99_9", "p99_99")


class Result:
    """A run of vtax that ended."""

    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err

    def __repr__(self):
        return f"$ {' '.join(map(str, self.argv))}\nstatus {self.status}\n" \
               f"--- stdout\n{self.out[-1500:]}\n--- stderr\n{self.err[-6000:]}"

    @property
    def error_lines(self):
        """Lines by which vtax says that it failed: there is to be one, and one only."""
        return [line for line in self.err.splitlines()
                if line.startswith("vtax: ") and not line.startswith("vtax: warning: ")]


class Running:
    """A run of vtax that goes on; its stderr is read line by line by a thread."""

    def __init__(self, argv, cwd, env):
        self.argv = argv
        self.out = open(cwd / f".stdout-{os.urandom(4).hex()}", "w+b")
        self.process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=self.out,
                                        stderr=subprocess.PIPE, start_new_session=True)
        self.lines = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for raw in self.process.stderr:
            with self._changed:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self.lines.append(None)
            self._changed.notify_all()

    def text(self):
        return "\n".join(line for line in self.lines if line is not None)

    def wait_for(self, predicate, timeout=60):
        """The first line that satisfies the predicate; fails when the program ends, or the limit comes, before."""
        with self._changed:
            seen = 0
            while True:
                for line in self.lines[seen:]:
                    if line is None:
                        pytest.fail(f"{self.argv} ended before the awaited line; it said:\n{self.text()}")
                    if predicate(line):
                        return line
                seen = len(self.lines)
                if not self._changed.wait_for(lambda: len(self.lines) > seen, timeout):
                    pytest.fail(f"no awaited line within {timeout} s from {self.argv}; it said:\n{self.text()}")

    def wait_trials(self, n, timeout=60):
        """Waits until n trials are told as done (-v)."""
        count = [0]

        def told(line):
            count[0] += is_trial_line(line)
            return count[0] >= n
        return self.wait_for(told, timeout)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        return self.finish(30)

    def finish(self, timeout=60):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)
            pytest.fail(f"{self.argv} did not end within {timeout} s; it said:\n{self.text()}")
        # A launcher that outlived vtax may hold its stderr open for a moment; what vtax said is there already.
        self._reader.join(10)
        self.out.seek(0)
        out = self.out.read().decode(errors="replace")
        self.out.close()
        return Result(self.argv, self.process.returncode, out, self.text())


def is_trial_line(line):
    """A line of `vtax run -v` that tells of one stored trial."""
    return line.startswith("debug: trial ") or line.startswith("vtax: warning: trial ")


class Vtax:
    """Calls vtax in a folder, with a private state and cache."""

    def __init__(self, cwd, env, program=VTAX):
        self.cwd, self.env, self.program = cwd, env, program

    def argv(self, args, prefix=()):
        return [*map(str, prefix), str(self.program), *map(str, args)]

    def __call__(self, *args, status=OK, timeout=120, prefix=(), env=None, cwd=None, stdout=subprocess.PIPE):
        """Runs it to its end. `status` is what it must be: a number, several, or None for any."""
        argv = self.argv(args, prefix)
        try:
            p = subprocess.run(argv, cwd=cwd or self.cwd, env={**self.env, **(env or {})}, timeout=timeout,
                               stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                               start_new_session=True, check=False)
        except subprocess.TimeoutExpired as e:
            pytest.fail(f"{argv} did not end within {timeout} s; it said:\n{(e.stderr or b'').decode()}")
        r = Result(argv, p.returncode, (p.stdout or b"").decode(errors="replace"),
                   p.stderr.decode(errors="replace"))
        if status is not None:
            wanted = status if isinstance(status, (tuple, list, set)) else (status,)
            assert r.status in wanted, f"wanted exit status {wanted}\n{r}"
        return r

    def start(self, *args, prefix=(), env=None):
        return Running(self.argv(args, prefix), self.cwd, {**self.env, **(env or {})})

    def refuses(self, *args, status=USAGE, says=(), **how):
        """It must fail with this status and say so in exactly one line that holds all of `says`."""
        r = self(*args, status=status, **how)
        assert len(r.error_lines) == 1, f"wanted one line of error\n{r}"
        line = r.error_lines[0]
        for word in [says] if isinstance(says, str) else says:
            assert word in line, f"'{word}' is not in the error\n{r}"
        assert len(line) < 700 and line.isprintable(), f"not one clean line: {line!r}"
        assert "bug" not in r.err and "assert" not in r.err.lower(), r
        return r

    def campaign(self, techniques, workloads, *args, status=(OK, INVALID), out="out", flags=QUICK, timeout=240, **how):
        """A campaign with short trials; returns what its JSON says."""
        argv = ["run", *flags, *TOLERANT, "-q", "--json", "-", "--out", out]
        for t in techniques:
            argv += ["-t", t]
        for w in workloads:
            argv += ["-w", w]
        r = self(*argv, *args, status=status, timeout=timeout, **how)
        return Campaign(self.cwd / out, json.loads(r.out), r)


class Campaign:
    """A finished campaign: its JSON, and its database for what the JSON leaves out."""

    def __init__(self, folder, data, result=None):
        self.dir, self.json, self.result = pathlib.Path(folder), data, result

    def trials(self, workload=None, technique=None):
        return [t for t in self.json["trials"]
                if workload in (None, t["workload"]) and technique in (None, t["technique"])]

    def rows(self, workload=None, technique=None, metric=None):
        return [r for r in self.json["results"]
                if workload in (None, r["workload"]) and technique in (None, r["technique"])
                and metric in (None, r["metric"])]

    def row(self, workload, technique, metric):
        rows = self.rows(workload, technique, metric)
        assert len(rows) == 1, f"{len(rows)} rows of {workload} {technique} {metric}"
        return rows[0]

    def metrics(self, workload, technique):
        """The metrics of the first trial of this cell, which must have run to its end."""
        trial = self.trials(workload, technique)[0]
        assert_ran(trial)
        return trial["metrics"]

    def applied(self, technique):
        """Options of a technique as applied, read back from its first environment."""
        with sqlite3.connect(f"file:{self.dir}/results.db?mode=ro", uri=True) as db:
            rows = db.execute(
                "SELECT t.applied FROM trial t JOIN cell c USING (workload, technique)"
                " WHERE c.technique_label = ? AND t.applied IS NOT NULL ORDER BY t.sequence", (technique,)).fetchall()
        assert rows, f"nothing was read back for '{technique}'"
        return json.loads(rows[0][0])


def stored_trials(folder):
    """(block, workload, technique) of every trial in a database, in order; a hot journal is rolled back first."""
    with sqlite3.connect(pathlib.Path(folder) / "results.db") as db:
        return db.execute("SELECT block, workload, technique, sequence FROM trial ORDER BY sequence").fetchall()


def failed_gates(trial):
    return {g["name"] for g in trial["gates"]}


def assert_ran(trial):
    """It ran to its end: it has numbers, and at most gates failed that a busy machine trips."""
    what = f"{trial['workload']} in {trial['technique']}: {trial['reason']}"
    assert trial["metrics"], f"no metrics: {what}"
    if trial["valid"]:
        assert not trial["gates"] and not trial["reason"], what
    else:
        assert trial["gates"], f"failed: {what}"
        assert failed_gates(trial) <= BUSY_GATES, what


def primary(workload):
    return "throughput_bits_per_s" if "stream" in workload or "maerts" in workload else \
        "latency_p50_ns" if workload == "ping" else "transactions_per_s"


def check_cells(campaign, techniques, workloads, not_run=None):
    """Every cell has a trial with a positive value, or is not run for the reason expected (and none other)."""
    not_run = not_run or {}
    for w in workloads:
        name = w.split(":")[0]
        for t in techniques:
            trials = campaign.trials(name, t)
            rows = campaign.rows(name, t)
            assert rows, f"no row for {w} in {t}"
            reason = not_run.get((name, t))
            if reason:
                assert not trials, f"{w} in {t} ran, although {reason}"
                assert {r["verdict"] for r in rows} == {"not-run"}, rows[0]
                assert reason in rows[0]["reason"], f"{w} in {t} is not run because: {rows[0]['reason']}"
                continue
            assert trials, f"{w} in {t} has no trial: {rows[0]['verdict']}: {rows[0]['reason']}"
            for trial in trials:
                assert_ran(trial)
                assert trial["metrics"][primary(name)] > 0, f"{w} in {t}: {trial['metrics']}"


INTERRUPT = signal.SIGINT
