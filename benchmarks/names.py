"""What a hostile or careless client leaves: a million issues, and as many releases, environments and routes as it
likes.

Written by SQL, in the shape of the writer's rows, because a million issues through the store take a quarter of an hour.
One issue has every release: what a page about it reads grows with their number.
"""

from __future__ import annotations

from typing import Any

import apsw

from bloop.base.clock import HOUR_MS, now_ms
from bloop.db import word_search

PART = 50_000  # issues in a transaction
SPAN_HOURS = 72

_N = "WITH RECURSIVE n (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :end)"
_ISSUES = f"""{_N}
INSERT INTO issues (id, project_id, fingerprint, fingerprint_algorithm, short_number, status, error_type, message,
                    source, route, event_count, user_count, first_seen_ms, last_seen_ms, first_release, last_release)
SELECT :base + i, :project_id, printf('%016x', :base + i), 'v1', :base + i,
       CASE i % 10 WHEN 0 THEN 'resolved' WHEN 1 THEN 'ignored' ELSE 'unresolved' END, 'AttackError',
       'number ' || i || ' of many', 'api', '/r/' || (i % :names), 1, 1, :start_ms + i % 1000 * :step_ms,
       :start_ms + i % 1000 * :step_ms, 'r' || (i % :names), 'r' || (i % :names) FROM n
"""
_FINGERPRINTS = f"""{_N}
INSERT INTO fingerprints (id, project_id, hash, fingerprint, algorithm, issue_id)
SELECT :base + i, :project_id, :base + i, printf('%016x', :base + i), 'v1', :base + i FROM n
"""
_AGGREGATES = f"""{_N}
INSERT INTO aggregates (project_id, issue_id, fingerprint_id, release, environment, status, event_count, first_seen_ms,
                        last_seen_ms)
SELECT :project_id, :base + i, :base + i, 'r' || (i % :names), 'e' || (i % :names),
       CASE i % 10 WHEN 0 THEN 'resolved' WHEN 1 THEN 'ignored' ELSE 'unresolved' END, 1,
       :start_ms + i % 1000 * :step_ms, :start_ms + i % 1000 * :step_ms FROM n
"""
_HOURS = f"""{_N}
INSERT INTO hourly_counts
SELECT :base + i, :hour_ms - i % 72 * 3600000, 'r' || (i % :names), 'production', 'api', 1 FROM n
"""
# The names themselves, each as a release, an environment and a route; and all of them in one issue.
_NAMES = (
    """
INSERT INTO releases
SELECT :project_id, 'r' || i, 'production', 1, :start_ms + i % 1000 * :step_ms, :start_ms + i % 1000 * :step_ms FROM n
""",
    """
INSERT INTO releases
SELECT :project_id, '1.0', 'e' || i, 1, :start_ms + i % 1000 * :step_ms, :start_ms + i % 1000 * :step_ms FROM n
""",
    "INSERT INTO route_counts SELECT :project_id, '/r/' || i, 1 + i % 7 FROM n",
    """
INSERT INTO project_hourly_counts
SELECT :project_id, :hour_ms - i % 72 * 3600000, 'r' || i, 'e' || i, 'api', 1 FROM n
""",
    "INSERT INTO hourly_counts SELECT :crowded, :hour_ms - i % 24 * 3600000, 'r' || i, 'production', 'api', 1 FROM n",
    """
INSERT INTO aggregates (project_id, issue_id, fingerprint_id, release, environment, status, event_count,
                        first_seen_ms, last_seen_ms)
SELECT :project_id, :crowded, :crowded, 'r' || i, 'production', 'unresolved', 1, :start_ms + i % 1000 * :step_ms,
       :start_ms + i % 1000 * :step_ms FROM n
""",
)


def add_names(db: apsw.Connection, project_id: int, *, names: int, issues: int) -> str:
    """Add them to a database that has some issues; the fingerprint of the issue with every release."""
    base = int(db.execute("SELECT max(max(i.id), max(i.short_number)) + 1 FROM issues AS i").get)
    base = max(base, int(db.execute("SELECT max(id) + 1 FROM fingerprints").get))
    hour_ms = now_ms() - now_ms() % HOUR_MS
    start_ms = hour_ms - SPAN_HOURS * HOUR_MS
    bindings: dict[str, Any] = {
        "project_id": project_id,
        "names": names,
        "base": base,
        "hour_ms": hour_ms,
        "start_ms": start_ms,
        "step_ms": SPAN_HOURS * HOUR_MS // 1000,
        "crowded": base + issues - 1,
    }
    for first in range(0, issues, PART):
        part = bindings | {"first": first, "end": min(first + PART, issues)}
        with db:
            for statement in (_ISSUES, _FINGERPRINTS, _AGGREGATES, _HOURS):
                db.execute(statement, part)
            word_search.index(db, range(base + first, base + part["end"]))
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    for statement in _NAMES:
        with db:
            db.execute(f"{_N} {statement}", bindings | {"first": 0, "end": names})
    with db:
        db.execute(
            "UPDATE projects SET next_short_number = :next WHERE id = :id", {"next": base + issues, "id": project_id}
        )
        db.execute(
            "UPDATE issues SET last_seen_ms = :now_ms, event_count = :names WHERE id = :id",
            {
                "now_ms": now_ms(),
                "names": names,
                "id": base + issues - 1,
            },
        )
    return str(db.execute("SELECT fingerprint FROM issues WHERE id = ?", (base + issues - 1,)).get)
