"""Log lines for people, programs and journald (bloop/base/log.py)."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable, Iterator

import pytest

from bloop.base.log import LINES_BURST, LINES_PER_SECOND, BoundedHandler, Journal, TextFormatter, set_up
from tests import waiting

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


MARKER = "marker-7f3a"
FORGED = "2026-01-01T00:00:00Z writer[1] info all is well"


@pytest.mark.parametrize("journal", Journal)
@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("separator", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"])
def test_no_text_begins_a_line_of_its_own(lines: Lines, log_format: str, journal: Journal, separator: str):
    set_up("writer", log_format=log_format, journal=journal)

    logging.getLogger("bloop").warning("sign-in failed: %s", f"x{separator}{FORGED}")

    (line,) = lines()
    assert not line.startswith(FORGED)


@pytest.mark.parametrize("journal", Journal)
def test_message_of_an_exception_is_one_line(lines: Lines, journal: Journal):
    set_up("writer", journal=journal)

    try:
        try:
            raise ValueError(f"first\n{FORGED}")
        except ValueError as cause:
            raise RuntimeError(f"second\r{FORGED}") from cause
    except RuntimeError:
        logging.getLogger("bloop").exception("stopped")

    found = [line.removeprefix("<3>") for line in lines()]
    assert [line for line in found if line.startswith(("ValueError", "RuntimeError"))] == [
        f"ValueError: first\\n{FORGED}",
        f"RuntimeError: second\\r{FORGED}",
    ]
    assert FORGED not in found
    assert any("test_log.py" in line for line in found)


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\ud800"])
def test_characters_that_steer_a_terminal_are_spelled(lines: Lines, character: str):
    set_up("writer")

    logging.getLogger("bloop").warning("bad %s origin", character)

    (line,) = lines()
    assert character not in line
    assert line.isprintable()
    assert "\\" in line


def test_letters_of_every_language_are_printed_as_they_are(lines: Lines):
    set_up("writer")

    logging.getLogger("bloop").info("grüße aus 東京 😀")

    assert lines()[0].endswith("grüße aus 東京 😀")


@pytest.mark.parametrize(
    "error",
    [
        KeyError(MARKER),
        ValueError(f"invalid literal for int() with base 10: '{MARKER}'"),
        ValueError(f"invalid: {f'{chr(39)}x{chr(34)} {MARKER}'!r}"),
        ValueError(f"cannot read https://example.com/hook/{MARKER}?token={MARKER}"),
        ValueError(f"header was Bearer {MARKER}"),
        UnicodeDecodeError("utf-8", MARKER.encode() + b"\xff", 11, 12, f"b'{MARKER}'"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_exception_is_printed_without_what_it_quotes(lines: Lines, log_format: str, error: Exception):
    set_up("dashboard", log_format=log_format)

    try:
        raise error
    except type(error):
        logging.getLogger("bloop").exception("a request failed")

    printed = "\n".join(lines())
    assert MARKER not in printed.replace(repr(error), "")
    assert type(error).__name__ in printed


def test_apostrophes_are_no_quotation(lines: Lines):
    set_up("writer")

    try:
        raise OSError("can't open what isn't there")
    except OSError:
        logging.getLogger("bloop").exception("stopped")

    assert lines()[-1] == "OSError: can't open what isn't there"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def flood() -> Iterator[tuple[logging.Logger, io.StringIO, Clock, BoundedHandler]]:
    stream, clock = io.StringIO(), Clock()
    handler = BoundedHandler(stream, clock)
    handler.setFormatter(TextFormatter("ingest"))
    logger = logging.Logger("bloop.flood")
    logger.addHandler(handler)
    yield logger, stream, clock, handler
    handler.close()


def test_flood_of_one_kind_is_bounded_and_the_rest_is_counted(flood):
    logger, stream, clock, _ = flood

    for seconds in range(5):
        clock.now_s = 1000.0 + seconds
        for _ in range(4000):
            logger.warning("refused %s", "x" * 100, extra={"action": "request_refused"})
    logger.error("another kind")

    written = stream.getvalue().splitlines()
    left_out = sum(int(line.split("… ")[1].split()[0].replace(",", "")) for line in written if "… " in line)
    refused = [line for line in written if "refused x" in line]
    assert len(written) < 100
    assert "another kind" in written[-1]
    assert LINES_BURST <= len(refused) <= LINES_BURST + 5 * LINES_PER_SECOND
    flood[3].report()
    last = stream.getvalue().splitlines()[-1]
    assert last.endswith("more of request_refused")
    assert len(refused) + left_out + int(last.split("… ")[1].split()[0].replace(",", "")) == 20_000


def test_what_was_left_out_is_said_when_the_flood_is_over(flood):
    logger, stream, _, _ = flood

    for _ in range(LINES_BURST + 4311):
        logger.warning("refused", extra={"action": "request_refused"})

    waiting.until(
        lambda: "warning … 4,311 more of request_refused" in stream.getvalue(), "the count of what was left out"
    )


def test_traceback_counts_for_its_lines(flood):
    logger, stream, _, _ = flood

    for _ in range(1000):
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            logger.exception("a request failed")

    assert len(stream.getvalue().splitlines()) < 2 * LINES_BURST


def test_line_that_cannot_be_made_prints_nothing_of_its_arguments(capsys: pytest.CaptureFixture[str], flood):
    logger, stream, _, _ = flood

    logger.warning("%d lost", MARKER)

    assert MARKER not in capsys.readouterr().err + stream.getvalue()


def test_long_message_is_cut(lines: Lines):
    set_up("writer")

    logging.getLogger("bloop").warning("%s", "x" * 100_000)

    assert len(lines()[0]) < 2100
