"""Saved results as Markdown: the table of docs/performance.md, the few figures of the README, a comparison of two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from benchmarks.report import RESULTS, printable
from benchmarks.trees import ROOT

DOCUMENT, README = ROOT / "docs" / "performance.md", ROOT / "README.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
# The figures that most readers need: figure, label, unit.
SUMMARY = (
    ("singles.held_per_s", "Single events, held", "a second"),
    ("batches.held_per_s", "Events in batches of 50, held", "a second"),
    ("singles.cpu_s_per_10k", "CPU for 10,000 single events, all processes", "s"),
    ("batches.cpu_s_per_10k", "CPU for 10,000 events in batches", "s"),
    ("peer.ingest_vs_gthread_2w", "Single events against the same app on Gunicorn's threads", "times as many"),
    ("answer.p99_at_1000", "Answer at 1,000 a second, 99th percentile", "ms"),
    ("visible.p99_at_1000", "Then readable from the database, 99th percentile", "ms"),
    ("page.list_page_1.p95", "First page of 100,000 issues, 95th percentile", "ms"),
    ("memory.pss_under_load", "Memory of all processes under full load", "MiB"),
    ("idle.pss", "The same after it", "MiB"),
    ("idle.cpu", "CPU when nothing happens", "% of a core"),
)


def newest_result(folder: Path = RESULTS) -> Path:
    """Names begin with the time, so the last one is the newest."""
    results = sorted(folder.glob("*.json"))
    if not results:
        raise FileNotFoundError(f"no results in {folder}; run `python -m benchmarks` first")
    return results[-1]


def publish(result: Path) -> None:
    """Put all figures into docs/performance.md, and those of SUMMARY into the README."""
    content = orjson.loads(result.read_bytes())
    put_into(DOCUMENT, render(content))
    put_into(README, render_summary(content))


def render(content: dict[str, Any]) -> str:
    """Machine, then a table of all figures."""
    lines = [
        f"Commit `{content['machine']['commit']}` on {_hardware(content)}.",
        "",
        "| figure | value | unit | what bounds it |",
        "|---|---:|---|---|",
    ]
    for figure in content["figures"]:
        lines.append(f"| {figure['name']} | {printable(figure['value'])} | {figure['unit']} | {figure['bound']} |")
    lines += [f"\nWarning of this run: {text}" for text in content["warnings"]]
    return "\n".join(lines) + "\n"


def render_summary(content: dict[str, Any]) -> str:
    """The figures of SUMMARY that the result has, with their labels."""
    by_name = {figure["name"]: figure for figure in content["figures"]}
    rows = [(label, by_name[name], unit) for name, label, unit in SUMMARY if name in by_name]
    lines = ["| | | |", "|---|---:|---|"]
    lines += [f"| {label} | {printable(figure['value'])} | {unit} |" for label, figure, unit in rows]
    return "\n".join([f"On {_hardware(content)}:", "", *lines]) + "\n"


def compare(before: Path, after: Path) -> str:
    """The figures that two results share, with the ratio of the new value to the old."""
    old, new = (orjson.loads(path.read_bytes()) for path in (before, after))
    old_by_name = {figure["name"]: figure for figure in old["figures"]}
    lines = ["| figure | unit | before | after | ratio |", "|---|---|---:|---:|---:|"]
    for figure in new["figures"]:
        old_figure = old_by_name.get(figure["name"])
        if old_figure is None:
            continue
        ratio = f"{figure['value'] / old_figure['value']:.2f}" if old_figure["value"] else ""
        values = f"{printable(old_figure['value'])} | {printable(figure['value'])}"
        lines.append(f"| {figure['name']} | {figure['unit']} | {values} | {ratio} |")
    return "\n".join(lines) + "\n"


def _hardware(content: dict[str, Any]) -> str:
    about = content["machine"]
    hardware = f"{about['cores']} cores ({about['cpu']}), {about['memory_gib']} GiB"
    return f"{hardware}, Linux {about['kernel']}, {about['python']}, SQLite {about['sqlite']}"


def put_into(document: Path, table: str) -> None:
    """Replace the text between the two markers."""
    text = document.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document} has no markers")
    document.write_text(head + BEGIN + "\n" + table + "\n" + END + tail, encoding="utf-8")
