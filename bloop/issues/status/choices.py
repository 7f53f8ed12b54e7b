"""The action a user chose for an issue: the optional fields of a JSON body or of a form, checked.

    resolve   nothing (as of now), `in_release`, or `in_next_release`
    mute      nothing (for ever), `until`, `for_secs`, `events`, or `per_hour`

Fields of another action, and unknown ones, are ignored: clients that send none of these, or
something else, get what they always got.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bloop.base.errors import InvalidEvent, InvalidParameter
from bloop.base.timestamps import to_ms
from bloop.ingest.limits import RELEASE_BYTES_MAX, check_bytes
from bloop.issues.status.model import SETTABLE, Status
from bloop.issues.status.mutes import EVENTS_MAX, FOR_MS_MAX, FOREVER, Mute
from bloop.issues.status.regression import NOW, Resolution

_RESOLVE = ("in_release", "in_next_release")
_MUTE = ("until", "for_secs", "events", "per_hour")
_NUMBERS = ("for_secs", "events", "per_hour")
# What a single button stands for, by the value it posts.
_HOW: dict[tuple[Status, str], Mapping[str, Any]] = {
    (Status.RESOLVED, "next"): {"in_next_release": True},
    (Status.MUTED, "1h"): {"for_secs": 3600},
    (Status.MUTED, "1d"): {"for_secs": 86_400},
    (Status.MUTED, "1w"): {"for_secs": 604_800},
}


class StatusChoice(NamedTuple):
    """A status, and how exactly."""

    status: Status
    resolution: Resolution = NOW
    mute: Mute = FOREVER


def status_of(text: str) -> Status:
    """The status of that name.

    Raises:
        InvalidParameter: there is none that people set.
    """
    if text not in SETTABLE:
        raise InvalidParameter("status", f"must be one of {', '.join(SETTABLE)}")
    return Status(text)


def choice_of(status: Status, body: Mapping[str, Any], now_ms: int) -> StatusChoice:
    """The choice that a JSON body describes; null counts as absent.

    Raises:
        InvalidParameter: names the field that cannot be understood, or that is one too many.
    """
    if status is Status.RESOLVED:
        return StatusChoice(status, resolution=_resolution(body))
    return StatusChoice(status, mute=_mute(body, now_ms)) if status is Status.MUTED else StatusChoice(status)


def choice_in_form(form: Mapping[str, str], now_ms: int) -> StatusChoice:
    """The same from a form. `status` may say how (`resolved.next`, `muted.1d`), so that a button says it all; in the
    other fields everything is text, empty counts as absent, and times are UTC.

    Raises:
        InvalidParameter: as `choice_of`.
    """
    name, _, how = form.get("status", "").partition(".")
    if how:
        status = status_of(name)
        return choice_of(status, _how(status, how), now_ms)
    body: dict[str, Any] = {name: form[name] for name in (*_RESOLVE, *_MUTE) if form.get(name, "").strip()}
    body |= {name: _whole_number(name, body[name]) for name in _NUMBERS if name in body}
    if "until" in body:
        body["until"] = _instant_ms(body["until"])
    return choice_of(status_of(name), body, now_ms)


def _how(status: Status, how: str) -> Mapping[str, Any]:
    try:
        return _HOW[status, how]
    except KeyError:
        raise InvalidParameter("status", f"{status} cannot be {how}") from None


def _resolution(body: Mapping[str, Any]) -> Resolution:
    field = _single_field(body, _RESOLVE)
    if field is None:
        return NOW
    value = body[field]
    if field == "in_next_release":
        if not isinstance(value, bool):
            raise InvalidParameter(field, "must be true or false")
        return Resolution(is_next=True) if value else NOW
    if not isinstance(value, str) or not value.strip():
        raise InvalidParameter(field, "must name a release")
    try:
        check_bytes(field, value.strip(), RELEASE_BYTES_MAX)
    except InvalidEvent:
        raise InvalidParameter(field, f"must be at most {RELEASE_BYTES_MAX} bytes") from None
    return Resolution(value.strip())


def _mute(body: Mapping[str, Any], now_ms: int) -> Mute:
    field = _single_field(body, _MUTE)
    if field is None:
        return FOREVER
    if field == "for_secs":
        return Mute(until_ms=now_ms + 1000 * _bounded(body, field, FOR_MS_MAX // 1000))
    if field == "events":
        return Mute(events=_bounded(body, field, EVENTS_MAX))
    if field == "per_hour":
        return Mute(per_hour=_bounded(body, field, EVENTS_MAX))
    value = body[field]
    if type(value) is not int:
        raise InvalidParameter(field, "must be a Unix time")
    until_ms = to_ms(value)
    if not now_ms < until_ms <= now_ms + FOR_MS_MAX:
        raise InvalidParameter(field, "must be in the future, within ten years")
    return Mute(until_ms=until_ms)


def _single_field(body: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The field that is there; at most one of them may be."""
    given = [name for name in names if body.get(name) is not None]
    if len(given) > 1:
        raise InvalidParameter(given[1], f"cannot be said together with {given[0]}")
    return given[0] if given else None


def _bounded(body: Mapping[str, Any], name: str, high: int) -> int:
    value = body[name]
    if type(value) is not int or not 1 <= value <= high:  # bool is an int
        raise InvalidParameter(name, f"must be a whole number from 1 to {high}")
    return value


def _whole_number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:  # also for more digits than Python reads
        raise InvalidParameter(name, "must be a whole number") from None


def _instant_ms(text: str) -> int:
    """`2026-01-18T12:00`, as a browser's field of date and time sends it, taken for UTC."""
    try:
        at = datetime.fromisoformat(text.strip())
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidParameter("until", "must be a date and time such as 2026-01-18T12:00, UTC") from None
