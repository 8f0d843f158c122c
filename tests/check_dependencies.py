#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""quickstart installs exactly the packages that docs/dependencies.md gives a reason for, group by group."""

import os
import re
import subprocess
import sys

GROUPS = ("build", "run", "test", "unpack")


def documented(path):
    found, group = set(), None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("## "):
                group = line[3:].strip()
            match = re.match(r"- `([^`]+)`: \S", line)
            if match and group in GROUPS:
                found.add((group, match[1]))
    return found


def main():
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    text = subprocess.run([os.path.join(top, "quickstart"), "--list-packages"], check=True, text=True,
                          stdout=subprocess.PIPE, timeout=30).stdout
    installed = {tuple(line.split()) for line in text.splitlines()}
    explained = documented(os.path.join(top, "docs", "dependencies.md"))
    for group, package in sorted(installed - explained):
        print(f"docs/dependencies.md: no reason for '{package}' in section '{group}'")
    for group, package in sorted(explained - installed):
        print(f"quickstart: '{package}' is documented in '{group}' but not in its list")
    return 0 if installed == explained and installed else 1


if __name__ == "__main__":
    sys.exit(main())
