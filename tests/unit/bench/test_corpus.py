"""Synthetic events: distinct, realistic in size, and of exactly as many issues as asked for."""

from __future__ import annotations

import json

from bloop.base.json_body import decode_json
from bloop.bench.corpus import Corpus
from bloop.grouping.fingerprint_v1 import compute
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits

NOW_MS = 1_800_000_000_000


def test_an_event_is_the_same_bytes_every_time_and_unlike_any_other() -> None:
    first, second = Corpus("t"), Corpus("t")

    bodies = [first.body(n) for n in range(3000)]

    assert bodies == [second.body(n) for n in range(3000)]
    assert len(set(bodies)) == 3000


def test_message_user_and_request_id_differ_between_any_two_events() -> None:
    corpus = Corpus("t")
    events = [json.loads(corpus.body(n)) for n in range(3000)]

    for name in ("message", "user_id_hash", "request_id"):
        assert len({event[name] for event in events}) == 3000


def test_grouping_finds_the_issues_the_corpus_was_made_of() -> None:
    corpus = Corpus("t", issues=40)
    fingerprints = set()
    for n in range(4000):
        event, _ = parse_event(decode_json(corpus.body(n)), Limits(), NOW_MS)
        fingerprints.add(compute(event.source, event.error_type, event.route, event.message, event.stack))

    assert len(fingerprints) == 40


def test_bodies_are_of_the_sizes_sdks_send() -> None:
    corpus = Corpus("t")
    sizes = [len(corpus.body(n)) for n in range(2000)]

    assert min(sizes) > 500
    assert max(sizes) < 3000
    assert 1000 < sum(sizes) / len(sizes) < 1600


def test_events_come_from_four_languages_several_releases_and_environments() -> None:
    corpus = Corpus("t")
    events = [json.loads(corpus.body(n)) for n in range(2000)]

    assert {e["source"] for e in events} == {"api", "python", "android", "ios"}
    assert len({e["release"] for e in events}) > 3
    assert {e["environment"] for e in events} == {"production", "staging", "development"}
