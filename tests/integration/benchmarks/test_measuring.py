"""What the harness reads off a database and a process tree is what is there."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from benchmarks import dataset
from benchmarks.profile_writer import encoded_records, fresh_database
from benchmarks.report import Report, printable
from benchmarks.soak import growth_mib
from bloop.base.clock import now_ms
from bloop.bench.instance import InstanceError, Usage, check_on_disk, spent
from bloop.bench.results import Second
from bloop.bench.rows import VisibilityWatch, await_rows, max_id, reading, stored_of_run
from bloop.db import connection
from bloop.features import make_kinds
from bloop.pipeline.store import Store
from tests.waiting import until

DEADLINE_S = 10.0


def test_rows_of_a_run_are_counted_apart_from_those_of_others_and_duplicates_show() -> None:
    records = encoded_records(30)  # of the run `bench`, numbers 0 to 29
    with fresh_database() as (db, path):
        Store(db, 1, make_kinds(db)).store([*records, records[4]], {}, (), now_ms=now_ms())

        with reading(path) as reader:
            assert stored_of_run(reader, "bench", 0) == (31, 30)
            assert stored_of_run(reader, "bench", 10) == (21, 21)
            assert stored_of_run(reader, "benc", 0) == (0, 0)
            assert await_rows(reader, 0, 31, DEADLINE_S) <= time.monotonic()
            with pytest.raises(TimeoutError, match="31 of 32 events"):
                await_rows(reader, 0, 32, 0.0)


def test_visibility_is_noted_for_every_event_and_not_before_its_commit() -> None:
    records = encoded_records(40)
    with fresh_database() as (db, path):
        store = Store(db, 1, make_kinds(db))
        store.store(records[:10], {}, (), now_ms=now_ms())
        with VisibilityWatch(path, "bench") as watch:
            began = time.monotonic()
            store.store(records[10:], {}, (), now_ms=now_ms())
            until(lambda: watch.seen == 30, "every event to be seen")

    assert len(list(watch.waits_s((number, began) for number in range(50)))) == 30
    assert min(watch.waits_s((number, began) for number in range(10, 40))) >= 0
    assert list(watch.waits_s((number, began) for number in range(10))) == []


def test_the_data_set_has_as_many_events_and_issues_as_asked_for(tmp_path: Path) -> None:
    made = dataset.build(tmp_path / "d.db", 6000, 700)

    assert (made.events, made.issues) == (6000, 700)
    with closing(connection.open_reader(tmp_path / "d.db")) as db:
        assert max_id(db) == 6000
        assert db.execute("SELECT sum(event_count) FROM issues").get == 6000
        statuses = {status for (status,) in db.execute("SELECT DISTINCT status FROM issues")}
    assert statuses == {"unresolved", "resolved", "ignored", "muted"}


def test_a_folder_in_memory_is_refused() -> None:
    with pytest.raises(InstanceError, match="tmpfs"):
        check_on_disk(Path("/dev/shm"))


def test_cpu_time_is_summed_by_part_and_new_processes_count_from_their_start() -> None:
    before = Usage(0.0, {(1, "writer"): 2.0, (2, "ingest worker"): 1.0})
    after = Usage(9.0, {(1, "writer"): 2.5, (2, "ingest worker"): 3.0, (3, "ingest worker"): 0.25})

    assert spent(before, after) == {"writer": 0.5, "ingest worker": 2.25}


def test_cpu_time_of_a_process_that_ended_is_not_quietly_lost() -> None:
    with pytest.raises(InstanceError, match="writer"):
        spent(Usage(0.0, {(1, "writer"): 2.0}), Usage(1.0, {}))


def test_a_report_is_saved_with_machine_commit_and_every_figure(tmp_path: Path) -> None:
    report = Report()
    report.add("singles.held_per_s", 12345.6, "events/s", "CPU", drain_s=0.1)

    saved = orjson.loads(report.save(tmp_path).read_bytes())

    assert saved["figures"] == [
        {
            "name": "singles.held_per_s",
            "value": 12345.6,
            "unit": "events/s",
            "bound": "CPU",
            "detail": {"drain_s": 0.1},
        }
    ]
    assert {"cpu", "cores", "memory_gib", "kernel", "commit", "versions"} <= saved["machine"].keys()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12345.6, "12,346"), (99.94, "99.9"), (3.14159, "3.14"), (0.004, "0.00"), (float("nan"), "–")],
)
def test_numbers_are_printed_with_the_digits_that_count(value: float, expected: str) -> None:
    assert printable(value) == expected


def test_growth_is_the_slope_of_memory_over_events_and_not_over_time() -> None:
    memory = [100.0, 101.0, None, 102.0]
    seconds = [
        Second(at, stored=n, pss_mib=pss)
        for at, n, pss in zip(range(4), (0, 50_000, 20_000, 30_000), memory, strict=True)
    ]

    assert growth_mib(seconds) == pytest.approx(2.0)
