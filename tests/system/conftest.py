# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the system tests: real campaigns by the built program, on this machine.

VTAX_BUILD names the build folder (default: build/ in the project). State and cache are private to a session, so
that a user's own campaigns are neither seen nor touched; results stay below pytest's temporary folders. After
each test the machine is compared with how it was: what is left behind fails the test that left it.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import hoststate
from vtaxtest import AGENT, BUILD, ROOT, VTAX, CANNOT_RUN, Vtax

DEFAULT_STATE = pathlib.Path(os.environ.get("VTAX_STATE") or "/var/lib/vtax")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


def pytest_report_header():
    return f"vtax under test: {VTAX}"


def pytest_collection_modifyitems(items):
    if not VTAX.exists() or not AGENT.exists():
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"{VTAX} or {AGENT} is not built (VTAX_BUILD names the folder)"))


@pytest.fixture(scope="session")
def state():
    """
    A state folder of our own, with a short path, since there will be sockets below it. The unpacked Docker is large
    and never changed by a run: it is shared.
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vtax-state-")).resolve()
    if (DEFAULT_STATE / "tools").is_dir():
        (folder / "tools").symlink_to((DEFAULT_STATE / "tools").resolve())
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def environment(state, tmp_path_factory):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("VTAX_", "SUDO_"))}
    env.update(VTAX_STATE=str(state), VTAX_CACHE=str(tmp_path_factory.mktemp("cache")), LC_ALL="C.UTF-8",
               VTAX_SUITES=str(ROOT / "suites"), NO_COLOR="1")
    return env


@pytest.fixture
def vtax(tmp_path, environment):
    return Vtax(tmp_path, environment)


@pytest.fixture(scope="module")
def shared(tmp_path_factory, environment):
    """vtax in a folder that lives as long as a test file, for campaigns that several tests look at."""
    return Vtax(tmp_path_factory.mktemp("shared"), environment)


class HostState:
    """The machine as it was, against which it is compared."""

    def __init__(self, states, programs):
        self.states, self.programs = {str(s) for s in states}, programs
        self.renew()

    def renew(self):
        self.before = hoststate.snapshot(self.states, self.programs)

    def left(self, patience=5.0):
        return hoststate.left_since(self.before, self.states, self.programs, patience)

    def watch(self, state):
        """Another state folder of ours."""
        self.states.add(str(pathlib.Path(state).resolve()))


@pytest.fixture(scope="session", autouse=True)
def host_state(state, environment):
    return HostState([state], [BUILD, environment["VTAX_CACHE"]])


@pytest.fixture(autouse=True)
def leaves_nothing(host_state, environment, tmp_path):
    yield
    left = host_state.left()
    if left:
        # So that the next test is judged by what it does itself.
        if os.geteuid() == 0:
            Vtax(tmp_path, environment)("clean", status=None)
        host_state.renew()
        pytest.fail("left on the machine:\n  " + "\n  ".join(left))


@pytest.fixture(scope="session")
def root():
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces and cgroups")


@pytest.fixture(scope="session")
def need(root):
    """need("crun"): skips, with the reason, where a program is missing."""
    def need_program(*names):
        for name in names:
            if not shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
                pytest.skip(f"{name} is not installed")
    return need_program


@pytest.fixture(scope="session")
def docker(root, environment, tmp_path_factory):
    """Skips where vtax itself says that docker cannot run."""
    r = Vtax(tmp_path_factory.mktemp("doctor"), environment)("doctor", "docker", status=None)
    if r.status == CANNOT_RUN:
        pytest.skip("docker: " + r.out.strip().splitlines()[-1].strip())
    assert r.status == 0, r


@pytest.fixture(scope="session")
def unprivileged_place():
    """A copy of the program in a folder that anybody may enter, as an installed one is."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="vtax-test-"))
    top.chmod(0o755)
    (top / "build").mkdir(mode=0o755)
    (top / "work").mkdir()
    (top / "work").chmod(0o777)
    for program in (VTAX, AGENT):
        shutil.copy(program, top / "build")
    shutil.copytree(ROOT / "suites", top / "suites")
    subprocess.run(["chmod", "-R", "a+rX", top / "suites"], check=True)
    yield top
    shutil.rmtree(top)


@pytest.fixture
def unprivileged(unprivileged_place, environment, need):
    """vtax as a user without any right."""
    prefix = ()
    if os.geteuid() == 0:
        need("setpriv")
        prefix = NOBODY
    work = unprivileged_place / "work"
    env = {**environment, "VTAX_STATE": str(work / "state"), "VTAX_CACHE": str(work / "cache"), "HOME": str(work),
           "VTAX_SUITES": str(unprivileged_place / "suites")}
    plain = Vtax(work, env, unprivileged_place / "build" / "vtax")
    return lambda *args, **how: plain(*args, prefix=prefix, **how)
