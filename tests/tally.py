#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts results for the closing line of `quickstart test`.

    tally.py meson TESTLOG.json     prints "PASSED FAILED SKIPPED" and, on stderr, what failed or was skipped
    tally.py pytest OUTPUT STATUS   the same from pytest's summary line and its exit status

A cmocka program counts by its cases, since one that skips a case is not a program that passed; anything else
that Meson runs counts as one. A program that fails without a failed case (a crash, a sanitizer's finding) adds
one failure.
"""

import json
import re
import sys

CASE = re.compile(r"^\[\s+(OK|FAILED|SKIPPED|ERROR)\s+\] (\S+)", re.M)
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed|xpassed)\b")


def meson(path):
    total = [0, 0, 0]
    with open(path, encoding="utf-8") as log:
        for line in log:
            add(total, meson_one(json.loads(line)))
    return total


def add(total, counts):
    for i, n in enumerate(counts):
        total[i] += n


def meson_one(test):
    name, result = test["name"], test["result"]
    good = result in ("OK", "EXPECTEDFAIL")
    if result == "SKIP":
        print(f"  skipped: {name}", file=sys.stderr)
        return 0, 0, 1
    output = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    cases = {}
    if "[==========] Running" in output:
        for verdict, case in CASE.findall(output):
            # The list of failures at the end names cases again; "N test(s)" lines are no cases.
            if not case.isdigit() and cases.get(case) != "FAILED":
                cases[case] = "FAILED" if verdict in ("FAILED", "ERROR") and case != "---" else verdict
        cases.pop("---", None)
    passed = sum(v == "OK" for v in cases.values())
    skipped = [c for c, v in cases.items() if v == "SKIPPED"]
    failed = [c for c, v in cases.items() if v == "FAILED"]
    for case in skipped:
        print(f"  skipped: {name}: {case}", file=sys.stderr)
    if good:
        return passed + (not cases), len(failed), len(skipped)
    for case in failed or [result.lower()]:
        print(f"  FAILED: {name}: {case}", file=sys.stderr)
    tail = output.strip().splitlines()[-40:]
    print("\n".join("    | " + text for text in tail), file=sys.stderr)
    return passed, max(1, len(failed)), len(skipped)


def pytest(path, status):
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = [line for line in log if COUNT.search(line)]
    counts = {word.rstrip("s") if word.startswith("error") else word: int(n)
              for n, word in COUNT.findall(lines[-1] if lines else "")}
    failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("xpassed", 0)
    # 5: no tests were found. Any other status without a failure counted is itself one: killed, or a usage error.
    if status not in (0, 5) and not failed:
        failed = 1
    return [counts.get("passed", 0), failed, counts.get("skipped", 0) + counts.get("xfailed", 0)]


def main(argv):
    if len(argv) == 3 and argv[1] == "meson":
        counts = meson(argv[2])
    elif len(argv) == 4 and argv[1] == "pytest":
        counts = pytest(argv[2], int(argv[3]))
    else:
        sys.exit(__doc__)
    print(*counts)


if __name__ == "__main__":
    main(sys.argv)
