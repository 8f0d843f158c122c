#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a request costs the client: the load engine against redis-benchmark, wrk, httperf and dnsperf.

Same server, same connections and depth; server on one CPU, client on another, in a network namespace of its
own. In each round every client runs once, in turn. Printed are medians: CPU (user + system) of the client
process per answer, answers per second, and the engine's share of the other's CPU.

    sudo bench/clients.py [--build build] [--root DIR] [--rounds 5] [--seconds 1.5] [--only redis,http,…]

--root: where the Debian packages of servers and clients are unpacked ("/" when they are installed).
"""

import argparse
import ctypes
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import time

CLONE_NEWNET = 0x40000000
NGINX = """worker_processes 1; daemon off; error_log {dir}/err; pid {dir}/pid; user root;
events {{ worker_connections 20000; }}
http {{ access_log off; keepalive_requests 100000000; open_file_cache max=100;
 client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir};
 scgi_temp_path {dir};
 server {{ listen 127.0.0.1:8080 backlog=8192; root {dir}; }} }}
"""
NAMED = """options {{ directory "{dir}"; listen-on port 5353 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
 recursion no; pid-file "{dir}/named.pid"; session-keyfile "{dir}/key"; }};
controls {{ }};
zone "example.test" {{ type master; file "{dir}/zone"; }};
"""
ZONE = "$TTL 300\n@ IN SOA ns root 1 300 300 300 300\n@ IN NS ns\nns IN A 198.18.0.1\n"
NAMES = [f"h{i}.example.test" for i in range(60)]
GET = r"*2\r\n$3\r\nGET\r\n$16\r\n0000000000000000\r\n"
PAGE = r"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Bench:
    def __init__(self, args, folder):
        self.args, self.dir, self.servers = args, folder, []
        self.env = dict(os.environ, LD_LIBRARY_PATH=f"{args.root}/usr/lib/x86_64-linux-gnu")
        self.cpus = sorted(os.sched_getaffinity(0))

    def find(self, name):
        for folder in ("usr/bin", "usr/sbin"):
            path = os.path.join(self.args.root, folder, name)
            if os.path.exists(path):
                return path
        return None

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as file:
            file.write(text)

    def serve(self, port, *argv):
        cpu = self.cpus[0]
        self.servers.append(subprocess.Popen(
            argv, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, {cpu})))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"{argv[0]} does not listen on port {port}")

    def run(self, *argv):
        """Output and CPU time in ns of a client."""
        cpu = self.cpus[-1]
        with tempfile.TemporaryFile() as out:
            child = subprocess.Popen(argv, env=self.env, stdout=out, stderr=out,
                                     preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
            timer = time.monotonic() + 20 + 10 * self.args.seconds
            while True:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() > timer:
                    child.kill()
                time.sleep(0.005)
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            text = out.read().decode(errors="replace")
        if child.returncode:
            raise RuntimeError(f"{argv[0]} failed: {text.strip()[-200:]}")
        return text, (usage.ru_utime + usage.ru_stime) * 1e9

    def engine(self, *argv):
        text, cpu = self.run(f"{self.args.build}/bench/bench-load", "--duration", str(self.args.seconds),
                             *argv)
        got = json.loads(text)
        if got["errors"]:
            raise RuntimeError(f"errors: {text}")
        return cpu / got["ok"], got["requests_per_s"]

    def bare(self, port, depth, request, reply):
        text, cpu = self.run(f"{self.args.build}/bench/bareloop", str(port), "50", str(depth),
                             str(self.args.seconds), request, str(reply))
        return cpu / int(text), int(text) / self.args.seconds

    def other(self, name, count, rate, *argv):
        """A peer, whose output is searched for the number of answers (or: that number) and the rate."""
        text, cpu = self.run(self.find(name), *argv)
        done = count if isinstance(count, int) else int(re.search(count, text)[1])
        return cpu / done, float(re.search(rate, text)[1])


def redis(bench, depth):
    n = int(bench.args.seconds * (60000 if depth == 1 else 400000))
    return {
        "vtax": lambda: bench.engine("--depth", str(depth), "--records", "1", "redis", "127.0.0.1", "6379"),
        "redis-benchmark": lambda: bench.other(
            "redis-benchmark", n, r'"GET","([\d.]+)"', "-c", "50", "-P", str(depth), "-n", str(n),
            "-t", "get", "-q", "--csv"),
        "bare loop": lambda: bench.bare(6379, depth, GET, 9),
    }


def keep_alive(bench, reply):
    seconds = str(max(1, round(bench.args.seconds)))
    return {
        "vtax": lambda: bench.engine("--path", "/page", "--body-bytes", "136", "http", "127.0.0.1", "8080"),
        "wrk": lambda: bench.other("wrk", r"(\d+) requests in", r"Requests/sec:\s+([\d.]+)", "-t1", "-c50",
                                   "-d", seconds + "s", "http://127.0.0.1:8080/page"),
        "bare loop": lambda: bench.bare(8080, 1, PAGE, reply),
    }


def connections(bench):
    rate = 5000
    return {
        "vtax": lambda: bench.engine("--path", "/page", "--close", "--per-request", "--connections", "1000",
                                     "--rate", str(rate), "http", "127.0.0.1", "8080"),
        "httperf": lambda: bench.other(
            "httperf", r"replies (\d+)", r"Request rate: ([\d.]+)", "--hog", "--server", "127.0.0.1",
            "--port", "8080", "--uri", "/page", "--num-conns", str(int(rate * bench.args.seconds)),
            "--rate", str(rate), "--timeout", "2"),
    }


def dns(bench):
    names = [word for name in NAMES for word in ("--name", name)]
    seconds = str(max(1, round(bench.args.seconds)))
    return {
        "vtax": lambda: bench.engine("--connections", "1", "--depth", "100", *names, "dns", "127.0.0.1",
                                     "5353"),
        "dnsperf": lambda: bench.other(
            "dnsperf", r"Queries completed:\s+(\d+)", r"Queries per second:\s+([\d.]+)", "-s", "127.0.0.1",
            "-p", "5353", "-d", f"{bench.dir}/queries", "-l", seconds, "-q", "100", "-c", "1", "-T", "1"),
    }


def page_bytes():
    with socket.create_connection(("127.0.0.1", 8080), 2) as s:
        s.sendall(PAGE.replace(r"\r\n", "\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += s.recv(4096)
    return head.index(b"\r\n\r\n") + 4 + 136


def cases(bench, only):
    def wanted(name, *programs):
        missing = [p for p in programs if not bench.find(p)]
        if (not only or name in only) and missing:
            print(f"{name}: skipped, no {', '.join(missing)} below {bench.args.root}")
        return (not only or name in only) and not missing

    if wanted("redis", "redis-server", "redis-benchmark"):
        bench.serve(6379, bench.find("redis-server"), "--port", "6379", "--save", "", "--bind", "127.0.0.1")
        bench.run(f"{bench.args.build}/bench/bench-load", "--populate", "--records", "1", "redis",
                  "127.0.0.1", "6379")
        bench.run(bench.find("redis-benchmark"), "-t", "set", "-n", "1", "-q")  # the key that it will ask for
        yield "redis, depth 1", redis(bench, 1)
        yield "redis, depth 16", redis(bench, 16)
    bench.write("page", "x" * 136)
    bench.write("nginx.conf", NGINX.format(dir=bench.dir))
    nginx = (bench.find("nginx"), "-e", f"{bench.dir}/err", "-c", f"{bench.dir}/nginx.conf")
    serving = False
    if wanted("http", "nginx", "wrk"):
        bench.serve(8080, *nginx)
        serving = True
        yield "http, keep-alive", keep_alive(bench, page_bytes())
    if wanted("connections", "nginx", "httperf"):
        if not serving:
            bench.serve(8080, *nginx)
        yield "http, 5000 connections/s", connections(bench)
    if wanted("dns", "named", "dnsperf"):
        bench.write("zone", ZONE + "".join(f"{n.split('.')[0]} IN A 198.18.1.1\n" for n in NAMES))
        bench.write("named.conf", NAMED.format(dir=bench.dir))
        bench.write("queries", "".join(f"{n} A\n" for n in NAMES))
        bench.serve(5353, bench.find("named"), "-n", "1", "-g", "-c", f"{bench.dir}/named.conf")
        yield "dns, 100 outstanding", dns(bench)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--root", default="/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--only", type=lambda s: s.split(","), default=[])
    args = parser.parse_args()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) < 0:
        raise SystemExit(f"no network namespace of its own: {os.strerror(ctypes.get_errno())} (run as root)")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=5)
    with tempfile.TemporaryDirectory(prefix="vtax-clients-") as folder:
        os.chmod(folder, 0o755)
        bench = Bench(args, folder)
        try:
            for title, clients in cases(bench, args.only):
                got = {name: [] for name in clients}
                for _ in range(args.rounds):
                    for name, client in clients.items():
                        try:
                            got[name].append(client())
                        except RuntimeError as error:  # httperf sometimes never ends
                            print(f"{title}: left out: {error}")
                got = {name: values for name, values in got.items() if values}
                cpu = {name: statistics.median(v[0] for v in values) for name, values in got.items()}
                print(title)
                for name, values in got.items():
                    rate = statistics.median(v[1] for v in values)
                    share = ""
                    if name != "vtax" and "vtax" in cpu:
                        share = f"   vtax needs {cpu['vtax'] / cpu[name]:.2f} of it"
                    print(f"  {name:16} {cpu[name]:9.0f} ns/answer {rate:10.0f} /s{share}", flush=True)
        finally:
            for server in bench.servers:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


if __name__ == "__main__":
    main()
