"""bloop's possible problems: what a banner says, what it means, how to fix it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.base.reasons import STOPS_SERVICE, Reason
from bloop.health.contexts import Problem
from bloop.health.model import Vitals
from bloop.issues.limits.read import LimitUsage
from bloop.site.contexts import RING_FILL_HIGH, Banner
from bloop.site.settings_nav import ALERTS, SYSTEM

RING_PRESSURE = "ring_pressure"  # not a reason of `/ready`: events are still accepted
LIMIT_NEAR = "limit_near"  # not a reason either: so far everything is counted where it belongs
USAGES_MAX = 10  # limits named on `/system`, the fullest first


class _ProblemText(NamedTuple):
    """`banner` shows on every page, `word` beside the health dot; `meaning` and `steps` on `/system`."""

    banner: str
    word: str
    meaning: str
    steps: tuple[str, ...]


_TEXTS = {
    Reason.DB_UNREACHABLE: _ProblemText(
        "The database isn't responding.",
        "Database down",
        "Pages and the API need the database. Meanwhile events wait in the buffer.",
        (
            "Check the log of the dashboard process for the error.",
            "Check that the file and its folder belong to the user bloop runs as.",
            "If the file is damaged, stop bloop and restore the newest backup.",
        ),
    ),
    Reason.DB_DAMAGED: _ProblemText(
        "The database file is damaged.",
        "Database damaged",
        "A process read a part of the file that is not what SQLite wrote. Some pages fail, and events that cannot be "
        "stored wait in the buffer.",
        (
            "Check the disk. bloop's log names the process that found the damage, the system's log often the cause.",
            "Stop bloop, and restore the newest backup with bloop restore.",
        ),
    ),
    Reason.DISK_FULL: _ProblemText(
        "The disk is full: events are queued but not being saved.",
        "Disk full",
        "bloop stops storing before the disk is full, so that nothing is damaged. Events wait in the buffer; once that "
        "is full too, they are dropped and counted.",
        (
            "Free space on the file system of the database. Storing then resumes automatically.",
            "Keep raw events for a shorter time, or move the database to a larger disk.",
            "The limit is database.disk_free_bytes_min.",
        ),
    ),
    Reason.RING_MISSING: _ProblemText(
        "The buffer is missing: no events can be received.",
        "No buffer",
        "The buffer is shared memory that the writer creates at its start.",
        (
            "Check that the writer runs. If not, its log says why.",
            "Under systemd, RemoveIPC=no keeps the buffer when a user logs out.",
        ),
    ),
    Reason.WRITER_STALE: _ProblemText(
        "Events are queued but not being saved: the writer process isn't responding.",
        "Writer stopped",
        "The writer moves events from the buffer to the database and reports every two seconds. Nothing is lost "
        "while the buffer has space.",
        (
            "Restart the writer. It continues where it stopped and stores nothing twice.",
            "If it stops again, its log says why.",
        ),
    ),
    Reason.WRITER_BUSY: _ProblemText(
        "Events are queued but not being saved: the database is locked or not writable.",
        "Database locked",
        "Another program holds the write lock, or the file cannot be written. The writer retries automatically.",
        (
            "Close tools that have the database open for writing, such as a shell with an open transaction.",
            "Check that the file system is not mounted read-only.",
        ),
    ),
    Reason.ALERTS_STALE: _ProblemText(
        "No alerts are being sent: the alerts process isn't responding.",
        "Alerts stopped",
        "It evaluates the alert rules and sends the messages. Nothing is missed: it catches up once it runs again.",
        ("Restart it. It continues where it stopped.", "If it stops again, its log says why."),
    ),
    Reason.RETENTION_STALE: _ProblemText(
        "No scheduled deletion or backup: the retention process isn't responding.",
        "Retention stopped",
        "It deletes expired data and makes the nightly backup.",
        ("Restart it. It continues where it stopped.", "If it stops again, its log says why."),
    ),
    Reason.DELIVERIES_FAILING: _ProblemText(
        "Some alerts could not be delivered.",
        "Alerts failing",
        "A receiver rejected a message, or did not accept it in ten tries.",
        (
            "Open the delivery log: each failed message shows the receiver's answer.",
            "Fix the channel, send a test from its page, then retry or dismiss the failed messages.",
        ),
    ),
    Reason.BACKUP_FAILING: _ProblemText(
        "The last backup failed.",
        "Backup failed",
        "The nightly backup is created, verified and restored into a temporary folder. One of these steps failed.",
        (
            "The storage page and the log of the retention process show the error.",
            "Most often there is no space for a second copy of the database. Set backup.directory to another disk.",
        ),
    ),
    Reason.LIMIT_MET: _ProblemText(
        "A project has reached a limit.",
        "Limit reached",
        "A project's key is public, so what it can make bloop keep is limited. Events are still stored, but new issues "
        "and names are counted under overflow. Only the bytes of a day are refused, until midnight UTC.",
        (
            "Check the ledger: it shows how many events each limit affected.",
            "If the key is abused, rotate it. Delete the issues that should not be there.",
            "If the traffic is real, raise the limit in [limits].",
        ),
    ),
    LIMIT_NEAR: _ProblemText(
        "A project is close to a limit.",
        "Limit near",
        "From 80 % of a limit on, this is shown, so that there is time to act.",
        (
            "If the traffic is real, raise the limit in [limits].",
            "If names contain ids or times, remove them in the client.",
        ),
    ),
    RING_PRESSURE: _ProblemText(
        "The buffer is filling up: events arrive faster than they are stored.",
        "Buffer filling",
        "Events wait here until they are stored, first in memory, then on disk. When both are full, new events are "
        "dropped and counted.",
        (
            "Check the ledger for the project that sends most.",
            "Limit each client with rate_limit.per_second.",
            "Short bursts need no action. For longer ones, raise ingest.spill_bytes_max.",
        ),
    ),
}
# Banners link to the page that fixes the problem, where there is one.
_BANNER_HREFS: dict[str, str] = {Reason.DELIVERIES_FAILING: f"{ALERTS.href}/deliveries?state=failed"}
MILD = frozenset({RING_PRESSURE, LIMIT_NEAR}) | {reason for reason in Reason if reason not in STOPS_SERVICE}


def list_problems(reasons: Sequence[Reason], vitals: Vitals) -> list[str]:
    """The problems, worst first: the reasons of `/ready`, and a buffer that is filling up."""
    problems: list[str] = list(reasons)
    if (vitals.ring_fill or 0.0) > RING_FILL_HIGH:
        problems.append(RING_PRESSURE)
    if any(not usage.is_met for usage in vitals.limits):
        problems.append(LIMIT_NEAR)
    return problems


def make_banners(problems: Sequence[str], vitals: Vitals) -> tuple[Banner, ...]:
    return tuple(
        Banner(
            banner_text(name, vitals),
            _BANNER_HREFS.get(name, f"{SYSTEM.href}#{name}"),
            name not in MILD,
            _TEXTS[name].word,
        )
        for name in problems
    )


def banner_text(name: str, vitals: Vitals) -> str:
    usages = _usages_of(name, vitals)
    if not usages:
        return _TEXTS[name].banner
    verb = "has reached" if name == Reason.LIMIT_MET else "is close to"
    more = f" and {len(usages) - 1} more" if len(usages) > 1 else ""
    return f"{usages[0].project_name} {verb} a limit: {_describe(usages[0])}{more}."


def _usages_of(name: str, vitals: Vitals) -> list[LimitUsage]:
    """The limits that a condition is about."""
    if name not in (Reason.LIMIT_MET, LIMIT_NEAR):
        return []
    return [usage for usage in vitals.limits if usage.is_met == (name == Reason.LIMIT_MET)]


def _describe(usage: LimitUsage) -> str:
    """`8,412 of 10,000 releases`."""
    return f"{usage.used:,} of {usage.allowed:,} {usage.limit.words}"


def make_problem(name: str, vitals: Vitals) -> Problem:
    """An existing problem as `/system` shows it."""
    text = _TEXTS[name]
    return Problem(
        anchor=str(name),
        title=text.banner,
        meaning=text.meaning,
        facts=tuple(
            f"{usage.project_name}: {_describe(usage)} (limits.{usage.limit.key})"
            for usage in _usages_of(name, vitals)[:USAGES_MAX]
        ),
        steps=text.steps,
        is_severe=name not in MILD,
    )
