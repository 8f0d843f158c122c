#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program in namespaces of its own, prepared so that something is wrong there.

    innerns.py [--full DIR BYTES]... [--read-only DIR]... [--address ADDR/LEN]... -- PROGRAM [ARGUMENT...]

--full mounts a tmpfs of that size on DIR, --read-only makes DIR so, --address starts a network namespace that has
it on a dummy end of a veth pair. Nothing outside sees any of it, and it is gone when the program ends.
"""

import ctypes
import os
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        sys.exit(f"innerns: cannot {what}: {os.strerror(number)}")


def mount(source, target, kind, flags, data=None):
    encode = [None if s is None else s.encode() for s in (source, target, kind, data)]
    check(libc.mount(encode[0], encode[1], encode[2], flags, encode[3]), f"mount on {target}")


def ip(*words):
    subprocess.run(["ip", *words], check=True, timeout=10)


def main(argv):
    end = argv.index("--")
    options, program = argv[:end], argv[end + 1:]
    check(libc.unshare(CLONE_NEWNS), "unshare mounts")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    veths = 0
    while options:
        name = options.pop(0)
        if name == "--full":
            folder, size = options.pop(0), options.pop(0)
            mount("tmpfs", folder, "tmpfs", 0, f"size={size},mode=700")
        elif name == "--read-only":
            folder = options.pop(0)
            mount(folder, folder, None, MS_BIND)
            mount(None, folder, None, MS_REMOUNT | MS_BIND | MS_RDONLY)
        elif name == "--address":
            if not veths:
                check(libc.unshare(CLONE_NEWNET), "unshare the network")
            ip("link", "add", f"t{veths}a", "type", "veth", "peer", "name", f"t{veths}b")
            ip("address", "add", options.pop(0), "dev", f"t{veths}a")
            ip("link", "set", f"t{veths}a", "up")
            veths += 1
        else:
            sys.exit(__doc__)
    os.chdir(os.getcwd())  # into what is mounted there now
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
