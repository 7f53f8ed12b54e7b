"""`bloop demo`: stores a month of a small company's errors, to show the dashboard in use.

The events take the path of real ones: through a lane of the ring, stored by the writer, counted in the ledger. When
bloop is not running, the command starts a writer for itself. They are booked when they happened, in the ledger as in
every count, so that all pages agree: at the end, what the writer saw arriving now is moved to the minutes of receipt.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click

from bloop.base import clock
from bloop.base.clock import minute_of
from bloop.base.config import Settings
from bloop.base.errors import BloopError, RingError
from bloop.base.outcomes import Outcome
from bloop.cli_kit.context import as_json, change, database, print_json, with_settings_and_secret, worker_command
from bloop.db import connection
from bloop.db.engine import Db
from bloop.demo.month import PROJECTS, DemoChange, demo_changes, demo_events
from bloop.ingest.compose import accept_event, take_in
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.issues.read import IssueFilter, list_issues
from bloop.issues.status.audit import Actor
from bloop.issues.status.store import change_status
from bloop.ledger.read import totals
from bloop.ledger.store import move_received
from bloop.projects.read import get_project
from bloop.projects.store import create_project
from bloop.ring import Producer, Segment

WRITER_STARTS_WITHIN_S = 30.0
WRITER_STORES_WITHIN_S = 60.0  # without any progress, for example on a full disk
_LOOK_EVERY_S = 0.005
_PUSHES_PER_LOOK = 64  # a look asks the kernel for the lanes' owners; half a lane holds many more records than this

T = TypeVar("T")


@click.command()
@click.option("--issues", type=click.IntRange(1, 5000), default=120, show_default=True, help="Issues to create.")
@click.option(
    "--events", type=click.IntRange(1, 10_000_000), default=20_000, show_default=True, help="Events to store."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed.")
@as_json
@with_settings_and_secret
def demo(settings: Settings, issues: int, events: int, seed: int, as_json: bool) -> None:
    """Store example events, to try the dashboard.

    They go to projects of their own, which `bloop project list` shows.
    """
    if issues > events:
        raise click.BadParameter("must be at least --issues", param_hint="--events")
    with writing(settings) as segment:
        stored = Feed(settings, segment).run(clock.now_ms(), issues, events, seed)
    if as_json:
        print_json({"projects": [slug for slug, _ in PROJECTS], "events": stored})
    else:
        click.echo(f"stored {stored} events in {len(PROJECTS)} projects")


class Feed:
    """Pushes the events through one lane."""

    def __init__(self, settings: Settings, segment: Segment) -> None:
        self._settings, self._segment = settings, segment
        self._limits = Limits.of(settings.ingest)
        self._project_ids: dict[str, int] = {}

    def run(self, now_ms: int, issues: int, events: int, seed: int) -> int:
        """Push all events, with the status changes in between; return when all are stored."""
        from bloop.demo.alerts import store_alerts

        self._project_ids = change(self._settings, lambda db: _ensure_projects(db, now_ms))
        changes = deque(demo_changes(now_ms))
        started_ms, received_before = minute_of(clock.now_ms()), self._received_by_project()
        received: dict[int, Counter[int]] = defaultdict(Counter)  # project id → minute → events
        pushed = 0
        with contextlib.closing(Producer.claim(self._segment)) as lane, database(self._settings) as db:
            for slug, body, received_at_ms in _with_progress(demo_events(now_ms, issues, events, seed), events):
                while changes and changes[0].at_ms <= received_at_ms:
                    self._wait(lambda: self._waiting(lane) == 0)
                    self._apply(db, changes.popleft())
                if pushed % _PUSHES_PER_LOOK == 0:
                    self._make_room(lane)
                if self._push(lane, self._project_ids[slug], body, received_at_ms):
                    received[self._project_ids[slug]][minute_of(received_at_ms)] += 1
                pushed += 1
            self._wait(lambda: self._waiting(lane) == 0)
            self._wait(lambda: self._is_booked(received, received_before))
            with connection.immediate(db):
                for project_id, minutes in received.items():
                    move_received(db, project_id, started_ms, minutes)
            for late_change in changes:
                self._apply(db, late_change)
            with connection.immediate(db):
                store_alerts(db, self._project_ids, self._settings.auth.rp_origin, now_ms)
        return sum(minutes.total() for minutes in received.values())

    def _received_by_project(self) -> dict[int, int]:
        with database(self._settings) as db:
            return {i: totals(db, [i]).get(Outcome.RECEIVED, 0) for i in self._project_ids.values()}

    def _is_booked(self, received: Mapping[int, Counter[int]], before: Mapping[int, int]) -> bool:
        """Whether the writer has taken over everything that the lane counted."""
        now = self._received_by_project()
        return all(now[i] - before[i] >= minutes.total() for i, minutes in received.items())

    def _push(self, lane: Producer, project_id: int, body: dict[str, Any], received_at_ms: int) -> bool:
        record = accept_event(*parse_event(body, self._limits, received_at_ms))
        return take_in(lane, project_id, received_at_ms, record)

    def _make_room(self, lane: Producer) -> None:
        if self._waiting(lane) > self._segment.lane_bytes // 2:
            self._wait(lambda: self._waiting(lane) < self._segment.lane_bytes // 4)

    def _apply(self, db: Db, demo_change: DemoChange) -> None:
        text = f"{demo_change.error_type}: {demo_change.message_start}"
        page = list_issues(db, [self._project_ids[demo_change.project_slug]], IssueFilter(text=text), limit=200)
        with connection.immediate(db):
            change_status(
                db,
                [row.id for row in page.rows],
                demo_change.status,
                actor=Actor("operator", "dashboard"),
                now_ms=demo_change.at_ms,
                resolution=demo_change.resolution,
                mute=demo_change.mute,
            )

    def _waiting(self, lane: Producer) -> int:
        """Bytes in our lane that are not stored yet."""
        return self._segment.stat().lanes[lane.lane].waiting_bytes

    def _wait(self, done: Callable[[], bool]) -> None:
        _wait_until(done, WRITER_STORES_WITHIN_S, "the writer does not store; run `bloop ring stat` to see why")


@contextlib.contextmanager
def writing(settings: Settings) -> Iterator[Segment]:
    """The ring with a live writer: the running one, or one that is started here and stopped afterwards."""
    segment = _attach(settings)
    if segment is not None and segment.stat().consumer_claimed:
        with contextlib.closing(segment):
            yield segment
        return
    if segment is not None:
        segment.close()
    command = worker_command(settings, "writer", "--parent", str(os.getpid()))
    writer = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        with contextlib.closing(_attach_running(settings, writer)) as segment:
            yield segment
    finally:
        writer.terminate()
        if writer.wait() == 0:
            _remove_empty_ring(settings)


def _attach(settings: Settings) -> Segment | None:
    with contextlib.suppress(RingError):
        return Segment.attach(settings.ring_name)
    return None


def _attach_running(settings: Settings, writer: subprocess.Popen[bytes]) -> Segment:
    def attach() -> Segment | None:
        if writer.poll() is not None:
            raise BloopError("the writer did not start; its message is above")
        segment = _attach(settings)
        if segment is not None and not segment.stat().consumer_claimed:
            segment.close()
            return None
        return segment

    return _wait_until(attach, WRITER_STARTS_WITHIN_S, "the writer did not start in time")


def _remove_empty_ring(settings: Settings) -> None:
    segment = _attach(settings)
    if segment is not None:
        with contextlib.closing(segment):
            is_idle = segment.stat().waiting_bytes == 0 and not any(lane.claimed for lane in segment.stat().lanes)
        if is_idle:
            Segment.unlink(settings.ring_name)


def _ensure_projects(db: Db, now_ms: int) -> dict[str, int]:
    ids = {}
    for slug, name in PROJECTS:
        row = get_project(db, slug) or create_project(db, name=name, slug=slug, now_ms=now_ms)[0]
        ids[slug] = row.id
    return ids


def _with_progress(events: Iterator[Any], total: int) -> Iterator[Any]:
    """The events, with a progress bar on stderr if that is a terminal."""
    from rich.console import Console  # here, because only this command needs it and importing it takes 60 ms
    from rich.progress import track

    console = Console(stderr=True)
    return iter(track(events, "Storing", total=total, console=console, disable=not console.is_terminal))


def _wait_until(check: Callable[[], T | None], within_s: float, timeout_message: str) -> T:
    deadline = time.monotonic() + within_s
    while not (result := check()):
        if time.monotonic() > deadline:
            raise BloopError(timeout_message)
        time.sleep(_LOOK_EVERY_S)
    return result
