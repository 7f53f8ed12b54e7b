"""A saved result reaches the document, and nothing else in it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.markdown import BEGIN, END, compare, newest_result, put_into, render, render_summary
from benchmarks.report import Report


def saved(folder: Path, held: float = 12345.6) -> Path:
    report = Report()
    report.add("singles.held_per_s", held, "events/s", "CPU")
    report.add("ring.records", 0.0, "records/s", "")
    report.warn("busy")
    return report.save(folder)


def content_of(result: Path) -> dict[str, Any]:
    return orjson.loads(result.read_bytes())  # type: ignore[no-any-return]


def test_figures_replace_what_stands_between_the_markers(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"# Before\n{BEGIN}old\n{END}after\n")

    put_into(document, "older\n")
    put_into(document, render(content_of(saved(tmp_path))))

    text = document.read_text()
    assert text.startswith(f"# Before\n{BEGIN}")
    assert text.endswith(f"{END}after\n")
    assert text.count("| singles.held_per_s | 12,346 | events/s | CPU |") == 1
    assert "Warning of this run: busy" in text
    assert "old" not in text


def test_the_summary_has_few_figures_in_words(tmp_path: Path) -> None:
    text = render_summary(content_of(saved(tmp_path)))

    assert "| Single events, held | 12,346 | a second |" in text
    assert "ring" not in text


def test_two_results_stand_beside_each_other_with_their_ratio(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()

    text = compare(saved(tmp_path / "old", 10_000.0), saved(tmp_path, 12_500.0))

    assert "| singles.held_per_s | events/s | 10,000 | 12,500 | 1.25 |" in text
    assert "| ring.records | records/s | 0.00 | 0.00 |  |" in text


def test_a_document_without_markers_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("no place\n")

    with pytest.raises(ValueError, match="no markers"):
        put_into(document, "table\n")

    assert document.read_text() == "no place\n"


def test_without_results_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="python -m benchmarks"):
        newest_result(tmp_path)
