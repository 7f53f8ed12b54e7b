"""What the writer counts is what anybody would count from the events themselves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bloop.base.clock import HOUR_MS, hour_of
from bloop.base.json_body import decode_json
from bloop.bench.corpus import Corpus
from bloop.db import connection, migrate
from bloop.features import make_kinds
from bloop.grouping import fingerprint_v1 as v1
from bloop.ingest.dialects.native import parse_event
from bloop.ingest.limits import Limits
from bloop.pipeline.store import Store
from bloop.projects import store as projects
from bloop.records.record import EVENT_FORM, encode_event
from tests.stored import stored_events

T0 = 1_760_000_000_000
EVENTS = 3_000


def records() -> list[tuple[int, bytes, int]]:
    """Of 60 issues, over three hours, from two lanes that are not in step."""
    corpus, made = Corpus(issues=60, timestamp_ms=T0), []
    for n in range(EVENTS):
        at_ms = T0 + n * 3 * HOUR_MS // EVENTS - n % 2 * 90_000
        event, _ = parse_event(decode_json(corpus.body(n)), Limits(), at_ms)
        fingerprint = v1.compute(event.source, event.error_type, event.route, event.message, event.stack)
        made.append((EVENT_FORM, encode_event(1, at_ms, fingerprint, v1.ALGORITHM, event), n % 2))
    return made


@pytest.mark.parametrize("settle_every", [1, 4, 100])
def test_counts_are_what_the_events_add_up_to(tmp_path: Path, settle_every: int) -> None:
    path = tmp_path / "bloop.db"
    migrate.migrate(path, 1)
    db = connection.open_writer(path)
    projects.ensure_default_project(db, "s" * 40, 1)
    store, todo = Store(db, 1, make_kinds(db)), records()

    for number, start in enumerate(range(0, EVENTS, 250)):
        batch = todo[start : start + 250]
        store.store(batch, {}, [], now_ms=T0, settle=number % settle_every == settle_every - 1)
    store.store([], {}, [], now_ms=T0)

    events = stored_events(db)
    assert len(events) == EVENTS
    by_issue = Counter(event.fingerprint for event in events)
    users = {(event.fingerprint, event.user_id_hash) for event in events}
    last = {event.fingerprint: event.received_at_ms for event in sorted(events, key=lambda e: e.received_at_ms)}
    assert {row[0]: row[1:] for row in db.execute("SELECT fingerprint, event_count, last_seen_ms FROM issues")} == {
        fingerprint: (count, last[fingerprint]) for fingerprint, count in by_issue.items()
    }
    assert Counter(fingerprint for fingerprint, _ in users) == dict(
        db.execute("SELECT fingerprint, user_count FROM issues")
    )
    hours = Counter((e.fingerprint, hour_of(e.received_at_ms), e.release, e.environment, e.source) for e in events)
    assert hours == Counter(
        {
            tuple(row[:5]): row[5]
            for row in db.execute(
                "SELECT f.fingerprint, h.hour_ms, h.release, h.environment, h.source, h.event_count"
                "  FROM hourly_counts AS h JOIN fingerprints AS f ON f.id = h.fingerprint_id"
            )
        }
    )
    minutes = Counter((e.fingerprint, e.received_at_ms // 60_000) for e in events)
    assert minutes == Counter(
        {
            (fingerprint, minute_ms // 60_000): count
            for fingerprint, minute_ms, count in db.execute(
                "SELECT f.fingerprint, m.minute_ms, sum(m.event_count)"
                "  FROM minute_counts AS m JOIN fingerprints AS f ON f.id = m.fingerprint_id GROUP BY 1, 2"
            )
        }
    )
    spans = {
        tuple(row[:3]): tuple(row[3:])
        for row in db.execute(
            "SELECT f.fingerprint, a.release, a.environment, a.event_count, a.first_seen_ms, a.last_seen_ms"
            "  FROM aggregates AS a JOIN fingerprints AS f ON f.id = a.fingerprint_id"
        )
    }
    for place, (count, _, last_ms) in spans.items():
        own = [e.received_at_ms for e in events if (e.fingerprint, e.release, e.environment) == place]
        assert (count, last_ms) == (len(own), max(own))
    db.close()
