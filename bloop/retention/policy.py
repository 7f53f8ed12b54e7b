"""The retention policy and its cut-off times. Pure, except for reading the saved policy.

POLICY-1  The age of events and counts is measured from their *receipt*: a client's clock decides nothing.
POLICY-2  Cut-offs come from one reading of the clock. If the clock goes back, less is old, never more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bloop.base.clock import DAY_MS, hour_of
from bloop.base.config import Retention
from bloop.db.engine import Db
from bloop.db.tables import Keep
from bloop.retention import read as retention

DAYS_MIN, DAYS_MAX = 1, 3650
LEDGER_DAYS = 31  # page and API look back thirty
MINUTES_DAYS = 9  # a preview of an alert rule: seven days, its window and the one before it
SIGNALS_DAYS = 8  # a preview of an alert rule looks back seven; streams resume within hours
FIRINGS_DAYS = 90
UNDOS_DAYS = 7


@dataclass(frozen=True, slots=True)
class Policy:
    raw_events_days: int
    hourly_counts_days: int
    overrides: Mapping[int, int]  # project → days of its raw events
    revision: int  # of the saved policy: a change means to start over
    issues_days: int = 0  # 0: issues stay
    issue_overrides: Mapping[int, int] = field(default_factory=dict)  # project → days of its issues, 0: they stay

    def events_before_ms(self, project_id: int, now_ms: int) -> int:
        """Events of this project received earlier are old."""
        return now_ms - self.overrides.get(project_id, self.raw_events_days) * DAY_MS

    def issues_before_ms(self, project_ids: Iterable[int], now_ms: int) -> dict[int, int]:
        """Project → the time before which its issues were last seen too long ago; projects whose issues stay are left
        out."""
        days_of = {project_id: self.issue_overrides.get(project_id, self.issues_days) for project_id in project_ids}
        return {project_id: now_ms - days * DAY_MS for project_id, days in days_of.items() if days}

    def cutoffs(self, now_ms: int) -> Cutoffs:
        return Cutoffs(
            {
                Keep.SAMPLES: now_ms - self.raw_events_days * DAY_MS,
                Keep.HOURS: hour_of(now_ms - self.hourly_counts_days * DAY_MS),  # old when all of the hour is
                Keep.LEDGER: now_ms - LEDGER_DAYS * DAY_MS,
                Keep.MINUTES: now_ms - MINUTES_DAYS * DAY_MS,
                Keep.SIGNALS: now_ms - SIGNALS_DAYS * DAY_MS,
                Keep.FIRINGS: now_ms - FIRINGS_DAYS * DAY_MS,
                Keep.UNDOS: now_ms - UNDOS_DAYS * DAY_MS,
            }
        )


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """The times before which data is old."""

    before_ms: Mapping[Keep, int]

    def of(self, keep: Keep) -> int:
        return self.before_ms[keep]


def load_policy(db: Db, defaults: Retention) -> Policy:
    """What is in force: what people have set, and the settings file where they have not."""
    row, own_days = retention.policy_row(db), retention.overrides(db)
    return Policy(
        raw_events_days=row.raw_events_days or defaults.raw_events_days,
        hourly_counts_days=row.hourly_counts_days or defaults.hourly_counts_days,
        issues_days=defaults.issues_days if row.issues_days is None else row.issues_days,
        overrides={own.project_id: own.raw_events_days for own in own_days if own.raw_events_days is not None},
        issue_overrides={own.project_id: own.issues_days for own in own_days if own.issues_days is not None},
        revision=row.revision,
    )
