# SPDX-License-Identifier: GPL-2.0-or-later
"""A vtax-agent as a Python object: the messages of src/abi/abi.h over its stdin and stdout.

The benches drive agents with this, not with the controller, so that what is compared is the load generator
alone. Every wait has a deadline.
"""

import os
import select
import struct
import subprocess
import time

MAGIC, VERSION = 0x58415456, 1
HELLO, SERVE, READY, LOAD, MARK, TICK, RESULT, STOP, BYE, ERROR, LOG = range(1, 12)
U64, F64, TEXT, BYTES = 1, 2, 3, 4

# key of each request parameter
KEYS = {"kernel": 32, "address": 33, "port": 34, "duration_ns": 35, "warmup_ns": 36, "timeout_ns": 37,
        "request_bytes": 38, "response_bytes": 39, "message_bytes": 40, "sockbuf_bytes": 41, "nodelay": 42,
        "streams": 43, "interval_ns": 44, "tick_ns": 45, "delay_ns": 46, "target_port": 47,
        "local_address": 48}
K_PORT, K_NAME, K_VALUE, K_HIST, K_SERIES, K_CPU, K_OPS, K_TEXT = 34, 128, 129, 130, 131, 132, 133, 160


class AgentError(Exception):
    pass


def _field(key, value):
    if isinstance(value, str):
        kind, data = TEXT, value.encode()
    elif isinstance(value, float):
        kind, data = F64, struct.pack("<d", value)
    else:
        kind, data = U64, struct.pack("<Q", int(value))
    return struct.pack("<HHI", key, kind, len(data)) + data + b"\0" * (-len(data) % 8)


def _fields(body):
    at = 0
    while at < len(body):
        key, kind, length = struct.unpack_from("<HHI", body, at)
        data = body[at + 8:at + 8 + length]
        if len(data) != length:
            raise AgentError("field %d is cut short" % key)
        at += 8 + length + (-length % 8)
        if kind == U64:
            data = struct.unpack("<Q", data)[0]
        elif kind == F64:
            data = struct.unpack("<d", data)[0]
        elif kind == TEXT:
            data = data.decode()
        yield key, data


class Agent:
    """with Agent(argv, preexec) as a: a.serve("tcp_rr", …); a.load(…); a.stop()"""

    def __init__(self, argv, preexec=None):
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=preexec)
        self.serial = 0
        try:
            kind, _ = self._receive(time.monotonic() + 5, None)
            if kind != HELLO:
                raise AgentError("agent began with message %d" % kind)
        except Exception:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.child.stdin.close()
        try:
            self.child.wait(2)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()

    def _read(self, n, deadline):
        data = b""
        fd = self.child.stdout.fileno()
        while len(data) < n:
            ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AgentError("agent is silent")
            chunk = os.read(fd, n - len(data))
            if not chunk:
                raise AgentError("agent is gone")
            data += chunk
        return data

    def _receive(self, deadline, serial):
        while True:
            magic, version, kind, length, got = struct.unpack("<IHHII", self._read(16, deadline))
            if magic != MAGIC or version != VERSION:
                raise AgentError("agent babbles")
            fields = list(_fields(self._read(length, deadline)))
            if kind == ERROR:
                raise AgentError(dict(fields).get(K_TEXT, "unknown error"))
            if kind not in (LOG, TICK) and (serial is None or got == serial):
                return kind, fields

    def _send(self, kind, params):
        self.serial += 1
        body = b"".join(_field(KEYS[k], v) for k, v in params.items())
        self.child.stdin.write(struct.pack("<IHHII", MAGIC, VERSION, kind, len(body), self.serial) + body)
        self.child.stdin.flush()

    def serve(self, kernel, address, **params):
        """Returns the port."""
        self._send(SERVE, dict(params, kernel=kernel, address=address))
        kind, fields = self._receive(time.monotonic() + 5, self.serial)
        if kind != READY:
            raise AgentError("expected READY, got message %d" % kind)
        return dict(fields)[K_PORT]

    def _result(self, deadline):
        kind = MARK
        while kind == MARK:
            kind, fields = self._receive(deadline, self.serial)
        if kind != RESULT:
            raise AgentError("expected RESULT, got message %d" % kind)
        out, name = {}, None
        for key, value in fields:
            if key == K_NAME:
                name = value
            elif key == K_VALUE:
                out[name] = value
            elif key == K_OPS:
                out["ops"] = value
        return out

    def load(self, kernel, address, port, duration_s, warmup_s=0.0, **params):
        """Runs the client side to its end; returns its metrics."""
        self._send(LOAD, dict(params, kernel=kernel, address=address, port=port,
                              duration_ns=int(duration_s * 1e9), warmup_ns=int(warmup_s * 1e9)))
        return self._result(time.monotonic() + duration_s + warmup_s + 20)

    def stop(self):
        """Ends the server side; returns what it counted."""
        self._send(STOP, {})
        return self._result(time.monotonic() + 10)
