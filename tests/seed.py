"""Rows for tests that read: straight SQL into a migrated file, no writer involved."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import apsw

from bloop.accounts.sign_ins.store import create_sign_in
from bloop.base import credentials
from bloop.base.outcomes import Outcome
from bloop.db import connection, migrate, word_search
from bloop.projects.tokens.store import create_token
from bloop.records import event_record
from bloop.records.dictionary import shipped
from bloop.records.event import Event

NOW_MS = 1_800_000_000_000

_AGGREGATE = """
INSERT INTO aggregates (project_id, issue_id, fingerprint_id, release, environment, status, event_count, first_seen_ms,
                        last_seen_ms)
SELECT project_id, id, :fingerprint_id, :release, :environment, status, :event_count, :first_seen_ms, :last_seen_ms
  FROM issues WHERE id = :issue_id
RETURNING id
"""
_FINGERPRINTS_FROM = 5000  # so that no test mistakes an issue for its fingerprint
_FINGERPRINT = """
INSERT INTO fingerprints (id, project_id, hash, fingerprint, algorithm, issue_id)
SELECT :fingerprint_id, project_id, :hash, fingerprint, fingerprint_algorithm, id FROM issues WHERE id = :issue_id
"""


def fingerprint_id(issue_id: int) -> int:
    """The id of the one fingerprint of an issue made here."""
    return _FINGERPRINTS_FROM + issue_id


@functools.cache
def _empty_database() -> bytes:
    """A migrated file without rows, made once per test run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        migrate.migrate(path, NOW_MS)
        return path.read_bytes()


class Seed:
    """Makes rows with plausible defaults; every method returns the new row's id."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(_empty_database())
        self.path = path
        self.db = connection.open_control(path)
        self.db.pragma("synchronous", "OFF")

    def close(self) -> None:
        self.db.close()

    def project(self, slug: str, **columns: Any) -> int:
        row = {
            "public_id": f"id-of-{slug}",
            "slug": slug,
            "name": slug.title(),
            "api_key": f"key-of-{slug}",
            "short_prefix": slug.upper(),
            "created_at_ms": NOW_MS,
        }
        return self._insert("projects", row | columns)

    def issue(self, project_id: int, fingerprint: str, *, aggregates: bool = True, **columns: Any) -> int:
        """An issue and, unless told otherwise, its one aggregate (release 1.0, production)."""
        number = self.db.execute("SELECT count(*) + 1 FROM issues WHERE project_id = ?", (project_id,)).fetchone()
        assert number is not None
        row = {
            "project_id": project_id,
            "fingerprint": fingerprint,
            "fingerprint_algorithm": "v1",
            "short_number": number[0],
            "error_type": "TypeError",
            "message": f"message of {fingerprint}",
            "source": "api",
            "event_count": 1,
            "first_seen_ms": NOW_MS,
            "last_seen_ms": NOW_MS,
            "first_release": "1.0",
            "last_release": "1.0",
        } | columns
        issue_id = self._insert("issues", row)
        self.fingerprint(issue_id, fingerprint)
        word_search.index(self.db, [issue_id])
        if aggregates:
            self.aggregate(
                issue_id,
                event_count=row["event_count"],
                first_seen_ms=row["first_seen_ms"],
                last_seen_ms=row["last_seen_ms"],
            )
        return issue_id

    def fingerprint(self, issue_id: int, fingerprint: str) -> int:
        """The row that events and counts of the issue hang on."""
        bindings = {
            "fingerprint_id": fingerprint_id(issue_id),
            "hash": event_record.fingerprint_number(fingerprint),
            "issue_id": issue_id,
        }
        self.db.execute(_FINGERPRINT, bindings)
        return bindings["fingerprint_id"]

    def aggregate(self, issue_id: int, **columns: Any) -> int:
        row = {
            "issue_id": issue_id,
            "fingerprint_id": fingerprint_id(issue_id),
            "release": "1.0",
            "environment": "production",
            "event_count": 1,
            "first_seen_ms": NOW_MS,
            "last_seen_ms": NOW_MS,
        }
        found = self.db.execute(_AGGREGATE, row | columns).fetchone()
        assert found is not None
        return int(found[0])

    def event(self, issue_id: int, *, received_at_ms: int = NOW_MS, id: int | None = None, **fields: Any) -> int:  # noqa: A002
        """An event of the issue, where pages find it."""
        found = self.db.execute("SELECT fingerprint, message FROM issues WHERE id = ?", (issue_id,)).fetchone()
        assert found is not None
        defaults = dict.fromkeys(Event.__struct_fields__) | {
            "timestamp_ms": NOW_MS,
            "source": "api",
            "environment": "production",
            "release": "1.0",
            "level": "error",
            "error_type": "TypeError",
            "message": found[1],
        }
        event = Event(**defaults | fields)
        record = event_record.encode(1, received_at_ms, str(found[0]), "v1", event, shipped())
        row = {
            "fingerprint_id": fingerprint_id(issue_id),
            "timestamp_ms": event.timestamp_ms,
            "received_at_ms": received_at_ms,
            "dims_id": 0,
            "body": event_record.with_dims(record),
        }
        event_id = self._insert("events", row if id is None else row | {"id": id})
        user_key = event_record.user_key(event.user_id_hash, event.device_id_hash)
        lag_ms = received_at_ms - event.timestamp_ms
        key = (fingerprint_id(issue_id), event.timestamp_ms, event_id, lag_ms, 0, user_key)
        self.db.execute("INSERT INTO events_by_fingerprint VALUES (?, ?, ?, ?, ?, ?)", key)
        return event_id

    def hour(self, issue_id: int, hour_ms: int, event_count: int) -> None:
        """In the counters of the issue and of its project."""
        project_id = self.value("SELECT project_id FROM issues WHERE id = ?", issue_id)
        for table, owner in (("hourly_counts", fingerprint_id(issue_id)), ("project_hourly_counts", project_id)):
            self.db.execute(
                f"INSERT INTO {table} VALUES (?, ?, '1.0', 'production', 'api', ?)"
                " ON CONFLICT DO UPDATE SET event_count = event_count + excluded.event_count",
                (owner, hour_ms, event_count),
            )

    def ledger(self, project_id: int, outcome: Outcome, minute_ms: int, count: int) -> None:
        self.db.execute("INSERT INTO ledger VALUES (?, ?, 0, ?, ?)", (minute_ms, project_id, outcome, count))

    def route(self, project_id: int, route: str, event_count: int) -> None:
        self.db.execute("INSERT INTO route_counts VALUES (?, ?, ?)", (project_id, route, event_count))

    def user(self, username: str, *, is_admin: bool = False) -> str:
        user_id = credentials.new_id()
        self.db.execute(
            "INSERT INTO webauthn_users VALUES (?, ?, ?, ?, ?)",
            (user_id, username, username.title(), NOW_MS // 1000, int(is_admin)),
        )
        return user_id

    def session(self, user_id: str | None = None, *, ttl_s: int = 3600) -> str:
        """The cookie's value; without a user it is the operator's."""
        with connection.immediate(self.db):
            return create_sign_in(self.db, user_id, now_ms=NOW_MS, ttl_s=ttl_s)

    def token(self, project_id: int, *scopes: str, **options: Any) -> str:
        """The token in clear."""
        with connection.immediate(self.db):
            made = create_token(self.db, name="ci", project_id=project_id, scopes=scopes, now_ms=NOW_MS, **options)
        return made.token

    def rule(
        self, project_id: int | None = None, rule_type: str = "new_issue", config: str = "{}", **columns: Any
    ) -> int:
        row = {
            "project_id": project_id,
            "name": f"{rule_type} of {project_id}",
            "rule_type": rule_type,
            "config": config,
            "created_at_ms": NOW_MS,
            "updated_at_ms": NOW_MS,
        }
        return self._insert("alert_rules", row | columns)

    def channel(self, rule_id: int | None, url: str = "https://hooks.example.com/x", **columns: Any) -> int:
        """A webhook unless told otherwise, for all projects and without a name, that the rule notifies."""
        config = f'{{"url": "{url}"}}'
        row = {"channel_type": "webhook", "config": config, "created_at_ms": NOW_MS, "updated_at_ms": NOW_MS}
        channel_id = self._insert("channels", row | columns)
        if rule_id is not None:
            self._insert("rule_channels", {"rule_id": rule_id, "channel_id": channel_id, "created_at_ms": NOW_MS})
        return channel_id

    def firing(self, rule_id: int | None, **columns: Any) -> int:
        message = '{"text": "something happened", "url": "https://errors.example.com/"}'
        row = {"rule_id": rule_id, "rule_name": "a rule", "rule_type": "new_issue", "key": "f00d", "message": message}
        return self._insert("alert_firings", row | {"fired_at_ms": NOW_MS} | columns)

    def delivery(self, firing_id: int, state: str = "failed", **columns: Any) -> int:
        rule_id = self.value("SELECT rule_id FROM alert_firings WHERE id = ?", firing_id)
        row = {
            "firing_id": firing_id,
            "rule_id": rule_id,
            "channel_type": "webhook",
            "target": "hooks.example.com",
            "message_key": credentials.new_id(),
            "state": state,
            "next_try_at_ms": NOW_MS,
            "created_at_ms": NOW_MS,
        }
        return self._insert("deliveries", row | columns)

    def value(self, sql: str, *bindings: Any) -> Any:
        """The first column of the first row."""
        row = self.db.execute(sql, bindings).fetchone()
        assert row is not None
        return row[0]

    def rows(self, sql: str, *bindings: Any) -> list[tuple[Any, ...]]:
        return list(self.db.execute(sql, bindings))

    def _insert(self, table: str, row: dict[str, Any]) -> int:
        columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        self.db.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})", row)
        return self.db.last_insert_rowid()


def many_issues(seed: Seed, project_id: int, count: int) -> None:
    """`count` issues with one aggregate each: seen at times spread out, nine in ten with a single event."""
    bindings: apsw.Bindings = {"project_id": project_id, "count": count, "now_ms": NOW_MS}
    seed.db.execute(
        """
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
        INSERT INTO issues (project_id, fingerprint, fingerprint_algorithm, short_number, error_type, message, source,
                            status, event_count, first_seen_ms, last_seen_ms, first_release, last_release)
        SELECT :project_id, printf('%016x', i), 'v1', i + 1, 'TypeError', 'message ' || i, 'api',
               CASE WHEN i % 10 = 0 THEN 'resolved' ELSE 'unresolved' END, CASE WHEN i % 10 = 1 THEN i ELSE 1 END,
               :now_ms - i * 7919 % 1000003 * 1000, :now_ms - i * 104729 % 1000003 * 10, '1.0', '1.0'
          FROM n
        """,
        bindings,
    )
    seed.db.execute(
        """
        INSERT INTO aggregates (project_id, issue_id, fingerprint_id, release, environment, status, event_count,
                                first_seen_ms, last_seen_ms)
        SELECT project_id, id, id + 5000, '1.' || (id % 20), 'production', status, event_count, first_seen_ms,
               last_seen_ms
          FROM issues WHERE project_id = :project_id
        """,
        bindings,
    )
    made = seed.rows("SELECT id, fingerprint FROM issues WHERE project_id = ?", project_id)
    for issue_id, fingerprint in made:
        seed.fingerprint(issue_id, fingerprint)
    word_search.index(seed.db, [row[0] for row in made])
