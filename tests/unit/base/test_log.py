"""Log lines for people, programs and journald (bloop/base/log.py)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator

import pytest

from bloop.base.log import Journal, set_up

Lines = Callable[[], list[str]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err.splitlines()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_line_for_people_says_when_who_and_how_bad(lines: Lines):
    set_up("writer")

    logging.getLogger("bloop.writer").warning("skipped %d torn records", 3)

    (line,) = lines()
    at, who, what = line.split(" ", 2)
    assert (len(at), at[-1]) == (20, "Z")
    assert who == f"writer[{os.getpid()}]"
    assert what == "warning skipped 3 torn records"


@pytest.mark.parametrize(
    ("level", "priority"), [(logging.CRITICAL, 3), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)]
)
def test_journald_gets_the_priority_and_keeps_the_rest_itself(lines: Lines, level: int, priority: int):
    set_up("writer", journal=Journal.OWN)

    logging.getLogger("bloop.writer").log(level, "ready")

    assert lines() == [f"<{priority}>ready"]


def test_debug_is_the_lowest_priority(lines: Lines):
    set_up("writer", level="debug", journal=Journal.OWN)

    logging.getLogger("bloop.writer").debug("detail")

    assert lines() == ["<7>detail"]


def test_process_that_shares_its_unit_is_named(lines: Lines):
    set_up("writer", journal=Journal.SHARED)

    logging.getLogger("bloop.writer").info("ready")

    assert lines() == [f"<6>writer[{os.getpid()}] ready"]


def test_every_line_of_a_traceback_is_an_error_to_journald(lines: Lines):
    set_up("writer", journal=Journal.OWN)

    try:
        raise ZeroDivisionError("of a test")
    except ZeroDivisionError:
        logging.getLogger("bloop.writer").exception("stopped")

    found = lines()
    assert found[0] == "<3>stopped"
    assert found[-1] == "<3>ZeroDivisionError: of a test"
    assert all(line.startswith("<3>") for line in found)


@pytest.mark.parametrize("journal", Journal)
def test_json_stays_one_object_a_line_whoever_reads_it(lines: Lines, journal: Journal):
    set_up("writer", log_format="json", journal=journal)

    logging.getLogger("bloop.writer").error("not\nstoring", extra={"action": "storing_stopped"})

    (line,) = lines()
    prefix = "" if journal is Journal.NONE else "<3>"
    assert line.startswith(prefix)
    said = json.loads(line.removeprefix(prefix))
    assert (said["action"], said["level"], said["message"]) == ("storing_stopped", "error", "not\nstoring")
