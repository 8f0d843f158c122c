#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts a real campaign's table and figure into README.md: no figure there was ever typed.

    docs/refresh-readme.py CAMPAIGN_DIR [--program build/vtax] [--top .]

Between `<!-- output:quick -->` and `<!-- /output -->` goes what `vtax report CAMPAIGN_DIR` prints, below a line on
the machine; docs/img/overhead-tcp_rr.svg becomes the campaign's figure. Nothing is written when the campaign is
unfinished, has no valid trial in a cell, lacks the figure, or shows a host name or path of this machine.
"""

import argparse
import json
import os
import pathlib
import re
import socket
import subprocess
import sys

BEGIN, END = "<!-- output:quick -->", "<!-- /output -->"
FIGURE = pathlib.Path("docs/img/overhead-tcp_rr.svg")
NO_VALID_TRIAL = 3  # exit status of vtax report


def report(program, campaign, *flags):
    env = {**os.environ, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    p = subprocess.run([program, "report", campaign, *flags], env=env, stdin=subprocess.DEVNULL, timeout=120,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if p.returncode == NO_VALID_TRIAL:
        sys.exit(f"a cell of '{campaign}' has no valid trial: measure again on a quieter machine")
    if p.returncode:
        sys.exit(f"'{program} report {campaign}' failed: {p.stderr.strip()}")
    return p.stdout


def machine(fingerprint):
    """What a reader has to know to place the numbers, as far as the fingerprint says it."""
    cpu = fingerprint.get("cpu") or {}
    kernel = fingerprint.get("kernel") or {}
    parts = [cpu.get("model"), (fingerprint.get("os") or {}).get("name")]
    if isinstance(cpu.get("online"), int):
        parts.insert(1, f"{cpu['online']} CPUs")
    release = re.match(r"\d+\.\d+", kernel.get("release") or "")
    if release:
        parts.append("Linux " + release[0])
    if (fingerprint.get("virtualization") or {}).get("guest"):
        parts.append("itself a virtual machine")
    return ", ".join(p for p in parts if p)


def section(data, table):
    campaign = data["campaign"]
    seconds = round(campaign["wall_s"])
    lines = [
        BEGIN,
        f"Measured {campaign['started_at'][:10]} on {machine(data['fingerprint'])}; "
        f"suite `{campaign['suite']}`, {seconds // 60} min {seconds % 60} s.",
        "",
        "```text",
        table.rstrip("\n"),
        "```",
        END,
    ]
    return "\n".join(lines)


def check_private(text, what):
    """A published page names no machine and no folder of ours."""
    host = socket.gethostname()
    if len(host) > 3 and host != "localhost" and re.search(rf"\b{re.escape(host)}\b", text):
        sys.exit(f"{what} holds this machine's name: not written")
    for path in (os.getcwd(), os.path.expanduser("~")):
        if len(path) > 1 and path in text:
            sys.exit(f"{what} holds the path '{path}': not written")


def find_figure(campaign):
    found = sorted(campaign.glob("figures/*-tcp_rr-overhead.svg"))
    if not found:
        sys.exit(f"no figures/*-tcp_rr-overhead.svg in '{campaign}': run 'vtax report --html {campaign}'")
    return found[0].read_text(encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("campaign", type=pathlib.Path, metavar="CAMPAIGN_DIR")
    parser.add_argument("--program", default="build/vtax")
    parser.add_argument("--top", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent,
                        help="the project (default: this one)")
    args = parser.parse_args()

    table = report(args.program, args.campaign)
    data = json.loads(report(args.program, args.campaign, "--json", "-"))
    if not data["campaign"]["complete"]:
        sys.exit(f"'{args.campaign}' is unfinished: 'vtax resume' it first")
    figure = find_figure(args.campaign)
    text = section(data, table)
    check_private(text, "the table")
    check_private(figure, "the figure")

    readme = args.top / "README.md"
    old = readme.read_text(encoding="utf-8")
    new, n = re.subn(re.escape(BEGIN) + ".*?" + re.escape(END), lambda m: text, old, flags=re.S)
    if n != 1:
        sys.exit(f"'{readme}' has {n} places '{BEGIN} … {END}', not one")
    (args.top / FIGURE).parent.mkdir(parents=True, exist_ok=True)
    (args.top / FIGURE).write_text(figure, encoding="utf-8")
    readme.write_text(new, encoding="utf-8")
    print(f"{readme}: {table.count(chr(10))} lines of output; {FIGURE}: {len(figure)} bytes")


if __name__ == "__main__":
    main()
