"""Firings to messages: reads what a message says of issues and projects, and has it worded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bloop.alerts.firing import read as alerts
from bloop.alerts.firing import windows as minutes
from bloop.alerts.firing import wording
from bloop.alerts.firing.decide import Firing
from bloop.alerts.firing.read import Happened, HeldFiring, Subject
from bloop.alerts.message import AlertMessage, from_json
from bloop.alerts.rules.model import Rule, Spike, Threshold
from bloop.base.clock import MINUTE_MS
from bloop.db.engine import Db


class Composer:
    """`origin` is where the pages are, as people's browsers reach them."""

    def __init__(self, db: Db, origin: str) -> None:
        self._db, self._origin = db, origin.rstrip("/")

    def of_signals(
        self, rule: Rule, firings: Sequence[Firing], happened: Mapping[int, Happened]
    ) -> list[tuple[Firing, AlertMessage]]:
        """In order; `happened` by signal id. An issue that vanished in this moment is left out."""
        subjects = self.subjects([firing.issue_id for firing in firings if firing.issue_id is not None])
        return [
            (
                firing,
                wording.of_signal(
                    rule, subject, happened[firing.signal_id or 0], now_ms=firing.at_ms, origin=self._origin
                ),
            )
            for firing in firings
            if (subject := subjects.get(firing.issue_id or 0)) is not None
        ]

    def of_count(self, rule: Rule, firing: Firing, now_ms: int) -> AlertMessage:
        """With the issues that most of the events are of. It is about the end of its minute, or now."""
        config, scope = rule.config, rule.scope
        assert isinstance(config, Threshold | Spike)
        assert scope is not None, "a rule that contradicts itself never fires"
        first_ms = firing.at_ms - (config.minutes - 1) * MINUTE_MS
        parts = minutes.parts(self._db, scope._replace(project_id=firing.project_id), first_ms, firing.at_ms)
        subjects = self.subjects([part.issue_id for part in parts[: wording.PARTS_MAX]])
        named = [(subjects[part.issue_id], part.event_count) for part in parts if part.issue_id in subjects]
        project = alerts.project(self._db, firing.project_id)
        at_ms = min(now_ms, firing.at_ms + MINUTE_MS)
        return wording.of_count(rule, firing, project, named, len(parts), now_ms=at_ms, origin=self._origin)

    def digest(self, held: Sequence[HeldFiring], count: int, *, is_one_project: bool, now_ms: int) -> AlertMessage:
        messages = [(from_json(firing.message), firing.event_count) for firing in held]
        return wording.digest(messages, count, is_one_project=is_one_project, now_ms=now_ms, origin=self._origin)

    def subjects(self, issue_ids: Sequence[int]) -> dict[int, Subject]:
        return alerts.subjects(self._db, sorted(set(issue_ids)))
