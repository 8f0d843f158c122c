# SPDX-License-Identifier: GPL-2.0-or-later
"""What people and programs read: JSON by its schema, CSV, Markdown, the page, the figures, and that they agree."""

import csv
import html.parser
import io
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from vtaxtest import INVALID, OK, ROOT, TOLERANT, Campaign

EITHER = (OK, INVALID)
TECHNIQUES = ["native", "oci:net=bridge", "null:label=a <b> & \"c\" | $x", "oci:runtime=no-such-runtime"]
LABELS = ["native", "oci:net=bridge", "a <b> & \"c\" | $x", "oci:runtime=no-such-runtime"]
WORKLOADS = ["tcp_rr", "udp_stream:message=1K", "ping"]


@pytest.fixture(scope="module")
def report(shared, need):
    """A campaign with a page and figures, a label full of what each format gives a meaning, and one cell not run."""
    need("crun", "gnuplot")
    argv = ["run", "-d", "60ms", "--warmup", "10ms", "-b", "3", *TOLERANT, "-q", "--seed", "11", "--json", "run.json", "--csv",
            "run.csv", "--markdown", "run.md", "--out", "out"]
    for t in TECHNIQUES:
        argv += ["-t", t]
    for w in WORKLOADS:
        argv += ["-w", w]
    r = shared(*argv, status=EITHER)
    return Campaign(shared.cwd / "out", json.loads((shared.cwd / "run.json").read_text()), r)


# ---- JSON ------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def validator():
    jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_json_follows_the_schema(report, validator):
    assert not [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(report.json)]


def test_the_schema_can_fail(report, validator):
    bad = json.loads(json.dumps(report.json))
    bad["results"][0]["verdict"] = "cheap"
    del bad["trials"][0]["metrics"]
    assert len(list(validator.iter_errors(bad))) >= 2


def test_json_keeps_the_contract(report):
    data = report.json
    assert list(data)[:3] == ["schema", "campaign", "results"] and {"trials", "fingerprint"} <= set(data)
    assert data["schema"] == "vtax.report/1"
    assert data["campaign"]["suite"] == "quick" and data["campaign"]["seed"] == 11
    assert data["campaign"]["complete"] is True
    assert set(data["results"][0]) >= {
        "workload", "params", "technique", "metric", "unit", "better", "n", "mean", "sd", "median", "min", "max",
        "baseline", "overhead", "overhead_ci95", "verdict", "reason"}
    assert set(data["trials"][0]) >= {"block", "position", "workload", "params", "technique", "started_at", "duration_s",
                                      "valid", "reason", "metrics"}
    assert {r["technique"] for r in data["results"]} == set(LABELS)
    assert len(data["trials"]) == 3 * 3 * 3
    assert {r["baseline"] for r in data["results"]} == {"native"}


def test_results_follow_from_the_trials(report):
    """Every number of the summary, computed again from the raw trials."""
    for row in report.json["results"]:
        same = [t for t in report.trials(row["workload"], row["technique"]) if t["params"] == row["params"]]
        values = [t["metrics"][row["metric"]] for t in same if t["valid"] and row["metric"] in t["metrics"]]
        assert row["n"] == len(values), row
        if not values:
            assert row["mean"] is None and row["reason"], row
            continue
        assert row["mean"] == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-12)
        assert row["median"] == pytest.approx(statistics.median(values), rel=1e-9, abs=1e-12)
        assert (row["min"], row["max"]) == pytest.approx((min(values), max(values)), rel=1e-12, abs=1e-12)
        if len(values) > 1:
            assert row["sd"] == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-9)


def overhead_again(report, row):
    """The paired log-ratio within blocks, straight from docs/method.md: (ratio, low, high) or None."""
    t95 = {1: 12.706204736, 2: 4.302652730}
    by_block = {}
    for t in report.trials(row["workload"]):
        if t["valid"] and t["params"] == row["params"] and row["metric"] in t["metrics"]:
            by_block.setdefault(t["block"], {})[t["technique"]] = t["metrics"][row["metric"]]
    logs = [math.log(b["native"] / b[row["technique"]]) if row["better"] == "higher"
            else math.log(b[row["technique"]] / b["native"])
            for b in by_block.values()
            if {"native", row["technique"]} <= set(b) and b["native"] > 0 and b[row["technique"]] > 0]
    if not logs:
        return None
    mean = statistics.fmean(logs)
    if len(logs) == 1:
        return math.exp(mean) - 1, None, None
    half = t95[len(logs) - 1] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean) - 1, math.exp(mean - half) - 1, math.exp(mean + half) - 1


def test_overheads_are_paired_log_ratios(report):
    checked = 0
    for row in report.json["results"]:
        if row["verdict"] in ("baseline", "not-run"):
            assert row["overhead"] is None
            continue
        again = overhead_again(report, row)
        if row["overhead"] is None:
            assert again is None, row
            continue
        ratio, low, high = again
        assert row["overhead"] == pytest.approx(ratio, rel=1e-6, abs=1e-9), row
        if low is None:
            assert row["overhead_ci95"] is None
        else:
            assert row["overhead_ci95"] == pytest.approx([low, high], rel=1e-6, abs=1e-9), row
        assert (row["verdict"] == "tax") <= (low is not None and low > 0), row
        assert (row["verdict"] == "gain") <= (high is not None and high < 0), row
        checked += 1
    assert checked > 20


def test_not_run_has_its_reason(report):
    for row in report.rows(technique="oci:runtime=no-such-runtime"):
        assert row["verdict"] == "not-run" and "no-such-runtime" in row["reason"]


def test_fingerprint_says_what_the_machine_was(report):
    fingerprint = report.json["fingerprint"]
    text = json.dumps(fingerprint)
    assert os.uname().release in text
    assert fingerprint["testbed"]["client"]["mtu"] == 1500
    assert re.search(r'"[0-9a-f]{64}"', text), "no hash of a binary"
    for word in ("clocksource", "mitigations", "governor"):
        assert word in text, word


def test_report_again_is_the_same(report, shared):
    again = json.loads(shared("report", "out", "--json", "-", status=EITHER).out)
    assert again == report.json


# ---- CSV -------------------------------------------------------------------------------------------------------

def test_csv_agrees_with_json(report, shared):
    text = shared("report", "out", "--csv", "-", status=EITHER).out
    assert text == (shared.cwd / "run.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    trials = {(t["block"], t["workload"], t["technique"]): t for t in report.json["trials"]}
    units = {(r["workload"], r["metric"]): r["unit"] for r in report.json["results"]}
    seen = {}
    for row in rows:
        key = int(row["block"]), row["workload"], row["technique"]
        trial = trials[key]
        assert int(row["position"]) == trial["position"]
        assert row["started_at"] == trial["started_at"]
        assert json.loads(row["params"]) == trial["params"]
        assert row["valid"] == str(trial["valid"]).lower() and row["reason"] == trial["reason"]
        assert float(row["value"]) == pytest.approx(trial["metrics"][row["metric"]], rel=1e-13)
        assert row["unit"] == units.get((row["workload"], row["metric"]), row["unit"])
        seen.setdefault(key, set()).add(row["metric"])
    assert seen == {k: set(t["metrics"]) for k, t in trials.items()}
    assert [int(r["sequence"]) for r in rows] == sorted(int(r["sequence"]) for r in rows)


# ---- text ------------------------------------------------------------------------------------------------------

VERDICTS = {"baseline": "baseline", "tax": "tax", "gain": "gain", "none": "no tax", "inconclusive": "inconclusive"}
SCALE = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "m": 1e-3, "µ": 1e-6, "n": 1e-9}


def value_of(text):
    """'25.0 k/s' → 25000; '6.00 µs' → 6000 ns; '4.66 Gb/s' → 4.66e9"""
    number, prefix, unit = re.match(r"([\d.]+) ([kMGmµn]?)(/s|b/s|s)", text).groups()
    return float(number) * SCALE[prefix] * (1e9 if unit == "s" else 1)


def check_line(row, line):
    """One line of a table (cells by now in order) against its row of the JSON."""
    assert f"{row['n']}" in line
    assert VERDICTS[row["verdict"]] in line, line
    assert value_of(re.search(r"[\d.]+ [kMGmµn]?(?:/s|b/s|s)\b", line).group()) == pytest.approx(row["mean"], rel=0.006)
    if row["overhead"] is not None:
        shown = float(re.search(r"([+-][\d.]+) %", re.sub(r"± [\d.]+ %", "", line)).group(1))
        assert shown == pytest.approx(100 * row["overhead"], abs=0.06, rel=0.006), line


def primaries(report):
    for name in ("tcp_rr", "udp_stream", "ping"):
        metric = {"tcp_rr": "transactions_per_s", "udp_stream": "throughput_bits_per_s", "ping": "latency_p50_ns"}[name]
        for row in report.rows(name, metric=metric):
            yield name, row


def test_table_agrees_with_json(report, shared):
    out = shared("report", "out", status=EITHER).out
    assert out.strip().splitlines()[0] in report.result.out, "run and report print different tables"
    assert "\x1b" not in out
    for name, row in primaries(report):
        lines = out.splitlines()
        first = next(i for i, x in enumerate(lines) if re.match(rf"{name}[ :]", x))
        line = next(x for x in lines[first:] if x.startswith(f"  {row['technique']}"))
        if row["verdict"] == "not-run":
            assert "not run" in line
            continue
        check_line(row, line.strip()[len(row["technique"]):])


def test_all_metrics_has_every_row(report, shared):
    out = shared("report", "out", "--all-metrics", status=EITHER).out
    for metric in {r["metric"] for r in report.json["results"]}:
        assert metric in out, metric


def test_markdown_is_a_table_that_survives_the_label(report, shared):
    text = shared("report", "out", "--markdown", "-", status=EITHER).out
    assert text == (shared.cwd / "run.md").read_text()
    tables = [line for line in text.splitlines() if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert len(widths) == 1, "rows of different width: something was not escaped"
    assert sum(set(line) <= set("|:- ") for line in tables) == 3
    assert "<b>" not in text, "HTML in a label reaches the page"
    for name, row in primaries(report):
        if row["technique"] == "oci:net=bridge" and row["n"]:
            line = next(x for x in text[text.index(name.replace("_", "\\_")):].splitlines()
                        if x.startswith("| oci:net=bridge"))
            check_line(row, line.split("|", 2)[2])


def test_margin_and_baseline_change_the_verdicts(report, shared):
    def rows(*args):
        data = json.loads(shared("report", "out", "--json", "-", *args, status=EITHER).out)
        return Campaign(report.dir, data).rows("tcp_rr", "oci:net=bridge", "transactions_per_s")
    assert rows("--baseline", "oci:net=bridge")[0]["verdict"] in ("baseline", "not-run")
    wide = rows("--margin", "100%")[0]
    assert wide["overhead"] == rows()[0]["overhead"], "a margin changes verdicts, not values"


# ---- page ------------------------------------------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    """Collects references to elsewhere, and whether tags are balanced."""
    VOID = {"meta", "br", "hr", "img", "link", "input", "col", "wbr"}

    def __init__(self):
        super().__init__()
        self.stack, self.outside, self.tags, self.text, self.ids, self.anchors = [], [], [], [], [], []
        self.files = []

    def look(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            value = value or ""
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"):
                if value.startswith("#"):
                    self.anchors.append(value[1:])
                elif tag == "a" and name == "href" and re.fullmatch(r"figures/[\w.-]+", value):
                    self.files.append(value)
                elif not value.startswith("data:"):
                    self.outside.append(f"<{tag} {name}={value}>")
            if name == "style" and "url(" in value and "url(#" not in value.replace("'", "").replace('"', ""):
                self.outside.append(f"<{tag} style={value}>")
            if name.startswith("on"):
                self.outside.append(f"<{tag} {name}>")

    def handle_starttag(self, tag, attrs):
        self.look(tag, attrs)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.look(tag, attrs)

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1] == tag, f"</{tag}> closes {self.stack[-3:]} at {self.getpos()}"
        self.stack.pop()

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page(report):
    p = Page()
    p.feed((report.dir / "report.html").read_text())
    p.close()
    return p


def test_page_is_whole_and_self_contained(report, page):
    assert not page.stack, f"not closed: {page.stack}"
    assert not page.outside, f"references to elsewhere: {page.outside[:5]}"
    assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & set(page.tags)
    assert page.files and all((report.dir / f).is_file() for f in page.files), "a file that the page offers is missing"
    assert "@import" not in (report.dir / "report.html").read_text()
    assert len(page.ids) == len(set(page.ids)), "ids twice: " + str([i for i in page.ids if page.ids.count(i) > 1][:3])
    assert set(page.anchors) <= set(page.ids), "a link within the page leads nowhere"


def test_page_holds_tables_figures_and_trials(report, page):
    text = " ".join(page.text)
    for word in (report.json["campaign"]["id"], *LABELS, "tcp_rr", "udp_stream", "ping", os.uname().release):
        assert word in text, word
    assert page.tags.count("svg") >= 6
    assert page.tags.count("table") >= 4
    for trial in report.trials():
        if not trial["valid"]:
            assert trial["reason"].split(":")[0] in text


def test_page_is_made_again(report, shared):
    copy = shared.cwd / "copy"
    shutil.copytree(report.dir, copy)
    first = (copy / "report.html").read_text()
    (copy / "report.html").unlink()
    shutil.rmtree(copy / "figures")
    shared("report", "copy", "--html", status=EITHER)
    assert len((copy / "report.html").read_text()) == pytest.approx(len(first), rel=0.01)
    assert {p.name for p in (copy / "figures").iterdir()} == {p.name for p in (report.dir / "figures").iterdir()}


def test_without_gnuplot_the_page_is_still_there(report, shared):
    copy = shared.cwd / "plain"
    copy.mkdir()
    shutil.copy(report.dir / "results.db", copy)
    r = shared("report", "plain", "--html", status=EITHER, env={"PATH": "/nonexistent"})
    assert "no figures" in r.err and "gnuplot" in r.err
    assert "tcp_rr" in (copy / "report.html").read_text()
    assert list((copy / "figures").glob("*.gp")), "the scripts are not there for later"


# ---- figures ---------------------------------------------------------------------------------------------------

def test_figures_come_in_four_forms(report):
    folder = report.dir / "figures"
    stems = {p.stem for p in folder.glob("*.gp")}
    assert {p.name for p in folder.iterdir()} == {f"{s}.{e}" for s in stems for e in ("gp", "dat", "svg", "pdf")}
    for word in ("tcp_rr", "udp_stream", "ping"):
        assert [s for s in stems if word in s and "overhead" in s], f"no overhead figure of {word}"
    for word in ("tcp_rr", "ping"):
        assert [s for s in stems if word in s and "cdf" in s], f"no latency figure of {word}"
    assert "order" in stems
    for stem in stems:
        assert ElementTree.parse(folder / f"{stem}.svg").getroot().tag.endswith("svg")
        assert (folder / f"{stem}.pdf").read_bytes().startswith(b"%PDF-")
        assert (folder / f"{stem}.dat").stat().st_size > 0


def test_figures_are_reproduced_by_their_scripts(report, tmp_path):
    folder = tmp_path / "figures"
    shutil.copytree(report.dir / "figures", folder)
    for script in sorted(folder.glob("*.gp")):
        svg, pdf = script.with_suffix(".svg"), script.with_suffix(".pdf")
        drawn = svg.read_bytes()
        svg.unlink()
        pdf.unlink()
        subprocess.run(["gnuplot", script.name], cwd=folder, check=True, timeout=60, stdin=subprocess.DEVNULL)
        assert svg.read_bytes() == drawn, f"{script.name} draws something else"
        assert pdf.read_bytes().startswith(b"%PDF-")


def test_overhead_figure_shows_the_numbers(report):
    data = next((report.dir / "figures").glob("*tcp_rr*overhead*.dat")).read_text()
    row = report.row("tcp_rr", "oci:net=bridge", "transactions_per_s")
    if row["overhead"] is None:
        pytest.skip("no valid block on this busy machine")
    block = data.split("# transactions_per_s")[1].split("\n\n")[0]
    shown = [float(line.split()[1]) for line in block.splitlines() if line and line[0].isdigit()]
    assert any(v == pytest.approx(100 * row["overhead"], rel=1e-4) for v in shown), shown
