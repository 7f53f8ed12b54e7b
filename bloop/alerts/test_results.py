"""The test that a page was redirected to: `?test=` names its firing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import falcon

from bloop.alerts.contexts import TestLine, TestResult
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState, deliveries_of
from bloop.alerts.rules.access import ID_MAX
from bloop.alerts.rules.words import channel_label, describe_answer
from bloop.db.engine import Db
from bloop.site import params


def read_test(db: Db, req: falcon.Request, belongs: Callable[[DeliveryRow], bool], path: str) -> TestResult | None:
    """The test in the URL, if `belongs` says that it is the page's; `path` is the page's."""
    firing_id = params.integer(req, "test", 0, low=0, high=ID_MAX)
    rows = [row for row in deliveries_of(db, firing_id) if row.is_test and belongs(row)]
    return make_test_result(rows, path) if rows else None


def make_test_result(rows: Sequence[DeliveryRow], path: str) -> TestResult:
    """Pure."""
    return TestResult(
        at_ms=rows[0].created_at_ms,
        lines=tuple(
            TestLine(
                label=channel_label(row.channel_type, row.target),
                is_sent=row.state is DeliveryState.SENT,
                took="" if row.last_duration_ms is None else took(row.last_duration_ms),
                detail=describe_answer(row.last_error, row.last_status),
                answer=row.last_answer or "",
            )
            for row in rows
        ),
        is_waiting=any(not row.attempts for row in rows),
        href=f"{path}?test={rows[0].firing_id}#test",
    )


def took(duration_ms: int) -> str:
    """`412 ms`, `1.4 s`."""
    return f"{duration_ms:,} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"
