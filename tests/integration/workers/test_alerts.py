"""The jobs of the alerts process (workers/alerts.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bloop.db import connection
from workers import alerts


class Clock:
    """Stands in for `time`, and for an engine each of whose rounds takes as many seconds as it is told."""

    def __init__(self, *rounds_s: float) -> None:
        self._rounds, self._now_s, self.rests = list(rounds_s), 0.0, []

    def monotonic(self) -> float:
        return self._now_s

    def sleep(self, for_s: float) -> None:
        self.rests.append(for_s)
        self._now_s += for_s

    def evaluate_signals(self, now_ms: int) -> bool:
        self._now_s += self._rounds.pop(0)
        return bool(self._rounds)

    def send_digests(self, now_ms: int) -> None:
        pass


def test_who_works_off_a_backlog_gives_the_lock_away_for_as_long_as_it_had_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock(0.5, 2.0, 0.25)
    monkeypatch.setattr(alerts, "time", clock)
    db = connection.open_control(tmp_path / "bloop.db")

    alerts.RuleJobs(db, clock, lambda: False).run_signals()  # type: ignore[arg-type]
    db.close()

    assert clock.rests == [0.5, 2.0]
