"""Errors of bloop's own on their way into the ring, and that reporting one never makes another."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from bloop.base import config, log
from bloop.base.errors import LaneUnavailable
from bloop.base.outcomes import Outcome
from bloop.db import connection
from bloop.projects import store as projects
from bloop.records.event_record import EventRecord
from bloop.records.record import EVENT_FORM
from bloop.ring import Consumer, Producer, Segment
from tests.seed import Seed
from tests.stored import decoded
from tests.unit.ring.support import fresh_ring_name
from workers import own_errors
from workers.own_errors import QUEUE_MAX, OwnErrorHandler

logger = logging.getLogger("tests.own")


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[config.Settings]:
    with fresh_ring_name() as name:
        variables = {"BLOOP__DATABASE__PATH": str(tmp_path / "bloop.db"), "BLOOP__RING__NAME": name[1:]}
        yield config.load(None, variables, secret_required=False)


@pytest.fixture
def seed(settings: config.Settings) -> Iterator[Seed]:
    with closing(Seed(settings.database_path)) as made:
        yield made


@pytest.fixture
def ring(settings: config.Settings) -> Iterator[Segment]:
    with closing(Segment.create(settings.ring_name, lane_count=2, lane_bytes=64 * 1024)) as segment:
        yield segment


@pytest.fixture
def handler(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnErrorHandler]:
    """Installed as in a process; its thread ends before the ring is removed."""
    root = logging.getLogger()
    before, hook = root.handlers[:], threading.excepthook
    monkeypatch.setattr(own_errors, "TRY_AGAIN_S", 0.01)
    log.set_up("test")
    made = own_errors.install("dashboard", settings)
    assert made is not None
    yield made
    made.flush(5.0)
    root.handlers[:], threading.excepthook = before, hook


def fail(message: str = "of our own") -> None:
    try:
        raise LookupError(message)
    except LookupError:
        logger.exception("something failed", extra={"action": "request_failed"})


def drained(ring: Segment) -> list[EventRecord]:
    """The records pushed so far."""
    with closing(Consumer.claim(ring)) as consumer:
        batch = consumer.read(1000, 1 << 20)
        consumer.release(batch)
    assert all(kind == EVENT_FORM for kind, _, _ in batch.records)
    return [decoded(payload) for _, payload, _ in batch.records]


def tracebacks(caplog: pytest.LogCaptureFixture) -> int:
    return sum(bool(record.exc_info) for record in caplog.records)


def test_an_unexpected_error_is_an_event_of_bloop_itself(handler: OwnErrorHandler, ring: Segment, seed: Seed) -> None:
    fail()
    handler.flush(5.0)

    (record,) = drained(ring)
    assert (record.event.error_type, record.event.message) == ("LookupError", "of our own")
    row = ("bloop-itself", "bloop", "bloop itself", record.project_id)
    assert seed.rows("SELECT public_id, slug, name, id FROM projects WHERE id = ?", record.project_id) == [row]
    with closing(Consumer.claim(ring)) as consumer:
        (cell,) = consumer.cells()
    assert (cell.project_id, cell.outcome, cell.value) == (record.project_id, Outcome.RECEIVED, 1)


def test_a_new_project_bumps_the_key_generation_once(handler: OwnErrorHandler, ring: Segment, seed: Seed) -> None:
    generation = ring.generation
    fail()
    handler.flush(5.0)
    made = ring.generation
    assert made != generation

    handler._limiter.__init__()  # type: ignore[misc]
    fail()
    handler.flush(5.0)

    assert ring.generation == made
    assert len({record.project_id for record in drained(ring)}) == 1


@pytest.mark.parametrize("taken", [["bloop"], ["bloop", "bloop-itself"], ["bloop-itself"]])
def test_names_in_use_by_other_projects_are_not_taken(
    handler: OwnErrorHandler, ring: Segment, seed: Seed, taken: list[str]
) -> None:
    theirs = {seed.project(slug) for slug in taken}

    fail()
    handler.flush(5.0)

    (record,) = drained(ring)
    assert record.project_id not in theirs


def test_a_deleted_project_is_created_again(handler: OwnErrorHandler, ring: Segment, seed: Seed) -> None:
    with connection.immediate(seed.db):
        first = projects.ensure_own_project(seed.db, 1)
        assert projects.ensure_own_project(seed.db, 2) == first
        found = projects.get_project(seed.db, projects.OWN)
        assert found is not None
        projects.delete_project(seed.db, found, 3)

    fail()
    handler.flush(5.0)

    assert [record.project_id > first for record in drained(ring)] == [True]


def test_only_unexpected_errors_are_reported(handler: OwnErrorHandler, ring: Segment, seed: Seed) -> None:
    logger.error("expected: %s", "one line")
    logger.warning("with a traceback, and only a warning", exc_info=LookupError("x"))
    for error in (apsw.FullError("full"), apsw.CorruptError("malformed")):
        logger.error("about storing", exc_info=error)

    assert handler._thread is None
    assert seed.rows("SELECT 1 FROM projects WHERE public_id = 'bloop-itself'") == []


def test_an_error_that_ends_a_thread_is_logged_and_reported(
    handler: OwnErrorHandler, ring: Segment, seed: Seed, caplog: pytest.LogCaptureFixture
) -> None:
    thread = threading.Thread(target=lambda: [][1], name="doomed")
    thread.start()
    thread.join()
    handler.flush(5.0)

    assert [record.event.error_type for record in drained(ring)] == ["IndexError"]
    assert "the thread doomed ended by an unexpected error" in caplog.messages[0]


def test_repeats_are_skipped_and_the_next_report_counts_them(
    handler: OwnErrorHandler, ring: Segment, seed: Seed
) -> None:
    for _ in range(50):
        fail()
    try:
        raise LookupError("elsewhere")
    except LookupError:
        logger.exception("another")
    handler.flush(5.0)

    first, second = drained(ring)
    assert first.event.message == "of our own"
    assert '"left_out_before":49' in str(second.event.metadata)


def test_without_a_database_one_line_is_logged_nothing_is_made_and_nothing_repeats(
    handler: OwnErrorHandler, ring: Segment, settings: config.Settings, caplog: pytest.LogCaptureFixture
) -> None:
    fail()
    handler.flush(5.0)

    assert sum("was not recorded" in line for line in caplog.messages) == 1
    assert tracebacks(caplog) == 1
    assert not settings.database_path.exists()
    assert drained(ring) == []


def test_a_corrupt_database_is_logged_in_one_line(
    handler: OwnErrorHandler, ring: Segment, settings: config.Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.database_path.write_bytes(b"garbage" * 1000)
    fail()
    handler.flush(5.0)

    assert sum("was not recorded" in line for line in caplog.messages) == 1
    assert drained(ring) == []


def test_without_a_ring_it_tries_for_a_while_and_gives_up(
    handler: OwnErrorHandler, settings: config.Settings, seed: Seed, caplog: pytest.LogCaptureFixture
) -> None:
    fail()
    handler.flush(5.0)

    assert sum("was not recorded: RingMissing" in line for line in caplog.messages) == 1


def test_a_lane_that_becomes_free_in_time_is_used(
    handler: OwnErrorHandler, ring: Segment, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, send = [Producer.claim(ring), Producer.claim(ring)], own_errors.send

    def free_one_when_refused(*args: Any) -> None:
        try:
            send(*args)
        except LaneUnavailable:
            taken.pop().close()
            raise

    monkeypatch.setattr(own_errors, "send", free_one_when_refused)
    fail()
    handler.flush(5.0)
    (still_taken,) = taken
    still_taken.close()

    assert len(drained(ring)) == 1


def test_trouble_while_reporting_is_not_reported(
    handler: OwnErrorHandler,
    ring: Segment,
    seed: Seed,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        fail("inside the reporting thread")
        raise RuntimeError("reporting is broken")

    monkeypatch.setattr(own_errors, "send", broken)
    fail()
    handler.flush(5.0)

    assert sum("was not recorded" not in line for line in caplog.messages) == 2, (
        "one, and one inside that is logged only"
    )
    assert sum("RuntimeError: reporting" in line for line in caplog.messages) == 1
    assert tracebacks(caplog) == 2
    assert handler._waiting.empty()


def test_an_error_whose_str_raises_is_logged_as_not_reported(
    handler: OwnErrorHandler, ring: Segment, seed: Seed, caplog: pytest.LogCaptureFixture
) -> None:
    class Nasty(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    try:
        raise Nasty
    except Nasty:
        logger.exception("nasty")
    handler.flush(5.0)

    assert sum("was not reported: ValueError" in line for line in caplog.messages) == 1


def test_a_queue_that_is_full_drops_and_counts(
    handler: OwnErrorHandler, ring: Segment, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    sent: list[object] = []
    monkeypatch.setattr(own_errors, "send", lambda _settings, event: go_on.wait(10) and sent.append(event))
    monkeypatch.setattr(handler._limiter, "allows", lambda place, now_ms: True)

    for _ in range(QUEUE_MAX + 20):
        fail()
    go_on.set()
    handler.flush(5.0)

    assert QUEUE_MAX <= len(sent) <= QUEUE_MAX + 1
    assert handler._limiter.left_out >= 19


def test_a_fork_reports_for_itself(handler: OwnErrorHandler, ring: Segment, seed: Seed) -> None:
    fail()
    handler.flush(5.0)
    thread = handler._thread
    handler._pid = os.getpid() + 1  # as a child sees it: the thread stayed behind

    fail()
    handler.flush(5.0)

    assert handler._thread is not thread
    assert len(drained(ring)) == 2


def test_reporting_can_be_switched_off(settings: config.Settings) -> None:
    before = logging.getLogger().handlers[:]
    off = replace(settings, server=replace(settings.server, own_errors=False))

    assert own_errors.install("dashboard", off) is None
    assert logging.getLogger().handlers == before
