"""Turns firings into messages: reads the issues and projects and calls `wording`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bloop.alerts.firing import read as alerts
from bloop.alerts.firing import windows as minutes
from bloop.alerts.firing import wording
from bloop.alerts.firing.decide import Firing
from bloop.alerts.firing.read import AlertIssue, HeldFiring, IssueSignal
from bloop.alerts.message import AlertMessage, from_json
from bloop.alerts.rules.model import Rule, Spike, Threshold
from bloop.base.clock import MINUTE_MS
from bloop.db.engine import Db


class Composer:
    """`origin` is the public URL of the pages."""

    def __init__(self, db: Db, origin: str) -> None:
        self._db, self._origin = db, origin.rstrip("/")

    def of_signals(
        self, rule: Rule, firings: Sequence[Firing], signals: Mapping[int, IssueSignal]
    ) -> list[tuple[Firing, AlertMessage]]:
        """In order; `signals` by id. Issues deleted meanwhile are left out."""
        issues = self._get_issues([firing.issue_id for firing in firings if firing.issue_id is not None])
        return [
            (
                firing,
                wording.of_signal(
                    rule, issue, signals[firing.signal_id or 0], now_ms=firing.at_ms, origin=self._origin
                ),
            )
            for firing in firings
            if (issue := issues.get(firing.issue_id or 0)) is not None
        ]

    def of_count(self, rule: Rule, firing: Firing, now_ms: int) -> AlertMessage:
        """Names the issues with most of the events. Its time is the end of its minute, or now."""
        config, scope = rule.config, rule.scope
        assert isinstance(config, Threshold | Spike)
        assert scope is not None, "a rule with contradictory filters never fires"
        first_ms = firing.at_ms - (config.minutes - 1) * MINUTE_MS
        shares = minutes.shares(self._db, scope._replace(project_id=firing.project_id), first_ms, firing.at_ms)
        issues = self._get_issues([share.issue_id for share in shares[: wording.SHARES_MAX]])
        named = [(issues[share.issue_id], share.event_count) for share in shares if share.issue_id in issues]
        project = alerts.get_project_facts(self._db, firing.project_id)
        at_ms = min(now_ms, firing.at_ms + MINUTE_MS)
        return wording.of_count(rule, firing, project, named, len(shares), now_ms=at_ms, origin=self._origin)

    def digest(self, held: Sequence[HeldFiring], count: int, *, is_one_project: bool, now_ms: int) -> AlertMessage:
        messages = [(from_json(firing.message), firing.event_count) for firing in held]
        return wording.digest(messages, count, is_one_project=is_one_project, now_ms=now_ms, origin=self._origin)

    def _get_issues(self, issue_ids: Sequence[int]) -> dict[int, AlertIssue]:
        return alerts.get_alert_issues(self._db, sorted(set(issue_ids)))
