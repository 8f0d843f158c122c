#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the source tree to its plan: which folder may include which (docs/architecture.md).

    check_includes.py [TOP]     prints one line per violation; exit status 1 when there is any

Also: a header is included by its path from src/ ("host/net.h"), a .c file never, and a library is spoken to only
by the folders that own that conversation.
"""

import os
import re
import sys

# folder: the folders whose headers it may include, besides its own
MAY_USE = {
    "src/abi": (),
    "src/base": (),
    "src/stats": ("base",),
    "src/link": ("abi", "base"),
    "src/host": ("base",),
    "src/payload": ("base",),
    "src/load": ("base", "stats", "abi"),
    "src/technique": ("base", "abi", "host", "payload"),
    "src/workload": ("base", "abi", "link", "load", "stats"),
    "src/store": ("base",),
    "src/campaign": ("base", "technique", "workload", "host", "payload", "store", "stats", "link"),
    "src/report": ("base", "stats", "store"),
    "src/cmd": ("abi", "base", "stats", "link", "host", "payload", "load", "technique", "workload", "store",
                "campaign", "report"),
    "agent": ("base", "abi", "load", "stats"),
}

# the one conversation each library has; folders not named may not include its headers
LIBRARY = {
    "sqlite3.h": ("src/store",),
    "netlink/": ("src/host",),
    "nftables/": ("src/host",),
    "Rmath.h": ("src/stats",),
    "cyaml/": ("src/campaign",),
    "sha2.h": ("src/host", "src/payload"),
    "seccomp.h": ("src/technique",),
    "jansson.h": ("src/host", "src/technique", "src/store", "src/campaign", "src/report", "src/cmd"),
}

# all that freestanding code may have
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "limits.h", "string.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.S)


def sources(top):
    for root in ("src", "agent"):
        for folder, dirs, files in os.walk(os.path.join(top, root)):
            dirs.sort()
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), top)


def module_of(path):
    """src/technique/oci/oci.c -> src/technique; agent/main.c -> agent"""
    parts = path.split(os.sep)
    return parts[0] if parts[0] == "agent" else "/".join(parts[:2])


def quoted(top, path, module, header):
    if header.endswith(".c"):
        return f'includes a source file, "{header}"'
    if module == "agent" and os.path.exists(os.path.join(top, "agent", header)):
        return None
    if not os.path.isfile(os.path.join(top, "src", header)):
        return f'includes "{header}", which is no path below src/'
    folder = header.split("/")[0]
    if f"src/{folder}" == module or folder in MAY_USE[module]:
        return None
    allowed = ", ".join(sorted(MAY_USE[module])) or "nothing"
    return f'includes "{header}", but {module} may use only: {allowed}'


def system(module, header):
    if module == "src/abi" and header not in FREESTANDING:
        return f"includes <{header}>, but {module} is freestanding"
    for library, owners in LIBRARY.items():
        if (header.startswith(library) if library.endswith("/") else header == library) and module not in owners:
            return f"includes <{header}>, which only {', '.join(owners)} may"
    return None


def blank(match):
    return "\n" * match.group(0).count("\n")


def check(top):
    found = []
    for path in sources(top):
        module = module_of(path)
        if module not in MAY_USE:
            found.append(f"{path}: its folder has no rule; add one here and in docs/architecture.md")
            continue
        with open(os.path.join(top, path), encoding="utf-8") as file:
            text = BLOCK_COMMENT.sub(blank, file.read())
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                problem = quoted(top, path, module, match[1]) if match[1] else system(module, match[2])
                if problem:
                    found.append(f"{path}:{number}: {problem}")
    return found


def main(argv):
    top = argv[1] if len(argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not any(True for _ in sources(top)):
        sys.exit(f"no sources below '{top}'")
    found = check(top)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
