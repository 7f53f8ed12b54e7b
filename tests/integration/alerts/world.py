"""A database that the writer's code fills, an engine that asks its rules, and a clock that stands where it is put."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from bloop.alerts.firing.engine import Engine
from bloop.alerts.firing.read import list_active_rules
from bloop.alerts.rules.model import Rule, parse_config
from bloop.base.clock import MINUTE_MS
from bloop.db import connection
from bloop.issues.status.model import Status
from tests.seeding import Seeder

T0 = 1_800_000_000_000 - 1_800_000_000_000 % MINUTE_MS
COOLDOWN_MS = 15 * MINUTE_MS
ORIGIN = "https://bloop.example"

_INSERT_RULE = """
INSERT INTO alert_rules (project_id, name, rule_type, config, environment_filter, source_filter, cooldown_secs,
                         created_at_ms, updated_at_ms)
VALUES (:project_id, :name, :rule_type, :config, :environment_filter, :source_filter, :cooldown_secs, :at_ms, :at_ms)
"""
_INSERT_CHANNEL = """
INSERT INTO channels (channel_type, config, created_at_ms, updated_at_ms) VALUES (?, ?, 0, 0)
"""
_ATTACH = "INSERT INTO rule_channels VALUES (?, ?, 0)"


class World:
    """`shop` and `blog` are projects. The two rules of a new database are gone; `rule` makes others."""

    def __init__(self, path: Path, fallbacks: tuple[tuple[str, dict[str, Any]], ...] = ()) -> None:
        self.path = path
        self.now_ms = T0
        self.seeder = Seeder(path, T0)
        self.shop, self.blog = self.seeder.project("shop", "Shop"), self.seeder.project("blog", "Blog")
        self.db = connection.open_control(path)
        self.db.execute("DELETE FROM alert_rules")
        self.fallbacks = fallbacks
        self.engine = self.new_engine()

    def close(self) -> None:
        self.db.close()
        self.seeder.close()

    def new_engine(self) -> Engine:
        """As a process that was just started has it."""
        return Engine(
            self.db,
            origin=ORIGIN,
            cooldown_ms=COOLDOWN_MS,
            target=lambda kind, config: "shown",
            fallbacks=self.fallbacks,
        )

    def rule(self, rule_type: str = "new_issue", config: dict[str, Any] | None = None, **fields: Any) -> int:
        row = {"project_id": None, "environment_filter": None, "source_filter": None, "cooldown_secs": None}
        row |= {"name": rule_type, "rule_type": rule_type, "at_ms": self.now_ms}
        self.db.execute(_INSERT_RULE, row | {"config": orjson.dumps(config or {}).decode()} | fields)
        return self.db.last_insert_rowid()

    def channel(self, rule_id: int, channel_type: str = "webhook", **config: str) -> int:
        """A channel of its own, for all projects."""
        self.db.execute(_INSERT_CHANNEL, (channel_type, orjson.dumps(config).decode()))
        channel_id = self.db.last_insert_rowid()
        self.db.execute(_ATTACH, (rule_id, channel_id))
        return channel_id

    def asked(self, rule_id: int) -> Rule:
        """The rule as the engine knows it, without a beginning."""
        (row,) = [row for row in list_active_rules(self.db) if row.id == rule_id]
        config = parse_config(row.rule_type, orjson.loads(row.config))
        cooldown_ms = COOLDOWN_MS if row.cooldown_secs is None else row.cooldown_secs * 1000
        return Rule(row.id, row.name, row.project_id, config, row.environment_filter, row.source_filter, cooldown_ms)

    def happen(
        self, name: str, times: int = 1, *, project: str = "shop", at_ms: int | None = None, **fields: Any
    ) -> None:
        """So many events of one issue, stored and counted as the writer does."""
        at_ms = self.now_ms if at_ms is None else at_ms
        event = {"timestamp": at_ms, "source": "api", "environment": "production", "release": "1.0.0"}
        event |= {"error_type": name, "message": f"{name} broke"} | fields
        self.seeder.store([(project, event, at_ms)] * times)

    def status(self, name: str, status: Status) -> None:
        self.db.execute("UPDATE issues SET status = ? WHERE error_type = ?", (status.value, name))

    def ask(self, passed_ms: int = 0) -> None:
        """Everything the process asks, in its order."""
        self.now_ms += passed_ms
        while self.engine.evaluate_signals(self.now_ms):
            pass
        self.engine.send_digests(self.now_ms)
        for _ in self.engine.evaluate_windows(self.now_ms):
            pass

    def rows(self, sql: str, *bindings: Any) -> list[tuple[Any, ...]]:
        return self.db.execute(sql, bindings).fetchall()

    def fired(self, rule_id: int | None = None) -> list[str]:
        """What rules said, in order."""
        rows = self.rows("SELECT rule_id, message ->> 'text' FROM alert_firings ORDER BY id")
        return [text for fired_id, text in rows if rule_id in (None, fired_id)]
