# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written is true: examples run, links lead somewhere, and the manual knows what the program knows.

In the pages every ```console block, and in the man pages every literal block with `$ ` lines, is a list of commands.
Those of vtax are run, real campaigns with trials cut short; lines that follow a command must be in its output, in
order (a line `…` stands for anything, and campaigns are not compared), and `$ echo $?` shows the exit status.
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from vtaxtest import CANNOT_RUN, INTERRUPT, INVALID, OK, ROOT, TOLERANT, Vtax

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
MAN = sorted(DOCS.glob("man/*.scd"))
SHORT = ("-d", "50ms", "--warmup", "10ms", "-b", "1", "--time-budget", "0", "--no-html", "-q", *TOLERANT)
NOT_RUN_HERE = {"meson", "ninja", "apt-get"}  # building and installing are other tests' subject

Command = namedtuple("Command", "line argv output status")


def name_of(path):
    return str(path.relative_to(ROOT))


def read(path):
    return path.read_text(encoding="utf-8")


def blocks(path):
    """(language, lines) of every fenced block."""
    fence = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
    return [(m[1], m[2].splitlines()) for m in fence.finditer(read(path))]


def commands(lines):
    found, asked = [], False  # asked: the next line is an exit status
    for line in lines:
        if line == "$ echo $?":
            asked = True
        elif asked:
            found[-1] = found[-1]._replace(status=int(line))
            asked = False
        elif line.startswith("$ "):
            found.append(Command(line, shlex.split(line[2:], comments=True), [], None))
        elif found and line.strip():
            found[-1].output.append(line)
    return found


def examples(path):
    man = path.suffix == ".scd"
    return [c for language, lines in blocks(path) if language == "console" or (man and lines[0].startswith("$ "))
            for c in commands(lines)]


def plans():
    for path in [*PAGES, *MAN]:
        for language, lines in blocks(path):
            if language == "yaml" or (path.suffix == ".scd" and lines[0].startswith("suite:")):
                yield pytest.param("\n".join(lines), id=name_of(path))


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M))


# ---- examples ---------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def finished(tmp_path_factory, environment):
    """A folder in which a campaign has ended."""
    vtax = Vtax(tmp_path_factory.mktemp("finished"), environment)
    vtax("run", "-w", "tcp_rr", "-t", "native", "-t", "native:label=again", *SHORT, "-b", "2", status=(OK, INVALID))
    return vtax


def interrupted(folder, environment):
    """A folder in which a campaign was stopped by Ctrl-C."""
    vtax = Vtax(folder, environment)
    run = vtax.start("run", "-v", "-w", "tcp_rr", "-t", "native", "-t", "native:label=again", "--no-html", *TOLERANT,
                     "-d", "300ms", "-b", "2")
    run.wait_trials(1)
    run.signal(INTERRUPT)
    assert run.finish().status == 130
    return vtax


def needs_root(argv):
    return argv[0] in ("run", "resume", "clean") and not {"--dry-run", "-n"} & set(argv)


def check_output(command, result):
    rest = iter((result.out + result.err).splitlines())
    for wanted in command.output:
        if wanted.strip() == "…":
            continue
        assert any(wanted.rstrip() == line.rstrip() for line in rest), f"not in its output: {wanted!r}\n{result}"


def run_example(command, argv, finished, folder, environment):
    vtax, short = finished, ()
    if needs_root(argv):
        if os.geteuid() != 0:
            pytest.skip(f"needs root: {command.line}")
        if argv[0] == "run":
            short = SHORT
        if argv[0] == "resume":
            vtax = interrupted(folder, environment)
    result = vtax(*argv, *short, status=None, timeout=300)
    if command.status is not None:
        assert result.status == command.status, result
    elif argv[0] in ("run", "resume") and needs_root(argv):
        # A busy machine may spoil trials, and a runtime may be missing; both are said, and neither is the example's.
        assert result.status in (OK, INVALID) or (result.status == CANNOT_RUN and "not run:" in result.out), result
    else:
        assert result.status == OK, result
    if not short:
        check_output(command, result)


done = {}  # the same example is on several pages


@pytest.mark.parametrize("page", [p for p in [*PAGES, *MAN] if examples(p)], ids=name_of)
def test_examples(page, request, tmp_path, environment):
    for i, command in enumerate(examples(page)):
        argv = [a for a in command.argv if not re.fullmatch(r"VTAX_\w+=.*", a)]
        argv = argv[1:] if argv[0] == "sudo" else argv
        program = os.path.basename(argv[0])
        assert not set("|<>;&") & set(re.sub(r"'[^']*'", "", command.line)), f"no plain command: {command.line}"
        if program == "vtax":
            key = (command.line.replace("sudo ", "").replace("build/vtax", "vtax"), tuple(command.output))
            if key not in done:
                folder = tmp_path / str(i)
                folder.mkdir()
                run_example(command, argv[1:], request.getfixturevalue("finished") if os.geteuid() == 0 else
                            Vtax(folder, environment), folder, environment)
                done[key] = page
        elif program == "quickstart":
            assert argv[1:2] in ([], ["run"], ["build"], ["test"]), command.line
        else:
            assert program in NOT_RUN_HERE, f"an example of what? {command.line}"


@pytest.mark.parametrize("plan", plans())
def test_plan_examples(plan, finished, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(plan)
    finished("run", "--dry-run", str(path))


# ---- links ------------------------------------------------------------------------------------------------------

def anchors(path):
    text = re.sub(r"^```.*?^```$", "", read(path), flags=re.S | re.M)
    for heading in re.findall(r"^#+\s+(.*)$", text, re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        yield re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(read(page))):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            broken.append(target)
        elif anchor and anchor not in anchors(there):
            broken.append(f"{target} (no such heading)")
    assert not broken


def test_every_page_is_linked():
    """From the index, docs/README.md, directly or by way of other pages."""
    seen, todo = set(), [DOCS / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)#\s]+\.md)", without_code(read(page))):
            there = (page.parent / target).resolve()
            if there.exists():
                todo.append(there)
    assert not [name_of(p) for p in PAGES if p not in seen and p != ROOT / "README.md"]


def test_readme_shows_real_output():
    text = read(ROOT / "README.md")
    shown = text.partition("<!-- output:quick -->")[2].partition("<!-- /output -->")[0]
    assert "overhead     cost over" in shown and "campaign     " in shown, "run docs/refresh-readme.py CAMPAIGN_DIR"


# ---- completeness ----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def ask(tmp_path_factory, environment):
    vtax = Vtax(tmp_path_factory.mktemp("ask"), environment)
    return lambda *argv: vtax(*argv).out


def verbs(ask):
    listed = re.findall(r"^  (\w+) {2,}\S", ask("help").partition("Commands:")[2].partition("\n\n")[0], re.M)
    assert "run" in listed and "clean" in listed
    return listed


def flags_of(ask, verb):
    """[("-d", "--duration"), …] without --help."""
    rows = re.findall(r"^  (-\w)?,? +--([\w-]+)", ask("help", verb).partition("Flags:")[2], re.M)
    return [(letter, "--" + name) for letter, name in rows if name != "help"]


def manual_section(verb):
    return re.search(rf"^### {verb}\n(.*?)(?=^##)", read(DOCS / "manual.md"), re.S | re.M)[1]


def man_page_of(verb):
    own = DOCS / "man" / f"vtax-{verb}.1.scd"
    if verb == "resume":
        own = DOCS / "man" / "vtax-run.1.scd"
    return read(own if own.exists() else DOCS / "man" / "vtax.1.scd")


def test_every_verb_and_flag_is_in_the_manual(ask):
    missing = []
    for verb in verbs(ask):
        section, man = manual_section(verb), man_page_of(verb)
        for letter, name in flags_of(ask, verb):
            for word in filter(None, (letter, name)):
                short_of_run = verb == "resume" and word == letter  # they are run's
                if not short_of_run and not re.search(rf"`{word}[ `]", section):
                    missing.append(f"manual: {verb} {word}")
                if f"*{word}*" not in man:
                    missing.append(f"man page: {verb} {word}")
    assert not missing


def test_the_manual_knows_no_other_flag(ask):
    for verb in verbs(ask):
        known = {name for _, name in flags_of(ask, verb)} | {"--help", "--version"}
        table = re.findall(r"^\| .*?(--[\w-]+)", manual_section(verb), re.M)
        assert set(table) <= known, verb


def test_every_key_of_a_plan_is_documented(ask):
    keys = set(re.findall(r"^  (\w+):", ask("help", "plan"), re.M))
    assert {"suite", "techniques", "target"} <= keys
    section = re.search(r"^## Plans\n(.*?)^## ", read(DOCS / "manual.md"), re.S | re.M)[1]
    assert keys == set(re.findall(r"^(\w+):", section, re.M))
    assert keys == set(re.findall(r"^\*(\w+)\*$", read(DOCS / "man/vtax-plan.5.scd"), re.M))


def names(ask, topic):
    listed = re.findall(r"^  (\w+) ", ask("list", topic), re.M)
    assert listed
    return listed


def options_of(ask, name):
    return re.findall(r"^  (\w+)=", ask("help", name).partition("Options:")[2].partition("\n\n")[0], re.M)


def pages_about(folder, name):
    """The page of that name, or those that say its name; what all have in common is in the manual and the index."""
    own = DOCS / folder / f"{name}.md"
    pages = [own] if own.exists() else [p for p in DOCS.glob(f"{folder}/*.md") if f"`{name}`" in read(p)]
    assert pages, f"no page in docs/{folder}/ is about {name}"
    return "\n".join(read(p) for p in [*pages, DOCS / folder / "README.md"])


def test_every_suite_is_in_the_manual(ask):
    section = manual_section("list")
    assert not [suite for suite in names(ask, "suites") if f"| `{suite}` |" not in section]


@pytest.mark.parametrize("folder", ["techniques", "workloads"])
def test_every_option_has_its_place(ask, folder):
    common = read(DOCS / "manual.md")
    missing = []
    for name in names(ask, folder):
        text = pages_about(folder, name)
        assert name in read(DOCS / folder / "README.md"), f"{name} is not in the index"
        for option in options_of(ask, name):
            mention = rf"`{option}\b|\b{option}="
            if not re.search(mention, text) and not (option == "label" and re.search(mention, common)):
                missing.append(f"{name}: {option}")
    assert not missing


def test_every_metric_is_documented(ask):
    missing, page = [], ""
    for line in ask("list", "metrics").splitlines():
        if not line.startswith(" "):
            page = "README" if line == "every workload" else line
            continue
        metric = line.split()[0]
        own = DOCS / "workloads" / f"{page}.md"
        text = (read(own) if own.exists() else "") + read(DOCS / "workloads" / "README.md")
        if f"`{metric}`" not in text:
            missing.append(f"{page}: {metric}")
    assert not missing


def test_exit_codes_agree(ask):
    enum = {int(n) for n in re.findall(r"EXIT_\w+ = (\d+),", read(ROOT / "src/cmd/verb.h"))}
    in_help = ask("help").partition("Exit status:")[2]
    manual = re.search(r"^## Exit status\n(.*?)^## ", read(DOCS / "manual.md"), re.S | re.M)[1]
    man = re.search(r"^# EXIT STATUS\n(.*?)^# ", read(DOCS / "man/vtax.1.scd"), re.S | re.M)[1]
    assert enum == {int(n) for n in re.findall(r"\b(\d+) [a-z]", in_help)}
    assert enum == {int(n) for n in re.findall(r"^\| (\d+) ", manual, re.M)}
    assert enum == {int(n) for n in re.findall(r"^\*(\d+)\*$", man, re.M)}


def source_files():
    return [p for p in sorted((ROOT / "src").rglob("*.[ch]"))]


def test_environment_variables_agree():
    used = set()
    for path in source_files():
        used |= set(re.findall(r'getenv\("((?:VTAX_|SUDO_|NO_)\w+)"\)', read(path)))
    manual = re.search(r"^## Environment\n(.*?)^## ", read(DOCS / "manual.md"), re.S | re.M)[1]
    told = set(re.findall(r"`((?:VTAX_|SUDO_|NO_)\w+)`", "\n".join(re.findall(r"^\| [^|]*", manual, re.M))))
    assert "VTAX_STATE" in used and told >= used
    assert {v for v in told if not v.startswith("SUDO_")} <= used


def said_by_the_program():
    """All string literals, adjacent ones joined, with what printf fills in as '…'."""
    directive, text = re.compile(r"%(%|[-+ #0-9.*]*[hlzj]*[a-zA-Z])"), ""
    for path in source_files():
        for run in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:PRI\w+\s*)?"(?:[^"\\\n]|\\.)*")*', read(path)):
            joined = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', run))
            text += re.sub(directive, lambda m: "%" if m[1] == "%" else "…", joined) + "\n"
    return text


def test_messages_are_the_programs_own():
    section = read(DOCS / "manual.md").partition("## Messages")[2]
    messages = [m for cell in re.findall(r"^\| (\*.*?) \|", section, re.M) for m in re.findall(r"\*([^*]+)\*", cell)]
    said = said_by_the_program()
    assert len(messages) > 20
    parts = [part.strip(" :") for m in messages for part in re.split(r"…|'", m)]
    assert not [part for part in parts if len(part) > 7 and part not in said]


def test_gates_and_their_bounds():
    gates = set()
    for folder in ("src/campaign", "src/workload"):
        for path in sorted((ROOT / folder).glob("*.c")):
            gates |= set(re.findall(r'trial_gate\(r, "([\w-]+)"', read(path)))
    section = read(DOCS / "method.md").partition("## Gates")[2].partition("\n## ")[0]
    assert gates == set(re.findall(r"^\| `([\w-]+)` ", section, re.M))
    bounds = [float(n) for n in re.findall(r"\.max_\w+ = ([\d.]+)", read(ROOT / "src/campaign/plan.c"))]
    bounds += [float(n) for n in re.findall(r"#define \w+_LIMIT ([\d.]+)", read(ROOT / "src/campaign/gates.c"))]
    bounds += [float(n) for n in re.findall(r"#define NETPERF_LOSS_\w+ (\S+)", read(ROOT / "src/workload/netperf.h"))]
    assert len(bounds) == 5
    for bound in bounds:
        assert f"**{100 * bound:g} %**" in section, f"bound {bound}"


def test_folder_table_is_the_enforced_one():
    spec = importlib.util.spec_from_file_location("check_includes", ROOT / "tests/check_includes.py")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, kept = True, sys.dont_write_bytecode
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = kept
    rows = re.findall(r"^\| `((?:src/\w+|agent))/` \|.*\| ([^|]*) \|$", read(DOCS / "architecture.md"), re.M)
    told = {folder: set() if may in ("–", "libc") else set(may.split(", ")) for folder, may in rows}
    everything = {f.partition("/")[2] for f in module.MAY_USE if f.startswith("src/")} - {"cmd"}
    if told.get("src/cmd") == {"all above"}:
        told["src/cmd"] = everything
    assert told == {folder: set(may) for folder, may in module.MAY_USE.items()}


# ---- man pages, README ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("page", MAN, ids=name_of)
def test_man_pages_build(page):
    scdoc = shutil.which("scdoc")
    if not scdoc:
        pytest.skip("scdoc is not installed")
    p = subprocess.run([scdoc], input=page.read_bytes(), capture_output=True, timeout=30, check=False)
    assert p.returncode == 0 and p.stdout, p.stderr


def refresh(folder, campaign, program):
    return subprocess.run([DOCS / "refresh-readme.py", campaign, "--program", program, "--top", folder],
                          capture_output=True, text=True, timeout=120, check=False)


def test_readme_is_refreshed_from_a_campaign(need, tmp_path, environment):
    need("gnuplot")
    vtax = Vtax(tmp_path, environment)
    (tmp_path / "README.md").write_text("a\n<!-- output:quick -->\nold\n<!-- /output -->\nb\n")
    vtax("run", "-w", "tcp_rr", "-t", "native", "-t", "native:label=again", "-d", "50ms", "-b", "2", "-q", "-o", "c",
         *TOLERANT)
    for _ in range(2):  # again is the same
        p = refresh(tmp_path, tmp_path / "c", vtax.program)
        assert p.returncode == 0, p.stderr
    text = read(tmp_path / "README.md")
    assert text.startswith("a\n<!-- output:quick -->\nMeasured ") and text.endswith("<!-- /output -->\nb\n")
    assert "old" not in text and text.count("again") == 1 and str(tmp_path) not in text
    assert "<svg" in read(tmp_path / "docs/img/overhead-tcp_rr.svg")


def test_readme_is_left_alone_for_an_unfinished_campaign(root, tmp_path, environment):
    vtax = interrupted(tmp_path, environment)
    (tmp_path / "README.md").write_text("<!-- output:quick -->\nold\n<!-- /output -->\n")
    p = refresh(tmp_path, next((tmp_path / "vtax-results").iterdir()), vtax.program)
    assert p.returncode != 0 and ("unfinished" in p.stderr or "no valid trial" in p.stderr), p.stderr
    assert "old" in read(tmp_path / "README.md")
