#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kill running campaigns (kill -9) at random moments, clean, and count what is left or lost.

usage: kills.py [--vtax PATH] [--kills N] [--seed N] [-t TECHNIQUE]...

Every campaign runs all the techniques named (default: every provider and network mode) over short trials. After
each kill the trials that the program had announced as done must be in the store, `vtax clean` must succeed,
and nothing of vtax's may be left on the host: network namespaces, links, nft tables, mounts, cgroups,
processes, state and scratch files. Exits 1 when anything was left or lost. Needs root.
"""
import argparse
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

TECHNIQUES = ["native", "null", "delay:us=20", "oci:runtime=crun,net=*", "oci:runtime=runc,net=*",
              "oci:runtime=crun,rootfs=bind", "docker:net=*", "docker:net=nat,rootfs=volume"]
STATE = os.environ.get("VTAX_STATE", "/var/lib/vtax")


def output(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=20).stdout
    except FileNotFoundError:
        return ""


def lines(text, wanted=lambda line: True):
    return {line for line in text.splitlines() if wanted(line)}


def cgroups():
    """Every vtax* cgroup in every hierarchy, and the processes in it."""
    groups, pids = set(), set()
    for base, dirs, files in os.walk("/sys/fs/cgroup"):
        if "/vtax" not in base:
            continue
        groups.add(base)
        try:
            with open(os.path.join(base, "cgroup.procs")) as f:
                pids |= set(f.read().split())
        except OSError:
            pass
    return groups, pids


def listing(path):
    try:
        return {os.path.join(path, name) for name in os.listdir(path)}
    except OSError:
        return set()


def host():
    """What a killed campaign could leave, by kind; compared before and after."""
    groups, pids = cgroups()
    with open("/proc/self/mounts") as f:
        mounts = f.read()
    return {
        "namespaces": {n for n in listing("/run/netns") if "vtax" in n},
        "links": lines(output("ip", "-o", "link"), lambda line: True),
        "nft tables": lines(output("nft", "list", "tables")),
        "mounts": lines(mounts),
        "cgroups": groups,
        "processes": pids,
        "files": listing(os.path.join(STATE, "campaigns")) | listing("/run/vtax"),
    }


def stored_trials(folder):
    path = os.path.join(folder, "results.db")
    if not os.path.exists(path):
        return 0
    with sqlite3.connect(path) as db:
        return db.execute("select count(*) from trial").fetchone()[0]


def announced(log):
    """Trials that the program said were done (it says so after they are committed)."""
    return len(re.findall(r"^debug: trial \d+:|trial \d+ is invalid", log, re.M))


def one_kill(vtax, techniques, rng, folder, longest):
    argv = [vtax, "run", "-v", "--no-html", "-o", folder, "-d", "60ms", "--warmup", "10ms", "-b", "50",
            "--max-other-load", "100%", "--max-steal", "100%", "-w", "tcp_rr", "-w", "udp_stream", "-w", "tcp_crr"]
    for technique in techniques:
        argv += ["-t", technique]
    log_path = folder + ".log"
    with open(log_path, "w") as log:
        proc = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=log, stdin=subprocess.DEVNULL)
        moment = rng.uniform(0.02, longest)
        try:
            proc.wait(moment)
            early = True
        except subprocess.TimeoutExpired:
            early = False
        proc.send_signal(signal.SIGKILL)
        proc.wait()
    with open(log_path) as log:
        text = log.read()
    if early:
        sys.exit(f"the campaign ended by itself before the kill: {text.strip()}")
    return moment, text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--vtax", default=os.path.join(here, "..", "build", "vtax"))
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--longest", type=float, default=12.0, help="latest moment of a kill, seconds")
    parser.add_argument("-t", "--technique", action="append")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    subprocess.run([args.vtax, "clean"], check=True, stdout=subprocess.DEVNULL)
    before = host()
    left = {kind: 0 for kind in before}
    lost = finished = failures = 0
    folder = tempfile.mkdtemp(prefix="vtax-kills-")
    for i in range(args.kills):
        where = os.path.join(folder, f"c{i}")
        techniques = list(args.technique or TECHNIQUES)
        rng.shuffle(techniques)
        moment, log = one_kill(args.vtax, techniques, rng, where, args.longest)
        done, stored = announced(log), stored_trials(where)
        clean = subprocess.run([args.vtax, "clean"], capture_output=True, text=True)
        after = host()
        new = {kind: sorted(after[kind] - before[kind]) for kind in after}
        for kind, what in new.items():
            left[kind] += len(what)
            for name in what:
                print(f"kill {i}: left {kind}: {name}")
        if clean.returncode:
            failures += 1
            print(f"kill {i}: clean failed: {clean.stdout}{clean.stderr}", end="")
        lost += max(0, done - stored)
        finished += stored
        print(f"kill {i + 1}/{args.kills} after {moment:.2f} s: {stored} trials stored, {max(0, done - stored)} lost, "
              f"{sum(len(v) for v in new.values())} left", flush=True)
    if not any(left.values()) and not lost:
        shutil.rmtree(folder)
    print(f"\nseed {args.seed}: {args.kills} kills, {finished} finished trials, {lost} lost, {failures} cleans failed")
    print("left: " + ", ".join(f"{n} {kind}" for kind, n in left.items()))
    return 1 if lost or failures or any(left.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
