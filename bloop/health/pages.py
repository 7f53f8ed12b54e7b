"""What can ail bloop: in one line on every page, and on `/system` with what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.base.reasons import STOPS_SERVICE, Reason
from bloop.health.contexts import Condition, SystemPage
from bloop.health.model import Vitals
from bloop.site.contexts import RING_FILL_HIGH, Banner, Shell
from bloop.site.settings_nav import ALERTS

SYSTEM_PATH = "/system"
RING_PRESSURE = "ring_pressure"  # no reason of `/ready`: everything is still taken in


class _Words(NamedTuple):
    """`banner` is said while it is wrong, `meaning` and `steps` always stand on the page."""

    banner: str
    title: str
    meaning: str
    steps: tuple[str, ...]


_WORDS = {
    Reason.DB_UNREACHABLE: _Words(
        "The database does not answer.",
        "The database answers",
        "Pages and the API need it. Events that arrive meanwhile wait in the buffer.",
        (
            "Look at the log of the dashboard process: it names the error.",
            "Check that the file and its folder belong to the user bloop runs as.",
            "A damaged file is best replaced by the newest backup while bloop is stopped.",
        ),
    ),
    Reason.DISK_FULL: _Words(
        "The disk is full: events wait in the buffer and are not stored.",
        "There is room on the disk",
        "bloop stops storing before the disk is full, so that nothing is damaged. Events wait in the buffer; when that "
        "is full too, they are refused and counted.",
        (
            "Make room on the file system of the database; storing goes on by itself.",
            "Keep raw events for a shorter time, or move the database to a larger disk.",
            "The limit is database.disk_free_bytes_min.",
        ),
    ),
    Reason.RING_MISSING: _Words(
        "The buffer is not there: nothing can be received.",
        "The buffer is there",
        "It is shared memory that the writer makes at its start.",
        (
            "Check that the writer runs; its log says why it does not.",
            "Under systemd, RemoveIPC=no keeps the buffer when a user logs out.",
        ),
    ),
    Reason.WRITER_STALE: _Words(
        "The writer does not answer: events wait in the buffer.",
        "The writer is alive",
        "The writer moves events from the buffer to the database and says it lives every two seconds. Nothing is lost "
        "while there is room in the buffer.",
        (
            "Restart the writer: it goes on where it stopped, without storing anything twice.",
            "If it stops again, its log says why.",
        ),
    ),
    Reason.WRITER_BUSY: _Words(
        "The writer cannot get at the database: events wait in the buffer.",
        "The database is free for the writer",
        "Another program holds the write lock, or the file cannot be written. The writer tries again by itself.",
        (
            "Close tools that have the database open for writing, such as a shell with an open transaction.",
            "Check that the file system is not mounted read-only.",
        ),
    ),
    Reason.ALERTS_STALE: _Words(
        "The alerts process does not answer: nobody is told about new issues.",
        "The alerts process is alive",
        "It reads what the writer notes, decides which rules fire and sends the messages. What happens meanwhile is "
        "noted, and is looked at when it is back.",
        ("Restart it: it goes on where it stopped.", "If it stops again, its log says why."),
    ),
    Reason.RETENTION_STALE: _Words(
        "The retention process does not answer: nothing is deleted on schedule and no backup is made.",
        "The retention process is alive",
        "It deletes what is older than you keep and makes the nightly backup.",
        ("Restart it: it goes on where it stopped.", "If it stops again, its log says why."),
    ),
    Reason.DELIVERIES_FAILING: _Words(
        "Some alerts could not be delivered.",
        "Alerts are delivered",
        "A receiver refused a message for good, or did not take it in ten tries.",
        (
            "Open the delivery log: every failed message names the receiver's answer.",
            "Correct the channel, send a test from its page, then retry the failed messages or dismiss them.",
        ),
    ),
    Reason.BACKUP_FAILING: _Words(
        "The last backup did not succeed.",
        "Backups succeed",
        "The nightly backup is made, checked and restored into a temporary folder. The last one did not get that far.",
        (
            "The storage page and the log of the retention process say what went wrong.",
            "Most often there is no room for a second copy of the database: point backup.directory to another disk.",
        ),
    ),
    RING_PRESSURE: _Words(
        "The buffer is filling up: events arrive faster than they are stored.",
        "The buffer has room",
        "Events wait here until they are stored, in memory and then on disk. When both are full, new ones are answered "
        "with “dropped” and counted.",
        (
            "See in the ledger which project sends so much.",
            "Lower what one client may send with rate_limit.per_second.",
            "A burst needs no action, what waits is stored by itself; for longer ones raise ingest.spill_bytes_max.",
        ),
    ),
}
# A banner leads to what can be done at once, where there is a page for that.
_SEEN_TO_AT: dict[str, str] = {Reason.DELIVERIES_FAILING: f"{ALERTS.href}/deliveries?state=failed"}
_MILD = frozenset({RING_PRESSURE}) | {reason for reason in Reason if reason not in STOPS_SERVICE}


def wrong(reasons: Sequence[Reason], vitals: Vitals) -> list[str]:
    """What is wrong, worst first: the reasons `/ready` gives, and a buffer that fills up."""
    found: list[str] = list(reasons)
    if (vitals.ring_fill or 0.0) > RING_FILL_HIGH:
        found.append(RING_PRESSURE)
    return found


def banners(wrong: Sequence[str]) -> tuple[Banner, ...]:
    return tuple(
        Banner(_WORDS[name].banner, _SEEN_TO_AT.get(name, f"{SYSTEM_PATH}#{name}"), name not in _MILD) for name in wrong
    )


def system_page(shell: Shell, wrong: Sequence[str]) -> SystemPage:
    """What is wrong comes first."""
    ordered = [*wrong, *(name for name in _WORDS if name not in wrong)]
    return SystemPage(
        shell=shell,
        is_well=not wrong,
        conditions=tuple(
            Condition(
                anchor=str(name),
                title=_WORDS[name].banner if name in wrong else _WORDS[name].title,
                is_wrong=name in wrong,
                meaning=_WORDS[name].meaning,
                steps=_WORDS[name].steps,
            )
            for name in ordered
        ),
    )
