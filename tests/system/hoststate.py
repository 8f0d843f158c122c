# SPDX-License-Identifier: GPL-2.0-or-later
"""What vtax could leave on a machine, as a set of lines, so that two moments can be compared.

Other campaigns may be at work on the same machine (another checkout, another user): what belongs to one whose
owner lives, and which is not ours, is left out.
"""

import os
import pathlib
import re
import socket
import struct
import time

NETNS = pathlib.Path("/run/netns")
RUN = pathlib.Path("/run/vtax")
OWNED_BY_PID = re.compile(r"vtaxb(\d+)")  # the peers of bench/ name theirs by their process


def foreign_campaigns(states):
    """Ids of living campaigns that keep their journal in a state folder that is not ours."""
    ids = set()
    for fd in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if target.endswith("/journal") and "/campaigns/" in target:
            state, _, rest = target.partition("/campaigns/")
            if state not in states:
                ids.add(rest.split("/")[0])
    return ids


def mounts():
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        yield left.split()[4], right.split()[0]


def cgroup_roots():
    return [pathlib.Path(point) for point, kind in mounts() if kind in ("cgroup", "cgroup2")]


def cgroups():
    """Every cgroup with a name of ours, at the depths where we and our runtimes make them."""
    for root in cgroup_roots():
        for pattern in ("vtax*", "*/vtax*", "*/*/vtax*"):
            for top in root.glob(pattern):
                for folder, _, _ in os.walk(top):
                    yield pathlib.Path(folder)


def processes_in(cgroup):
    try:
        return [int(pid) for pid in (cgroup / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def own_processes(programs):
    """Processes that run a program from one of these folders."""
    for exe in pathlib.Path("/proc").glob("[0-9]*/exe"):
        try:
            target = os.readlink(exe)
        except OSError:
            continue
        if any(target.startswith(str(folder) + "/") for folder in programs):
            yield int(exe.parent.name), target


def nft_tables():
    """Tables of nftables in our network namespace, asked for over netlink: nft need not be installed."""
    try:
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
    except OSError:
        return
    with s:
        s.settimeout(5)
        # NFT_MSG_GETTABLE of NFNL_SUBSYS_NFTABLES, a request and a dump, for every family
        s.send(struct.pack("=IHHIIBBH", 20, (10 << 8) | 1, 0x301, 1, 0, 0, 0, 0))
        while True:
            data = s.recv(65536)
            while len(data) >= 16:
                size, kind = struct.unpack_from("=IH", data)
                if kind in (2, 3):  # an error (no nftables here), or the end
                    return
                yield from table_names(data[20:size])
                data = data[(size + 3) & ~3:]


def table_names(attributes):
    while len(attributes) >= 4:
        size, kind = struct.unpack_from("=HH", attributes)
        if kind == 1:  # NFTA_TABLE_NAME
            yield attributes[4:size].split(b"\0")[0].decode(errors="replace")
        attributes = attributes[max(4, (size + 3) & ~3):]


def files_below(folder):
    return (str(p) for p in sorted(folder.rglob("*"))) if folder.is_dir() else ()


def snapshot(states, programs):
    """`states`: our state folders. `programs`: folders whose programs are ours."""
    seen = set()
    if NETNS.is_dir():
        seen |= {f"network namespace {p.name}" for p in NETNS.iterdir()}
    seen |= {f"link {name}" for _, name in socket.if_nameindex()}
    seen |= {f"mount {point} ({kind})" for point, kind in mounts()}
    for cgroup in cgroups():
        seen.add(f"cgroup {cgroup}")
        seen |= {f"process {pid} in cgroup {cgroup}" for pid in processes_in(cgroup)}
    seen |= {f"process {pid} running {exe}" for pid, exe in own_processes(programs)}
    seen |= {f"nftables table {name}" for name in nft_tables()}
    for state in states:
        seen |= {f"file {p}" for p in files_below(pathlib.Path(state) / "campaigns")}
    seen |= {f"file {p}" for p in files_below(RUN)}
    return seen


def is_foreign(line, ids):
    if any(i in line for i in ids):
        return True
    owner = OWNED_BY_PID.search(line)
    return bool(owner) and pathlib.Path("/proc", owner.group(1)).exists()


def left_since(before, states, programs, patience=5.0):
    """What is there now and was not before. What is on its way out (a killed process, a namespace) may go first."""
    end = time.monotonic() + patience
    ids = foreign_campaigns(states)
    while True:
        left = {line for line in snapshot(states, programs) - before if not is_foreign(line, ids)}
        if not left or time.monotonic() > end:
            return sorted(left)
        ids |= foreign_campaigns(states)
        time.sleep(0.05)
