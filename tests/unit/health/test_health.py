from __future__ import annotations

import pytest

from bloop.base.reasons import Reason
from bloop.health.model import WRITER_STALE_MS, Vitals, list_reasons

NOW_MS = 1_800_000_000_000
WELL = Vitals(db_ok=True, disk_free_bytes=1000, ring_fill=0.1, writer_seen_ms=NOW_MS)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"db_ok": False}, [Reason.DB_UNREACHABLE]),
        ({"disk_free_bytes": 499}, [Reason.DISK_FULL]),
        ({"disk_free_bytes": 500}, []),
        ({"disk_free_bytes": None}, []),
        ({"writer_disk_full": True}, [Reason.DISK_FULL]),
        ({"writer_busy": True}, [Reason.WRITER_BUSY]),
        ({"writer_seen_ms": NOW_MS - WRITER_STALE_MS}, []),
        ({"writer_seen_ms": NOW_MS - WRITER_STALE_MS - 1}, [Reason.WRITER_STALE]),
        ({"writer_seen_ms": 0}, [Reason.WRITER_STALE]),
        ({"ring_fill": None, "writer_seen_ms": None}, [Reason.RING_MISSING]),
        ({"db_ok": False, "disk_free_bytes": 0}, [Reason.DB_UNREACHABLE, Reason.DISK_FULL]),
    ],
)
def test_each_ailment_has_its_reason(change: dict[str, object], expected: list[Reason]) -> None:
    assert list_reasons(WELL._replace(**change), now_ms=NOW_MS, disk_free_bytes_min=500) == expected  # type: ignore[arg-type]


def test_what_the_background_says_comes_after_what_stops_the_service() -> None:
    sick = WELL._replace(background=(Reason.BACKUP_FAILING, Reason.ALERTS_STALE), writer_busy=True)

    assert list_reasons(sick, now_ms=NOW_MS, disk_free_bytes_min=0) == [
        Reason.WRITER_BUSY,
        Reason.ALERTS_STALE,
        Reason.BACKUP_FAILING,
    ]
