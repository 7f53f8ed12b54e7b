"""Accounts that do not agree are said, and what happened in which second is drawn where it belongs."""

from __future__ import annotations

import dataclasses
from array import array

import pytest

from bloop.bench.charts import duration, nice_top, plot
from bloop.bench.load import AnswerTimes, LoadResult
from bloop.bench.rendering import Target
from bloop.bench.report import as_html, as_json
from bloop.bench.results import Accounts, Findings, LoadStep, Second, reconcile
from bloop.bench.sampling import LoadSample, difference
from bloop.bench.schedule import Load
from bloop.bench.timeline import timeline

LEDGER = {"received": 10, "stored": 8, "ring_full": 2}
ACCOUNTS = Accounts(sent=10, accepted=8, dropped=2, invalid=0, refused_requests=0, ledger=LEDGER)
LATENCY = {"count": 2, "p50": 1.0, "p95": 2.0, "p99": 2.0, "max": 2.0}


def test_accounts_that_agree_have_no_breach() -> None:
    assert reconcile(dataclasses.replace(ACCOUNTS, breaches=[]), alone=True).breaches == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"accepted": 7}, ["10 events were sent, 9 were answered", "7 events were accepted, the ledger says that 8"]),
        ({"ledger": LEDGER | {"stored": 7}}, ["8 events were accepted, the ledger says that 7", "does not balance"]),
        ({"ledger": LEDGER | {"received": 11}}, ["does not balance: 11 received, 10 accounted for"]),
    ],
)
def test_each_disagreement_is_a_breach(changed: dict[str, object], said: list[str]) -> None:
    found = reconcile(dataclasses.replace(ACCOUNTS, breaches=[], **changed), alone=True).breaches  # type: ignore[arg-type]

    assert len(found) == len(said)
    for line, part in zip(found, said, strict=True):
        assert part in line


def test_where_others_send_too_more_may_be_stored_and_less_may_not() -> None:
    more, less = LEDGER | {"stored": 20}, LEDGER | {"stored": 7}

    assert reconcile(dataclasses.replace(ACCOUNTS, breaches=[], ledger=more), alone=False).breaches == []
    assert reconcile(dataclasses.replace(ACCOUNTS, breaches=[], ledger=less), alone=False).breaches


def test_a_timeline_has_every_event_once_in_the_second_it_was_due_answered_and_stored() -> None:
    load = Load(Target(1, "s"), "t", requests=4, rate=2.0, batch=5)
    answers = AnswerTimes([(0, 100.5), (5, 101.0), (10, 101.5), (15, 104.2)])
    result = LoadResult(20, 20, 0, 0, {}, 4, 4.2, array("d", [0.5, 0.4, 0.2, 2.7]), answers, 0.1, 100.0, False)
    samples = [
        LoadSample(101.5, 10, 4, {"writer": 40.0}, {"writer": 0.5}),
        LoadSample(104.5, 20, 0, {"writer": 41.0}, {}),
    ]

    found = timeline(99.0, [(load, result)], samples)

    assert [(s.at_s, s.offered, s.answered, s.stored) for s in found] == [
        (1.0, 10, 5, None),
        (2.0, 10, 10, 10),
        (5.0, 0, 5, 10),
    ]
    assert (found[2].p50_ms, found[1].waiting, found[1].cores) == (2700.0, 4, {"writer": 0.5})


def test_a_line_breaks_where_nothing_was_measured() -> None:
    seconds = [Second(0, 10), Second(1, 20, p99_ms=3.0), Second(2, 40), Second(3, 0, p99_ms=6.0)]

    drawn = plot("t", "u", seconds, {"offered": lambda s: s.offered, "p99": lambda s: s.p99_ms})

    assert drawn is not None
    assert (drawn.top, [line.peak for line in drawn.lines]) == (40, [40, 6.0])
    assert drawn.lines[0].path == "M0.0 75.0L333.3 50.0L666.7 0.0L1000.0 100.0"
    assert drawn.lines[1].path.count("M") == 2
    assert plot("t", "u", seconds[:1], {"offered": lambda s: s.offered}) is None
    assert plot("t", "u", seconds, {"stored": lambda s: s.stored}) is None


def test_scales_and_durations_are_round() -> None:
    assert [nice_top(v) for v in (0, 0.07, 0.9, 1, 7, 8.1, 640)] == [1.0, 0.08, 1.0, 1, 8, 10, 800]
    assert [duration(s) for s in (0, 7.4, 90, 3600, 7500)] == ["0 s", "7 s", "1:30 min", "1:00 h", "2:05 h"]


def test_the_difference_of_two_ledgers_leaves_out_what_did_not_change() -> None:
    assert difference({"stored": 3, "invalid": 1}, {"stored": 5, "invalid": 1, "ring_full": 2}) == {
        "stored": 2,
        "ring_full": 2,
    }
    assert difference(None, {}) is None


def test_a_report_says_what_is_wrong_and_needs_nothing_from_elsewhere() -> None:
    options = {"profile": "steady", "rate": 1.0, "seconds": 2.0, "batch": 1, "body": "typical", "connections": 2}
    found = Findings({"cpu": "<fast>"}, options | {"readers": 0}, timeline=[Second(0, 1, 1), Second(1, 1, 1)])
    found.steps.append(LoadStep(1.0, 1, 0.0, 2.0, 2, 2, 0, 0, {}, LATENCY, 0.1))  # type: ignore[arg-type]
    found.accounts = dataclasses.replace(ACCOUNTS, breaches=["one is <missing>"])

    page = as_html(found, made_at="today")

    assert not found.passed
    assert "one is &lt;missing&gt;" in page
    assert "&lt;fast&gt;" in page
    assert "Every event that was accepted is stored" not in page
    for elsewhere in ("http://", "https://", "<script", "<link", "url(", "src="):
        assert elsewhere not in page
    assert b'"passed": false' in as_json(found)
