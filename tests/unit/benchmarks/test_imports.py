"""Imports are counted from source, between files, whatever form they have; and a room is a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.imports import ImportFigures, TwoWay, find_modules, measure_imports, room_of


def tree_of(folder: Path, **files: str) -> Path:
    """A checkout; `bloop__ring__lane` is the file bloop/ring/lane.py."""
    for name, text in files.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def figures_of(folder: Path, **files: str) -> ImportFigures:
    return measure_imports(tree_of(folder, **files))


def test_imports_inside_a_room_and_out_of_it_are_told_apart(tmp_path: Path) -> None:
    found = figures_of(
        tmp_path,
        bloop__clock="",
        bloop__ring__lane="from bloop.clock import now_ms\nfrom bloop.ring.layout import HEAD",
        bloop__ring__layout="HEAD = 1",
        bloop__ring__parts__deep="from bloop.ring import lane",
        workers__writer="import bloop.ring.lane\nimport workers.child",
        workers__child="",
    )

    assert found == ImportFigures(files=6, imports=5, inside=3, to_spine=2, rooms=3, two_way=[])
    assert found.inside_share == pytest.approx(0.6)
    assert found.inside_share_without_spine == 1.0


def test_a_pair_of_files_counts_once_and_also_when_it_is_imported_inside_a_function(tmp_path: Path) -> None:
    found = figures_of(
        tmp_path,
        bloop__ring__lane="from bloop.ring.layout import A\ndef f():\n    from bloop.ring.layout import B, C",
        bloop__ring__layout="def f():\n    import bloop.ring.lane as lane",
    )

    assert (found.imports, found.inside) == (2, 2)


def test_a_name_out_of_a_package_is_an_import_of_its_init_file(tmp_path: Path) -> None:
    folder = tree_of(tmp_path, bloop__ring__lane="", bloop__cli__main="from bloop.ring import Segment, lane")
    (folder / "bloop" / "ring" / "__init__.py").write_text("Segment = 1")

    assert set(find_modules(folder)) == {"bloop.ring", "bloop.ring.lane", "bloop.cli.main"}
    assert measure_imports(folder).imports == 2


def test_libraries_and_files_that_are_not_of_the_server_do_not_count(tmp_path: Path) -> None:
    found = figures_of(
        tmp_path,
        bloop__a="import json\nimport apsw\nfrom collections import abc",
        tests__b="import bloop.a",
        benchmarks__c="import bloop.a",
    )

    assert (found.files, found.imports, found.inside_share) == (1, 0, 0.0)


def test_an_import_of_the_spine_is_left_out_of_the_second_share_unless_it_stays_in_its_room(tmp_path: Path) -> None:
    found = figures_of(
        tmp_path,
        bloop__base__clock="import bloop.base.errors",
        bloop__base__errors="",
        bloop__alerts__rules="import bloop.base.clock\nimport bloop.issues.read\nimport bloop.alerts.model",
        bloop__alerts__model="import bloop.base.errors",
        bloop__issues__read="",
    )

    assert (found.imports, found.to_spine, found.inside) == (5, 2, 2)
    assert found.inside_share_without_spine == pytest.approx(2 / 3)


def test_two_rooms_that_import_each_other_are_named_once_with_both_counts(tmp_path: Path) -> None:
    found = figures_of(
        tmp_path,
        bloop__web__a="import bloop.auth.a\nimport bloop.auth.b\nimport bloop.ring.a",
        bloop__auth__a="import bloop.web.a",
        bloop__auth__b="",
        bloop__ring__a="",
    )

    assert found.two_way == [TwoWay("auth", "web", there=1, back=2)]


@pytest.mark.parametrize(
    ("path", "room"),
    [
        ("bloop/clock.py", "bloop"),
        ("bloop/__init__.py", "bloop"),
        ("bloop/ring/lane.py", "ring"),
        ("bloop/alerts/channels/slack.py", "alerts"),
        ("workers/writer.py", "workers"),
    ],
)
def test_a_room_is_the_first_folder_below_bloop(path: str, room: str) -> None:
    assert room_of(Path(path)) == room
