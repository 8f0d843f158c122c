# SPDX-License-Identifier: GPL-2.0-or-later
"""Agents that do not behave, for the `null` technique: programs written into a test's own folder.

Each speaks just enough of docs/protocol.md to break it at one point.
"""

import textwrap

COMMON = '''\
    #!/usr/bin/python3 -IS
    import os, signal, socket, struct, sys, threading, time

    HELLO, SERVE, READY, LOAD, MARK, RESULT, STOP, ERROR, LOG = 1, 2, 3, 4, 5, 7, 8, 10, 11

    def field(key, kind, value):
        if kind in (1, 2):
            value = struct.pack("<Q" if kind == 1 else "<d", value)
        return struct.pack("<HHI", key, kind, len(value)) + value + b"\\0" * (-len(value) % 8)

    def message(kind, body=b"", serial=0, length=None, magic=0x58415456, version=1):
        return struct.pack("<IHHII", magic, version, kind, len(body) if length is None else length, serial) + body

    def send(data):
        try:
            while data:
                data = data[os.write(1, data):]
        except BrokenPipeError:
            sys.exit(0)

    def take(n):
        data = b""
        while len(data) < n:
            chunk = os.read(0, n - len(data))
            if not chunk:
                sys.exit(0)
            data += chunk
        return data

    def end():
        while os.read(0, 4096):
            pass
        sys.exit(0)

    def request():
        magic, version, kind, length, serial = struct.unpack("<IHHII", take(16))
        take(length)
        return kind, serial

    def cpus():
        for line in open("/proc/self/status"):
            if line.startswith("Cpus_allowed_list:"):
                return line.split()[1].encode()

    def hello():
        send(message(HELLO, field(1, 3, b"fake") + field(2, 1, os.getpid()) + field(4, 3, cpus())))

    def echo():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("0.0.0.0", 12865))

        def answer():
            while True:
                server.sendto(*server.recvfrom(65535))
        threading.Thread(target=answer, daemon=True).start()

    def serve():
        kind, serial = request()
        assert kind == SERVE
        send(message(READY, field(34, 1, 12865), serial))

'''

AGENTS = {
    "dies at once": "sys.stderr.write('I fell over\\n'); sys.exit(3)",
    "is killed at once": "os.kill(os.getpid(), signal.SIGKILL)",
    "closes its output": "os.close(1)\nend()",
    "is silent": "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()",
    "babbles": "while True: send(os.urandom(4096))",
    "babbles text": "while True: send(b'[    0.000000] Linux version 1.2.3 (you@there) #1 SMP\\n' * 50)",
    "claims four gigabytes": "send(message(HELLO, length=0xfffffff8)); end()",
    "claims an odd length": "send(message(HELLO, b'12345', length=5)); end()",
    "has a field past its end": "send(message(HELLO, struct.pack('<HHI', 1, 3, 1 << 31))); end()",
    "has a field of no length": "send(message(HELLO, struct.pack('<HHI', 2, 1, 0))); end()",
    "is of another version": "send(message(HELLO, version=99)); end()",
    "is something else": "send(message(HELLO, magic=0x464c457f)); end()",
    "sends half a message": "send(message(HELLO, field(1, 3, b'x' * 64))[:40]); os.close(1); end()",
    "says hello twice": "hello(); hello(); end()",
    "answers before it is asked": "hello(); send(message(RESULT, b'', 7)); end()",
    "sends a controller's message": "hello(); send(message(SERVE, b'', 1)); end()",
    "dies when asked to serve": "hello(); request(); sys.exit(9)",
    "refuses to serve": "hello(); k, s = request(); "
                        "send(message(ERROR, field(160, 3, b'no\\x1b[31m server\\x07 here') + field(161, 1, 98), s)); "
                        "end()",
    "serves nothing": "hello(); serve(); end()",
    "is silent after hello": "hello(); end()",
    "logs for ever": "hello(); k, s = request()\nwhile True: send(message(LOG, field(160, 3, b'still here'))); "
                     "time.sleep(0.001)",
    "lies in its result": "hello(); echo(); serve(); k, s = request(); "
                          "send(message(RESULT, field(128, 3, b'latency') + field(130, 4, b'\\1' * 100), s)); end()",
    "babbles after hello": "hello()\nwhile True: send(os.urandom(4096))",
    "claims too much after hello": "hello(); k, s = request(); send(message(READY, length=5 << 20, serial=s)); "
                                   "end()",
}

# Breaches while the load runs: the client's side finishes by itself, the end of the server does not go well.
AT_THE_END = {
    "dies mid-trial": "child = os.fork()\n"
                      "if child == 0:\n"
                      "    time.sleep(0.4); os.kill(os.getppid(), signal.SIGKILL); os._exit(0)\n"
                      "os.execv(AGENT, [AGENT])",
}


def write(folder, name, agent):
    """Writes the agent of this name; returns its path."""
    body = {**AGENTS, **AT_THE_END}[name]
    path = folder / ("agent-" + name.replace(" ", "-").replace("'", ""))
    path.write_text(textwrap.dedent(COMMON) + f"AGENT = {str(agent)!r}\n" + body + "\n")
    path.chmod(0o755)
    return path
