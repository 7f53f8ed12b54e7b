"""A saved result reaches the document, and nothing else in it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.markdown import BEGIN, END, newest_result, put_into
from benchmarks.report import Report


def saved(folder: Path) -> Path:
    report = Report()
    report.add("singles.held_per_s", 12345.6, "events/s", "CPU")
    report.warn("busy")
    return report.save(folder)


def test_figures_replace_what_stands_between_the_markers(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"# Before\n{BEGIN}old\n{END}after\n")

    put_into(document, saved(tmp_path))
    put_into(document, newest_result(tmp_path))

    text = document.read_text()
    assert text.startswith(f"# Before\n{BEGIN}")
    assert text.endswith(f"{END}after\n")
    assert text.count("| singles.held_per_s | 12,346 | events/s | CPU |") == 1
    assert "Warning of this run: busy" in text
    assert "old" not in text


def test_a_document_without_markers_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("no place\n")

    with pytest.raises(ValueError, match="no markers"):
        put_into(document, saved(tmp_path))

    assert document.read_text() == "no place\n"


def test_without_results_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="python -m benchmarks"):
        newest_result(tmp_path)
