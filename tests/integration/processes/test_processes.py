from __future__ import annotations

import apsw
import pytest

from bloop.base.reasons import Reason
from bloop.processes.read import STALE_MS, ProcessState, process_states, troubles
from bloop.processes.store import store_heartbeat
from tests.seed import Seed

NOW_MS = 1_800_000_000_000


def test_the_last_word_of_each_process_is_kept(seed: Seed, db: apsw.Connection) -> None:
    store_heartbeat(seed.db, "alerts", started_at_ms=1, now_ms=2, troubles=[Reason.DELIVERIES_FAILING])
    store_heartbeat(seed.db, "alerts", started_at_ms=1, now_ms=3, troubles=[])
    store_heartbeat(
        seed.db, "retention", started_at_ms=1, now_ms=2, troubles=[Reason.BACKUP_FAILING, Reason.BACKUP_FAILING]
    )

    assert process_states(db) == [
        ProcessState("alerts", 1, 3, ()),
        ProcessState("retention", 1, 2, (Reason.BACKUP_FAILING,)),
    ]


def test_codes_of_a_newer_bloop_are_passed_over(seed: Seed, db: apsw.Connection) -> None:
    store_heartbeat(seed.db, "alerts", started_at_ms=1, now_ms=2, troubles=["from_the_future"])  # type: ignore[list-item]

    assert process_states(db) == [ProcessState("alerts", 1, 2, ())]


@pytest.mark.parametrize(
    ("silent_ms", "expected"),
    [(0, [Reason.BACKUP_FAILING]), (STALE_MS, [Reason.BACKUP_FAILING]), (STALE_MS + 1, [Reason.RETENTION_STALE])],
)
def test_silence_is_the_trouble_of_a_silent_process(silent_ms: int, expected: list[Reason]) -> None:
    state = ProcessState("retention", 0, NOW_MS - silent_ms, (Reason.BACKUP_FAILING,))

    assert troubles([state], NOW_MS) == expected
