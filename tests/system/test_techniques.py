# SPDX-License-Identifier: GPL-2.0-or-later
"""Every technique and each of its options in real campaigns; the options are read back from what ran.

Several techniques share a campaign, which is made when the first test asks for it.
"""

import pytest

from vtaxtest import CANNOT_RUN, OK, USAGE, assert_ran, check_cells

WORKLOADS = ["tcp_rr", "tcp_stream", "udp_rr"]
NETS = ("host", "bridge", "nat", "macvlan")
RUNTIMES = ("crun", "runc")
ADDRESS_FAMILY = {"host": "vtax1", "bridge": "eth0", "nat": "eth0", "macvlan": "eth0"}

# option → what is read back: a path in the object, and what it must be with the option on and off
SWITCHES = {
    "pidns": ("namespaces", "pid"),
    "mountns": ("namespaces", "mnt"),
    "utsns": ("namespaces", "uts"),
    "ipcns": ("namespaces", "ipc"),
    "cgroupns": ("namespaces", "cgroup"),
    "userns": ("namespaces", "user"),
}


def namespace_technique(runtime, option):
    """Each switch turned to what is not its default."""
    return f"oci:runtime={runtime},{option}={'on' if option == 'userns' else 'off'}"


@pytest.fixture(scope="module")
def bare(shared, need):
    techniques = ["native", "native:label=again", "null", "delay:us=0", "delay:us=100"]
    return techniques, shared.campaign(techniques, [*WORKLOADS, "ping"], out="bare")


def test_native_null_and_delay_run(bare):
    techniques, campaign = bare
    why = "ICMP to its address is answered by the host"
    check_cells(campaign, ["native", "again", *techniques[2:]], [*WORKLOADS, "ping"],
                {("ping", "delay:us=0"): why, ("ping", "delay:us=100"): why})


def test_native_is_bare(bare):
    got = bare[1].applied("native")
    assert got["namespaces"] == {k: "host" for k in ("pid", "mnt", "uts", "ipc", "user", "cgroup", "net")}
    assert got["seccomp"] == "off"
    assert got["interface"]["name"] == "vtax1"


def test_the_sides_are_pinned_apart(bare):
    side = bare[1].json["fingerprint"]["testbed"]
    if side["sut"]["cpu"] is None:
        pytest.skip("only one CPU: nothing is pinned")
    assert side["sut"]["cpu"] != side["client"]["cpu"]
    for technique in ("native", "null", "delay:us=100"):
        assert bare[1].applied(technique)["cpus_allowed"] == str(side["sut"]["cpu"])


def test_delay_says_how_much(bare):
    assert bare[1].applied("delay:us=100")["delay_ns"] == 100_000
    assert bare[1].applied("delay:us=100")["options"]["us"] == "100"


@pytest.fixture(scope="module", params=RUNTIMES)
def oci_nets(request, shared, need):
    need(request.param)
    techniques = [f"oci:runtime={request.param},net={net},rootfs={root}" for net in NETS
                  for root in ("overlay", "bind")]
    return request.param, techniques, shared.campaign(["native", *techniques], WORKLOADS, out=f"nets-{request.param}")


def test_oci_runs_with_every_network_and_root(oci_nets):
    _, techniques, campaign = oci_nets
    check_cells(campaign, ["native", *techniques], WORKLOADS)


def test_oci_networks_are_as_asked(oci_nets):
    runtime, _, campaign = oci_nets
    for net in NETS:
        got = campaign.applied(f"oci:runtime={runtime},net={net},rootfs=overlay")
        assert got["options"]["net"] == net
        assert got["namespaces"]["net"] == ("host" if net == "host" else "own"), net
        assert got["interface"]["name"] == ADDRESS_FAMILY[net]
        assert got["interface"]["mtu"] == 1500
        assert got["interface"]["offloads"]["tso"] is True


def test_oci_roots_are_as_asked(oci_nets):
    runtime, _, campaign = oci_nets
    overlay = campaign.applied(f"oci:runtime={runtime},net=bridge,rootfs=overlay")
    bind = campaign.applied(f"oci:runtime={runtime},net=bridge,rootfs=bind")
    assert overlay["rootfs"] == {"type": "overlay", "readonly": False}
    assert bind["rootfs"]["type"] != "overlay" and bind["rootfs"]["readonly"] is True


def test_oci_names_the_runtime(oci_nets):
    runtime, techniques, campaign = oci_nets
    got = campaign.applied(techniques[0])["runtime"]
    assert got["path"].endswith("/" + runtime) and runtime in got["version"]


def test_oci_isolates_by_default(oci_nets):
    _, techniques, campaign = oci_nets
    got = campaign.applied(techniques[2])
    assert {k: v for k, v in got["namespaces"].items() if k not in ("net", "user")} == \
        {k: "own" for k in ("pid", "mnt", "uts", "ipc", "cgroup")}
    assert got["namespaces"]["user"] == "host"
    assert got["seccomp"] == "filter"
    assert int(got["capabilities"], 16) != 0
    assert got["cgroup"].startswith("vtax-")


@pytest.fixture(scope="module", params=RUNTIMES)
def oci_switches(request, shared, need):
    runtime = request.param
    need(runtime)
    # Some machines forbid user namespaces even to root (a sysctl, a chroot); vtax then says so, and the rest runs.
    forbidden = shared("doctor", namespace_technique(runtime, "userns"), status=(OK, CANNOT_RUN)).status != OK
    switches = [o for o in SWITCHES if not (forbidden and o == "userns")]
    techniques = [namespace_technique(runtime, o) for o in switches]
    techniques += [f"oci:runtime={runtime},{o}" for o in (
        "cgroup=off", "seccomp=off", "caps=all", "caps=none", "readonly=on", "cpus=1", "mem=256M",
        "seccomp=off,caps=all,pidns=off,ipcns=off,utsns=off,cgroupns=off,net=host,label=all-off")]
    return runtime, shared.campaign(["native", *techniques], ["tcp_rr"], out=f"switches-{runtime}"), switches


def test_every_switch_turned_runs(oci_switches):
    runtime, campaign, _ = oci_switches
    names = {r["technique"] for r in campaign.json["results"]}
    not_run = {}
    if runtime == "runc":
        not_run["tcp_rr", "oci:runtime=runc,cgroup=off"] = "always makes a cgroup"
    check_cells(campaign, names, ["tcp_rr"], not_run)


@pytest.mark.parametrize("option", SWITCHES)
def test_namespace_switches_are_as_asked(oci_switches, option):
    runtime, campaign, switches = oci_switches
    kind, name = SWITCHES[option]
    wanted = "own" if option == "userns" else "host"
    if option not in switches:
        pytest.skip("user namespaces are forbidden on this machine")
    for other in switches:
        got = campaign.applied(namespace_technique(runtime, other))
        default = "host" if option == "userns" else "own"
        assert got[kind][name] == (wanted if other == option else default), f"{name} with {other} turned"


def test_seccomp_off(oci_switches):
    runtime, campaign, _ = oci_switches
    assert campaign.applied(f"oci:runtime={runtime},seccomp=off")["seccomp"] == "off"
    assert campaign.applied(f"oci:runtime={runtime},caps=all")["seccomp"] == "filter"


def test_capabilities_are_as_asked(oci_switches):
    runtime, campaign, _ = oci_switches
    count = {c: bin(int(campaign.applied(f"oci:runtime={runtime},{c}")["capabilities"], 16)).count("1")
             for c in ("caps=all", "caps=none", "seccomp=off")}
    assert count["caps=none"] == 0
    assert 0 < count["seccomp=off"] < count["caps=all"]


def test_readonly_root(oci_switches):
    runtime, campaign, _ = oci_switches
    assert campaign.applied(f"oci:runtime={runtime},readonly=on")["rootfs"] == {"type": "overlay", "readonly": True}
    assert campaign.applied(f"oci:runtime={runtime},seccomp=off")["rootfs"]["readonly"] is False


def test_everything_off_at_once(oci_switches):
    got = oci_switches[1].applied("all-off")
    assert [got["namespaces"][n] for n in ("pid", "ipc", "uts", "cgroup", "net")] == ["host"] * 5
    assert got["seccomp"] == "off"


@pytest.fixture(scope="module")
def docker_nets(shared, docker):
    techniques = [f"docker:net={net}" for net in NETS] + ["docker:rootfs=volume,net=bridge", "docker:rootfs=layered"]
    return techniques, shared.campaign(["native", *techniques], [*WORKLOADS, "ping"], out="docker")


def test_docker_runs_with_every_network_and_root(docker_nets):
    techniques, campaign = docker_nets
    why = "ICMP to its address is answered by the host"
    # Published ports are TCP and UDP; NAT is docker's own default, as the last one shows.
    check_cells(campaign, ["native", *techniques], [*WORKLOADS, "ping"],
                {("ping", t): why for t in ("docker:net=nat", "docker:rootfs=layered")})


def test_docker_networks_are_as_asked(docker_nets):
    for net in NETS:
        got = docker_nets[1].applied(f"docker:net={net}")
        assert got["options"]["net"] == net
        assert got["namespaces"]["net"] == ("host" if net == "host" else "own"), net


def test_docker_roots_are_as_asked(docker_nets):
    assert docker_nets[1].applied("docker:rootfs=volume,net=bridge")["options"]["rootfs"] == "volume"
    assert docker_nets[1].applied("docker:rootfs=layered")["rootfs"]["type"] == "overlay"


def test_docker_isolates_by_default(docker_nets):
    got = docker_nets[1].applied("docker:net=bridge")
    assert [got["namespaces"][n] for n in ("pid", "mnt", "uts", "ipc")] == ["own"] * 4
    assert got["seccomp"] == "filter"


def test_docker_and_oci_together(vtax, docker, need):
    """Two kinds of environment take turns on one cable, in both orders."""
    need("crun")
    techniques = ["native", "docker:net=bridge", "oci:net=bridge", "docker:net=macvlan", "oci:net=macvlan"]
    campaign = vtax.campaign(techniques, ["udp_rr"], flags=("-d", "50ms", "--warmup", "10ms", "-b", "3", "--no-html"))
    check_cells(campaign, techniques, ["udp_rr"])
    assert len(campaign.trials()) == 15


def test_globs_run_what_they_match(vtax, need):
    need("crun")
    campaign = vtax.campaign(["oci:net=[bn]*"], ["udp_rr"])
    assert {t["technique"] for t in campaign.trials()} == {"native", "oci:net=bridge", "oci:net=nat"}


def test_testbed_options_are_applied(vtax, need):
    need("crun")
    campaign = vtax.campaign(["native", "oci:net=bridge", "oci:net=nat", "oci:net=macvlan"], ["tcp_stream"],
                             "--offload", "off", "--mtu", "1400", "--pin", "off")
    check_cells(campaign, ["native", "oci:net=bridge", "oci:net=nat", "oci:net=macvlan"], ["tcp_stream"])
    side = campaign.json["fingerprint"]["testbed"]
    for end in ("client", "sut"):
        assert side[end]["mtu"] == 1400 and side[end]["cpu"] is None
        assert not any(side[end]["offloads"].values())
    for net in ("bridge", "nat", "macvlan"):
        got = campaign.applied(f"oci:net={net}")["interface"]
        assert got["mtu"] == 1400, net
        # A macvlan always claims these; its packets are segmented where it hands them to the cable's end.
        always_on = {"tx", "sg", "tso"} if net == "macvlan" else set()
        assert {k for k, on in got["offloads"].items() if on} == always_on, net


@pytest.mark.parametrize("technique, says", [
    ("oci:rootfs=bind,readonly=off", "contradicts"),
    ("oci:mountns=off,caps=none", "contradicts"),
    ("oci:cgroup=off,mem=1G", "contradicts"),
    ("oci:cgroup=off,cpus=2", "contradicts"),
    ("oci:runtime=", "runtime"),
    ("null:start=fail,agent=/bin/true", "start=ok"),
    ("null:agent=relative", "absolute"),
])
def test_contradictions_are_refused(vtax, technique, says):
    vtax.refuses("run", "-n", "-t", technique, "-w", "tcp_rr", status=USAGE, says=says)


def test_a_start_that_fails_is_told(vtax, root):
    campaign = vtax.campaign(["native", "null:start=fail"], ["tcp_rr"], status=3)
    trial = campaign.trials("tcp_rr", "null:start=fail")[0]
    assert not trial["valid"] and "as start=fail asked for" in trial["reason"]
    assert_ran(campaign.trials("tcp_rr", "native")[0])
