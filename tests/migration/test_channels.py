"""The migration that makes channels of the rules' own ones: nothing that was sent or waits loses its channel."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bloop.alerts.deliveries.read import deliveries_of
from bloop.alerts.firing.read import list_due_deliveries, list_rule_channels
from bloop.alerts.rules.read import list_channels
from bloop.alerts.saved_channels.read import list_saved_channels
from bloop.db import connection, migrate

OURS = next(m.version for m in migrate.shipped() if m.name == "channels")
BEFORE = migrate.shipped()[: OURS - 1]
AT_MS = 1_800_000_000_000
SLACK = '{"webhook_url":"https://hooks.slack.com/services/T0/B0/one"}'
OTHER_SLACK = '{"webhook_url":"https://hooks.slack.com/services/T0/B0/two"}'
MAIL = '{"to":"ops@example.com"}'

_PROJECT = """
INSERT INTO projects (id, public_id, slug, name, api_key, short_prefix, next_short_number, created_at_ms)
VALUES (?1, ?2, ?2, ?2, ?2, ?2, 1, 0)
"""
_RULE = """
INSERT INTO alert_rules (id, project_id, name, rule_type, config, created_at_ms, updated_at_ms)
VALUES (?, ?, 'rule', 'new_issue', '{}', 0, 0)
"""
_CHANNEL = "INSERT INTO alert_channels (id, rule_id, channel_type, config, created_at_ms) VALUES (?, ?, ?, ?, ?)"
_FIRING = """
INSERT INTO alert_firings (id, rule_id, rule_name, rule_type, key, fired_at_ms, message)
VALUES (?, ?, 'rule', 'new_issue', 'k', 0, '{"text": "it fired"}')
"""
_DELIVERY = """
INSERT INTO deliveries (firing_id, rule_id, channel_id, channel_type, target, message_key, state, next_try_at_ms,
                        created_at_ms)
VALUES (?1, ?1, ?2, 'slack', 'hooks.slack.com', ?3, ?4, ?5, 0)
"""
# id, rule, type, config: rules 1 and 2 are over all projects, 3 and 4 of the shop, 5 of the blog.
CHANNELS = [
    (1, 1, "slack", SLACK),
    (2, 1, "email", MAIL),
    (3, 2, "slack", SLACK),
    (4, 3, "slack", OTHER_SLACK),
    (5, 4, "slack", OTHER_SLACK),
    (6, 4, "slack", OTHER_SLACK),  # twice on one rule
    (7, 5, "email", MAIL),
    (8, 5, "carrier-pigeon", "{}"),  # of a bloop that knows more types
    (9, 5, "webhook", '{"url":"https://a.example/x"}'),
    (10, 5, "webhook", '{"url":"https://a.example/y"}'),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bloop.db"
    migrate.migrate(path, 1, BEFORE)
    with closing(connection.open_control(path)) as db, connection.immediate(db):
        db.execute("DELETE FROM alert_rules")
        for project_id, slug in ((5, "shop"), (6, "blog")):
            db.execute(_PROJECT, (project_id, slug))
        for rule_id, project_id in ((1, None), (2, None), (3, 5), (4, 5), (5, 6)):
            db.execute(_RULE, (rule_id, project_id))
            db.execute(_FIRING, (rule_id, rule_id))
        for channel in CHANNELS:
            db.execute(_CHANNEL, (*channel, AT_MS + channel[0]))
        db.execute(_CHANNEL, (77, 5, "email", '{"to":"gone@example.com"}', 0))
        db.execute("DELETE FROM alert_channels WHERE id = 77")
        for number, (rule_id, channel_id, state) in enumerate(
            [(2, 3, "waiting"), (4, 6, "failed"), (4, 5, "sent"), (5, 77, "dismissed"), (5, None, "sent")]
        ):
            db.execute(_DELIVERY, (rule_id, channel_id, f"key-{number}", state, number))
    return path


def upgrade(path: Path) -> Any:
    migrate.migrate(path, 2)
    return connection.open_control(path)


def test_equal_channels_become_one_and_every_rule_keeps_its_receivers(path: Path) -> None:
    with closing(upgrade(path)) as db:
        saved = [(row.id, row.project_slug, row.name, row.config_json) for row in list_saved_channels(db)]
        of_rules = [[channel.id for channel in list_channels(db, [rule_id])] for rule_id in range(1, 6)]

        assert saved == [
            (1, None, "Slack hooks.slack.com", SLACK),
            (2, None, "Email ops@example.com", MAIL),
            (4, "shop", "Slack hooks.slack.com", OTHER_SLACK),
            (8, "blog", "carrier-pigeon", "{}"),
            (9, "blog", "Webhook a.example", '{"url":"https://a.example/x"}'),
            (10, "blog", "Webhook a.example 2", '{"url":"https://a.example/y"}'),
        ]
        assert of_rules == [[1, 2], [1], [4], [4], [2, 8, 9, 10]]
        assert [(c.id, c.config) for c in list_rule_channels(db, 2)] == [(1, SLACK)]


def test_deliveries_follow_their_channel(path: Path) -> None:
    with closing(upgrade(path)) as db:
        rows = db.execute("SELECT channel_id, state, last_error FROM deliveries ORDER BY id").fetchall()
        (due,) = list_due_deliveries(db, AT_MS, wait_ms=1000)

        assert rows == [(1, "waiting", None), (4, "failed", None), (4, "sent", None), (77, "dismissed", None),
                        (None, "sent", None)]  # fmt: skip
        assert (due.channel_id, due.config) == (1, SLACK)
        assert [row.can_be_sent for row in deliveries_of(db, 4)] == [True, True]


def test_the_number_of_a_deleted_channel_is_not_given_again(path: Path) -> None:
    with closing(upgrade(path)) as db, connection.immediate(db):
        db.execute(
            "INSERT INTO channels (channel_type, config, created_at_ms, updated_at_ms) VALUES ('slack','{}',0,0)"
        )

        assert db.execute("SELECT max(id) FROM channels").get == 78


def test_an_installation_without_channels_upgrades(tmp_path: Path) -> None:
    path = tmp_path / "bloop.db"
    migrate.migrate(path, 1, BEFORE)

    with closing(upgrade(path)) as db:
        assert list_saved_channels(db) == []
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
