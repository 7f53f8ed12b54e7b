"""What is report of bloop's own errors, and above all what is not."""

from __future__ import annotations

import errno
import logging
import sys
from typing import Any

import apsw
import pytest

from bloop.base.config import Alerting, Auth, Settings, Smtp
from bloop.base.errors import BackupError, DatabaseBusy, RingMissing
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from workers import own_report
from workers.own_report import MESSAGE_CHARS_MAX, PER_WINDOW_MAX, SAME_EVERY_MS, WINDOW_MS, ErrorReport, ReportLimiter

SECRET = "s3cr3t-with-more-than-32-characters!"
SETTINGS = Settings(
    auth=Auth(hmac_secret=SECRET),
    smtp=Smtp(password="hunter2"),
    alerting=Alerting(slack_webhook_url="https://hooks.example.com/services/T0/B0/xyz"),
)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def reported(error: BaseException, **extra: Any) -> ErrorReport:
    record = logging.LogRecord(
        "bloop.x", logging.ERROR, __file__, 1, "GET /secret/path failed", (), (None, error, None)
    )
    for name, value in extra.items():
        setattr(record, name, value)
    return own_report.make_report(record, error, process="dashboard", settings=SETTINGS)


def test_an_error_is_an_event_that_any_limits_let_through():
    report = reported(raised(KeyError("nope"), ValueError("before")), action="request_failed", route="GET /x/{y}")

    event, _ = parse_event(own_report.event_body(report, left_out=3), Limits(), report.at_ms)

    assert (event.error_type, event.message, event.route) == ("KeyError", "'nope'", "GET /x/{y}")
    assert event.stack is not None
    assert event.stack.startswith("ValueError: before")
    assert f'File "{__file__}", line' in event.stack
    assert event.stack.rstrip().endswith("KeyError: 'nope'")
    assert '"process":"dashboard"' in str(event.metadata)
    assert '"left_out_before":3' in str(event.metadata)
    assert "/secret/path" not in repr(event)


@pytest.mark.parametrize("error", [ValueError(""), ValueError("x" * 100_000), ValueError("ä" * 100_000), KeyError()])
def test_errors_of_any_length_fit(error: Exception):
    report = reported(raised(error))

    parse_event(own_report.event_body(report, left_out=0), Limits(), report.at_ms)
    assert len(report.message) <= MESSAGE_CHARS_MAX


def test_of_a_stack_that_is_too_long_the_innermost_frames_stay():
    def deep(n: int) -> None:
        if n == 0:
            raise RuntimeError("the bottom")
        exec(compile(f"deep({n - 1})", "f" * 200 + str(n), "exec"), {"deep": deep})

    with pytest.raises(RuntimeError) as caught:
        deep(200)
    report = reported(caught.value)

    assert len(report.stack.encode()) <= 8192
    assert report.stack.startswith("Traceback (most recent call last):\n  ")
    assert report.stack.rstrip().endswith("RuntimeError: the bottom")


@pytest.mark.parametrize(
    "hidden",
    [
        SECRET,
        "hunter2",
        "https://hooks.example.com/services/T0/B0/xyz",
        "bloop_tk_Zm9vYmFyYmF6",
        "bloop_" + "0a" * 32,
        "d2" * 32,
        "Bearer abc.def",
        "postgres://db.example.com/people?password=x",
        "'" + "the text of a person, as it was sent to us" + "'",
    ],
)
def test_secrets_and_long_quotations_are_struck_out_of_message_and_stack(hidden: str):
    error = raised(RuntimeError(f"cannot use {hidden} here"), ValueError(f"because of {hidden}"))

    report = reported(error)

    assert hidden.strip("'") not in f"{report.message}{report.stack}"
    assert report.message.startswith("cannot use ")
    assert report.message.endswith(" here")


def test_values_of_variables_are_not_said():
    password = "in a variable"

    def fail() -> None:
        local = password * 2
        raise RuntimeError("no", len(local))

    with pytest.raises(RuntimeError) as caught:
        fail()

    assert password not in reported(caught.value).stack


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (apsw.FullError("full"), True),
        (apsw.CorruptError("malformed"), True),
        (apsw.BusyError("locked"), True),
        (DatabaseBusy("locked"), True),
        (BackupError("no room"), True),
        (RingMissing("gone"), True),
        (OSError(errno.ENOSPC, "no space"), True),
        (OSError(errno.EMFILE, "too many open files"), True),
        (apsw.SQLError("no such column: x"), False),
        (FileNotFoundError(errno.ENOENT, "no such file"), False),
        (KeyError("x"), False),
    ],
)
def test_errors_about_storing_are_told_from_others(error: Exception, expected: bool):
    assert own_report.is_about_storing(raised(error)) is expected
    assert own_report.is_about_storing(raised(RuntimeError("because"), error)) is expected


def test_a_circle_of_causes_ends():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first

    assert not own_report.is_about_storing(first)


def test_the_same_place_is_told_once_a_minute_and_others_at_once():
    limiter = ReportLimiter()

    assert [limiter.allows("a", t) for t in (0, 1, SAME_EVERY_MS - 1, SAME_EVERY_MS)] == [True, False, False, True]
    assert limiter.allows("b", 1)
    assert limiter.left_out == 2


def test_a_flood_of_different_errors_ends_and_begins_again_in_the_next_hour():
    limiter = ReportLimiter()

    assert sum(limiter.allows(str(n), 5) for n in range(1000)) == PER_WINDOW_MAX
    assert limiter.left_out == 1000 - PER_WINDOW_MAX
    assert limiter.allows("x", WINDOW_MS + 5)


def test_a_clock_that_is_put_back_silences_nobody():
    limiter = ReportLimiter()
    assert limiter.allows("a", 10 * WINDOW_MS)

    assert limiter.allows("a", 0)


def test_places_are_told_apart_by_line_and_type():
    def at(kind: type[Exception]) -> str:
        return own_report.error_location(raised(kind("varies")))

    assert at(ValueError) == at(ValueError) != at(KeyError)
    assert own_report.error_location(ValueError("never raised")).strip() == "ValueError"
    assert sys.exc_info() == (None, None, None)
