#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vtax's load generator against its peers, interleaved, as ratios of rates (above 1: vtax is faster).

Two network namespaces of its own (vtaxb…) joined by a veth pair; server on one CPU, client on another. Each
round runs both sides in ABBA order and gives one ratio; printed is the geometric mean over the rounds with
its 95 % t interval. Whatever happens, the namespaces go.

    sudo bench/peers.py [--agent build/vtax-agent] [--pingpong build/bench/pingpong] [--rounds 10]
                        [--seconds 1] [--only tcp_rr,udp_rr,…]

On a machine that is not quiet, --fifo (round trips) or --nice -20 (streams) narrow the intervals.
"""

import argparse
import ctypes
import json
import math
import os
import signal
import subprocess
import sys
import time

from agent import Agent, AgentError

SERVER, CLIENT = "198.19.255.2", "198.19.255.1"
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

# two-sided 95 % quantiles of Student's t, by degrees of freedom
T95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
       2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
       2.045, 2.042]


def run(*argv, check=True):
    return subprocess.run(argv, check=check, timeout=30, stdout=subprocess.DEVNULL)


class Bed:
    """Namespaces and cable, with a place (namespace and CPU) for each side."""

    def __init__(self, cpus, nice=0, fifo=False):
        self.nice, self.fifo = nice, fifo
        tag = "vtaxb%d" % os.getpid()
        self.ns = {"server": tag + "s", "client": tag + "c"}
        self.cpu = dict(zip(("server", "client"), cpus))

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self):
        s, c = self.ns["server"], self.ns["client"]
        run("ip", "netns", "add", s)
        run("ip", "netns", "add", c)
        run("ip", "-n", c, "link", "add", "vtaxb0", "type", "veth", "peer", "name", "vtaxb1", "netns", s)
        for ns, dev, addr in ((c, "vtaxb0", CLIENT), (s, "vtaxb1", SERVER)):
            run("ip", "-n", ns, "addr", "add", addr + "/30", "dev", dev)
            run("ip", "-n", ns, "link", "set", "lo", "up")
            run("ip", "-n", ns, "link", "set", dev, "up")

    def __exit__(self, *_):
        for ns in self.ns.values():
            run("ip", "netns", "del", ns, check=False)

    def place(self, side):
        """For Popen(preexec_fn=…): enters the side's namespace and CPU, dies with us."""
        path, cpu, nice, fifo = "/run/netns/" + self.ns[side], self.cpu[side], self.nice, self.fifo

        def enter():
            fd = os.open(path, os.O_RDONLY)
            if libc.setns(fd, CLONE_NEWNET) < 0:
                os._exit(125)
            os.close(fd)
            os.sched_setaffinity(0, {cpu})
            os.nice(nice)
            if fifo:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
            libc.prctl(1, signal.SIGKILL)
        return enter


class Child:
    """A server program for the time of one measurement."""

    def __init__(self, bed, argv):
        self.argv, self.bed = argv, bed

    def __enter__(self):
        self.p = subprocess.Popen(self.argv, preexec_fn=self.bed.place("server"), stdout=subprocess.DEVNULL)
        time.sleep(0.15)
        return self

    def __exit__(self, *_):
        self.p.kill()
        self.p.wait()


class Peers:
    def __init__(self, bed, args):
        self.bed, self.args = bed, args

    def agent_run(self, kernel, warmup=0.0, **params):
        side = self.bed.place
        with Agent([self.args.agent], side("server")) as s, Agent([self.args.agent], side("client")) as c:
            port = s.serve(kernel, SERVER, port=0, **params)
            load = c.load(kernel, SERVER, port, self.args.seconds, warmup, **params)
            return load, s.stop()

    def agent_rr(self, kernel):
        return self.agent_run(kernel, nodelay=1, tick_ns=100_000_000)[0]["transactions_per_s"]

    def agent_tcp(self, **params):
        return self.agent_run("tcp_stream", nodelay=1, tick_ns=100_000_000, **params)[0]["throughput_bits_per_s"]

    def agent_udp(self, **params):
        load, server = self.agent_run("udp_stream", tick_ns=100_000_000, **params)
        return 8e9 * server["received_bytes"] / load["elapsed_ns"]

    def client(self, argv):
        return subprocess.run(argv, preexec_fn=self.bed.place("client"), check=True, text=True,
                              timeout=self.args.seconds + 20, stdout=subprocess.PIPE).stdout

    def pingpong(self, proto):
        with Child(self.bed, [self.args.pingpong, proto, "server", "7777"]):
            return float(self.client([self.args.pingpong, proto, "client", SERVER, "7777",
                                      str(self.args.seconds)]))

    def iperf3(self, *options):
        with Child(self.bed, ["iperf3", "-s", "-1", "-B", SERVER]):
            out = json.loads(self.client(["iperf3", "-c", SERVER, "-J", "-t", str(max(1, round(self.args.seconds))),
                                          *options]))
        return out["end"]["sum_received"]["bits_per_second"]

    def pairs(self):
        return {
            "tcp_rr": (lambda: self.agent_rr("tcp_rr"), lambda: self.pingpong("tcp"), "hand-written ping-pong"),
            "udp_rr": (lambda: self.agent_rr("udp_rr"), lambda: self.pingpong("udp"), "hand-written ping-pong"),
            "tcp_stream_128k": (lambda: self.agent_tcp(message_bytes=131072), lambda: self.iperf3("-l", "128K"),
                                "iperf3 -l 128K"),
            "tcp_stream_16k": (lambda: self.agent_tcp(message_bytes=16384), lambda: self.iperf3("-l", "16K"),
                               "iperf3 -l 16K"),
            "tcp_stream_default": (self.agent_tcp, self.iperf3, "iperf3, each with its default size"),
            "udp_stream_1448": (lambda: self.agent_udp(message_bytes=1448),
                                lambda: self.iperf3("-u", "-b", "0", "-l", "1448"), "iperf3 -u -b 0 -l 1448"),
            "udp_stream_65507": (lambda: self.agent_udp(message_bytes=65507),
                                 lambda: self.iperf3("-u", "-b", "0", "-l", "65507"), "iperf3 -u -b 0 -l 65507"),
        }


def interval(logs):
    n = len(logs)
    mean = sum(logs) / n
    if n < 2:
        return mean, math.nan, math.nan
    sd = math.sqrt(sum((x - mean) ** 2 for x in logs) / (n - 1))
    half = (T95[n - 2] if n - 2 < len(T95) else 1.96) * sd / math.sqrt(n)
    return mean, mean - half, mean + half


def compare(name, ours, theirs, what, rounds):
    logs, a, b = [], [], []
    for _ in range(rounds):
        x = [ours()]
        y = [theirs(), theirs()]
        x.append(ours())
        a += x
        b += y
        logs.append(math.log(x[0] * x[1] / (y[0] * y[1])) / 2)
    mean, lo, hi = (math.exp(v) for v in interval(logs))
    geo = [math.exp(sum(map(math.log, v)) / len(v)) for v in (a, b)]
    print("%-20s %.4f  [%.4f, %.4f]  vtax %.4g  peer %.4g  n=%d  %s" % (name, mean, lo, hi, *geo, rounds, what),
          flush=True)
    return {"name": name, "ratio": mean, "ci95": [lo, hi], "vtax": a, "peer": b, "against": what}


def main():
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--agent", default=top + "/build/vtax-agent")
    ap.add_argument("--pingpong", default=top + "/build/bench/pingpong")
    ap.add_argument("--rounds", type=int, default=10)
    ap.add_argument("--seconds", type=float, default=1.0)
    ap.add_argument("--cpus", default="0,1", help="server's and client's CPU (default 0,1)")
    ap.add_argument("--nice", type=int, default=0, help="of both peers: -20 on a machine that others use too")
    ap.add_argument("--fifo", action="store_true",
                    help="real-time priority for both peers; not for streams, which would be throttled")
    ap.add_argument("--only", default="", help="comma-separated names")
    ap.add_argument("--json", help="also write every value here")
    args = ap.parse_args()
    if os.geteuid() != 0:
        print("peers.py: needs root, for network namespaces", file=sys.stderr)
        return 77
    results = []
    with Bed([int(c) for c in args.cpus.split(",")], args.nice, args.fifo) as bed:
        pairs = Peers(bed, args).pairs()
        for name in args.only.split(",") if args.only else pairs:
            if name not in pairs:
                print("peers.py: no comparison '%s': %s" % (name, " ".join(pairs)), file=sys.stderr)
                return 2
            results.append(compare(name, *pairs[name], args.rounds))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except (AgentError, subprocess.SubprocessError, OSError) as e:
        print("peers.py: %s" % e, file=sys.stderr)
        sys.exit(1)
