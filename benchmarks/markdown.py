"""A saved result as the Markdown table of docs/performance.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from benchmarks.report import RESULTS, ROOT, printable

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


def newest_result(folder: Path = RESULTS) -> Path:
    """Names begin with the time, so the last one is the newest."""
    found = sorted(folder.glob("*.json"))
    if not found:
        raise FileNotFoundError(f"no results in {folder}; run `python -m benchmarks` first")
    return found[-1]


def render(content: dict[str, Any]) -> str:
    """Machine, then a table of all figures."""
    about = content["machine"]
    hardware = f"{about['cores']} cores ({about['cpu']}), {about['memory_gib']} GiB"
    versions = f"Linux {about['kernel']}, {about['python']}, SQLite {about['sqlite']}"
    lines = [
        f"Commit `{about['commit']}` on {hardware}, {versions}.",
        "",
        "| figure | value | unit | what bounds it |",
        "|---|---:|---|---|",
    ]
    for figure in content["figures"]:
        lines.append(f"| {figure['name']} | {printable(figure['value'])} | {figure['unit']} | {figure['bound']} |")
    lines += [f"\nWarning of this run: {text}" for text in content["warnings"]]
    return "\n".join(lines) + "\n"


def put_into(document: Path, result: Path) -> None:
    """Replace what stands between the two markers."""
    text = document.read_text(encoding="utf-8")
    head, found, rest = text.partition(BEGIN)
    _, also_found, tail = rest.partition(END)
    if not (found and also_found):
        raise ValueError(f"{document} has no markers")
    document.write_text(
        head + BEGIN + "\n" + render(orjson.loads(result.read_bytes())) + "\n" + END + tail, encoding="utf-8"
    )
