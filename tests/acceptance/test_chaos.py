"""A short `make chaos`: faults other than kills (test_kills.py has those), one after the other and together."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.acceptance.test_kills import SEED, say
from tests.chaos.faults import FAULTS
from tests.chaos.trial import SHORT, Trial

ONE_BY_ONE = (
    "stop ingest-worker",
    "disk full",
    "database locked",
    "clock jumps",
    "idle connections",
    "half-open connections",
    "slow clients",
    "damaged payload",
    "damaged size",
    "sockets deleted",
)
TOGETHER = (
    ("stop writer", "idle connections", "kill ingest-worker"),
    ("clock jumps", "database locked", "kill supervisor"),
)

pytestmark = pytest.mark.faults


def test_no_fault_costs_an_event_that_was_accepted(tmp_path: Path) -> None:
    one_by_one = [(FAULTS[name],) for name in random.Random(SEED).sample(ONE_BY_ONE, len(ONE_BY_ONE))]
    together = [tuple(FAULTS[name] for name in names) for names in TOGETHER]

    findings = list(Trial([*one_by_one, *together], SEED, SHORT).run(tmp_path / "world"))

    for finding in findings:
        say(f"{finding.faults}: {finding.recovered_s} s, {finding.breaches or 'passed'}")
    assert [finding.faults for finding in findings if not finding.passed] == [], f"seed {SEED}"
    assert len(findings) == len(one_by_one) + len(together) + 1
    assert findings[-1].accepted > 500, "too little load to mean anything"
    assert findings[-1].damaged > 1


def test_an_alert_is_sent_when_its_receiver_is_back(tmp_path: Path) -> None:
    step, end = Trial([(FAULTS["receiver down"],)], SEED, SHORT).run(tmp_path / "world")

    assert (step.breaches, end.breaches) == ([], [])
