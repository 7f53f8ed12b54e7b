"""Dictionaries made of an installation's own events (bloop/issues/events/train_dictionary.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop.base.clock import DAY_MS
from bloop.issues.events import train_dictionary as train
from bloop.issues.events.read import list_events
from bloop.pipeline import dictionaries
from tests.seed import NOW_MS, Seed

# Nothing the shipped dictionary has seen, and the same in every event.
STACK = "".join(f"    at step{n} (/opt/zyx/wvut/qponml{n * 7919}.js:{n}:1)\n" for n in range(30))


@pytest.fixture
def seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    monkeypatch.setattr(train, "EVENTS_MIN", 100)
    monkeypatch.setattr(train, "SAMPLE_EVENTS", 200)
    yield made
    made.close()


def add_events(seed: Seed, count: int, stack: str) -> int:
    issue = seed.issue(seed.project("shop"), "f00d")
    for n in range(count):
        seed.event(issue, stack=stack, message=f"secret-{n}", metadata=f'{{"card":"secret-{n}"}}')
    return issue


def test_a_dictionary_that_packs_better_is_kept_and_packed_with_from_then_on(seed: Seed) -> None:
    issue = add_events(seed, 300, STACK)

    made = train.train_if_due(seed.db, NOW_MS)

    assert made is not None
    assert b"qponml" in made.content
    assert b"secret" not in made.content
    assert dictionaries.newest_id(seed.db) == made.id
    assert [row.origin for row in dictionaries.rows(seed.db)].count("trained") == 1
    assert list_events(seed.db, [issue], limit=1).rows[0].stack == STACK, "what was packed before is still read"


def test_one_that_is_hardly_better_is_not_kept(seed: Seed) -> None:
    add_events(seed, 300, "    at next (/app/node_modules/express/lib/router/route.js:144:13)\n")

    assert train.train_if_due(seed.db, NOW_MS) is None
    assert len(dictionaries.rows(seed.db)) == 1


def test_there_is_at_most_one_a_week_and_never_more_than_a_few(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    add_events(seed, 300, STACK)
    assert train.train_if_due(seed.db, NOW_MS) is not None

    assert train.train_if_due(seed.db, NOW_MS + train.TRAIN_EVERY_MS - 1) is None
    monkeypatch.setattr(train, "GAIN_MIN", -1.0)
    monkeypatch.setattr(train, "TRAINED_MAX", 1)
    assert train.train_if_due(seed.db, NOW_MS + 100 * DAY_MS) is None


def test_few_events_make_none(seed: Seed) -> None:
    add_events(seed, 20, STACK)

    assert train.train_if_due(seed.db, NOW_MS) is None
