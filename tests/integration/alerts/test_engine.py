"""ENGINE-1 to ENGINE-5: the writer's own rows, real rules, a clock that is moved by hand."""

from __future__ import annotations

import logging
from pathlib import Path

import apsw
import pytest

from bloop.alerts.firing import read, store
from bloop.base.clock import DAY_MS, MINUTE_MS
from bloop.db import connection, migrate
from bloop.issues.status.audit import Actor
from bloop.issues.status.model import Status
from bloop.issues.status.store import change_status
from bloop.projects import purge
from bloop.projects.read import get_project
from bloop.projects.store import delete_project
from tests.integration.alerts.world import COOLDOWN_MS, T0, World

FALLBACKS = (("slack", {"webhook_url": "https://hooks.example/x"}), ("webhook", {"url": "https://hooks.example/y"}))


class TestSignals:
    def test_a_new_issue_fires_once(self, world: World) -> None:
        rule = world.rule()
        world.happen("TypeError", 3)

        world.ask()
        world.ask()
        world.happen("TypeError")
        world.ask()

        assert len(world.fired(rule)) == 1
        assert world.fired(rule)[0].startswith("New issue SHOP-1 in Shop: TypeError: TypeError broke (production")
        assert read.cursor(world.db) == 1

    def test_events_before_a_rule_was_created_or_enabled_do_not_fire_it(self, world: World) -> None:
        world.happen("Before")
        made = world.rule()
        asleep = world.rule()
        world.db.execute("UPDATE alert_rules SET enabled = 0 WHERE id = ?", (asleep,))
        world.happen("Between")
        world.db.execute("UPDATE alert_rules SET enabled = 1 WHERE id = ?", (asleep,))
        world.happen("After")

        world.ask()

        assert [text.split()[5] for text in world.fired(made)] == ["Between:", "After:"]
        assert [text.split()[5] for text in world.fired(asleep)] == ["After:"]

    def test_rules_created_by_a_clock_that_ran_ahead_still_fire(self, world: World) -> None:
        world.now_ms = T0 + 400 * DAY_MS
        rule, counting = world.rule(), world.rule("threshold", {"threshold": 2, "window_secs": 60})
        world.now_ms = T0
        world.happen("TypeError", 3)

        world.ask()

        assert len(world.fired(rule)) == 1
        assert len(world.fired(counting)) == 1

    def test_filters_and_projects_are_kept_apart(self, world: World) -> None:
        blog = world.rule(project_id=world.blog)
        staging = world.rule(config={"environment": "staging"})
        ios = world.rule(source_filter="ios")
        world.happen("A")
        world.happen("B", project="blog")
        world.happen("C", environment="staging", source="ios")

        world.ask()

        assert [text.split()[2] for text in world.fired(blog)] == ["BLOG-1"]
        assert [text.split()[2] for text in world.fired(staging)] == ["SHOP-2"]
        assert [text.split()[2] for text in world.fired(ios)] == ["SHOP-2"]

    @pytest.mark.parametrize("status", [Status.MUTED, Status.IGNORED])
    def test_a_silent_issue_fires_nothing(self, world: World, status: Status) -> None:
        world.rule()
        world.rule("threshold", {"threshold": 0, "window_secs": 60})
        world.happen("TypeError", 5)
        world.status("TypeError", status)

        world.ask()

        assert world.fired() == []
        assert read.cursor(world.db) == 1

    def test_a_regression_fires_a_second_one_within_the_cooldown_does_not(self, world: World) -> None:
        rule = world.rule("regression")
        world.happen("TypeError")

        for passed_ms in (MINUTE_MS, MINUTE_MS, COOLDOWN_MS):
            world.now_ms += passed_ms
            with connection.immediate(world.db):
                change_status(world.db, [1], Status.RESOLVED, actor=Actor("me", "api"), now_ms=world.now_ms)
            world.happen("TypeError", at_ms=world.now_ms + 1)
            world.ask()

        assert len(world.fired(rule)) == 2
        assert all(text.startswith("Regressed: SHOP-1") for text in world.fired(rule))

    def test_a_cooldown_outlives_the_process(self, world: World) -> None:
        rule = world.rule("threshold", {"threshold": 2, "window_secs": 60})
        world.happen("TypeError", 3)
        world.ask()

        world.engine = world.new_engine()
        world.now_ms += MINUTE_MS
        world.happen("TypeError", 3)
        world.ask()
        assert len(world.fired(rule)) == 1

        world.now_ms += COOLDOWN_MS
        world.happen("TypeError", 3)
        world.ask()
        assert len(world.fired(rule)) == 2

    def test_a_deleted_issue_or_project_is_skipped(self, world: World) -> None:
        world.rule()
        world.happen("A")
        world.happen("B", project="blog")
        world.db.execute("DELETE FROM issues WHERE error_type = 'A'")
        row = get_project(world.db, "blog")
        assert row is not None
        with connection.immediate(world.db):
            delete_project(world.db, row, T0)

        world.ask()

        assert world.fired() == []
        assert read.cursor(world.db) == 2

    def test_an_upgrade_announces_no_history(self, tmp_path: Path) -> None:
        path = tmp_path / "old.db"
        shipped = migrate.shipped()
        migrate.migrate(path, T0, shipped[:5])
        db = connection.open_control(path)
        db.execute("INSERT INTO signals (kind, project_id, issue_id, at_ms) VALUES ('issue.new', 1, 1, 0)")
        db.close()

        migrate.migrate(path, T0, shipped)

        db = connection.open_control(path)
        assert read.cursor(db) == 1
        assert [(rule.name, rule.rule_type) for rule in read.list_active_rules(db)] == [
            ("New issues", "new_issue"),
            ("Regressions", "regression"),
        ]
        db.close()

    def test_an_unreadable_rule_stops_no_other(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        world.rule("weather")
        world.rule("threshold", {"threshold": "many"})
        good = world.rule()
        world.happen("TypeError")

        with caplog.at_level(logging.WARNING):
            world.ask()

        assert len(world.fired(good)) == 1
        assert "rule" in caplog.text

    def test_a_signal_that_trips_us_up_is_passed_over(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        rule = world.rule()
        world.happen("Good")
        world.happen("Bad")
        world.happen("Fine")
        add = store.add_firing

        def trip(db: apsw.Connection, fields: store.FiringFields) -> int:
            made = add(db, fields)
            if "Bad" in fields.message:
                raise RuntimeError("a defect")
            return made

        monkeypatch.setattr(store, "add_firing", trip)
        world.ask()

        assert [text.split()[5] for text in world.fired(rule)] == ["Good:", "Fine:"]
        assert read.cursor(world.db) == 3


class TestTelling:
    def told(self, world: World) -> list[tuple[int, int | None, str, str]]:
        return world.rows("SELECT rule_id, channel_id, channel_type, target FROM deliveries ORDER BY id")

    def test_a_rule_with_channels_tells_them_alone(self, tmp_path: Path) -> None:
        world = World(tmp_path / "bloop.db", FALLBACKS)
        rule = world.rule()
        first, second = world.channel(rule), world.channel(rule, "email", to="ops@example.com")
        world.happen("TypeError")

        world.ask()

        assert self.told(world) == [(rule, first, "webhook", "shown"), (rule, second, "email", "shown")]
        world.close()

    def test_a_rule_without_channels_tells_the_fallbacks(self, tmp_path: Path) -> None:
        world = World(tmp_path / "bloop.db", FALLBACKS)
        rule = world.rule()
        world.happen("TypeError")

        world.ask()

        assert self.told(world) == [(rule, None, "slack", "shown"), (rule, None, "webhook", "shown")]
        assert len({row[0] for row in world.rows("SELECT message_key FROM deliveries")}) == 2
        world.close()

    def test_without_either_it_fires_and_nothing_is_sent(self, world: World) -> None:
        rule = world.rule()
        world.happen("TypeError")

        world.ask()

        assert len(world.fired(rule)) == 1
        assert self.told(world) == []


class TestStorms:
    def test_the_first_few_are_sent_alone_the_rest_in_a_digest_per_minute(self, world: World) -> None:
        rule = world.rule()
        channel = world.channel(rule)
        for number in range(40):
            world.happen(f"E{number:02}", 1 + number, at_ms=T0)

        world.ask()
        assert world.rows("SELECT count(*), count(held_until_ms) FROM alert_firings") == [(40, 35)]
        assert world.rows("SELECT count(*) FROM deliveries") == [(5,)]

        world.ask(MINUTE_MS - 1)
        assert world.rows("SELECT count(*) FROM deliveries") == [(5,)]

        world.ask(1)
        (digest,) = world.rows(
            "SELECT id, project_id, message ->> 'text' FROM alert_firings WHERE rule_type = 'digest'"
        )
        assert digest[1] == world.shop
        assert digest[2].startswith("35 more alerts from “new_issue” within a minute. Largest: SHOP-40 E39")
        assert world.rows(
            "SELECT count(*), count(held_until_ms) FROM alert_firings WHERE digest_id = ?", digest[0]
        ) == [(35, 0)]
        assert world.rows("SELECT channel_id FROM deliveries WHERE firing_id = ?", digest[0]) == [(channel,)]
        lines = "SELECT json_array_length(message, '$.more'), message ->> 'more_count' FROM alert_firings WHERE id = ?"
        assert world.rows(lines, digest[0]) == [(10, 25)]

    def test_while_the_storm_lasts_every_minute_has_one_message(self, world: World) -> None:
        rule = world.rule()
        world.channel(rule)
        for second in range(0, 300, 2):
            world.happen(f"E{second:03}", at_ms=world.now_ms)
            world.ask(2000)

        told = world.rows("SELECT (created_at_ms - ?) / 60000, count(*) FROM deliveries GROUP BY 1", T0)
        assert told == [(0, 5), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1)][: len(told)]
        assert len(told) >= 4
        world.ask(MINUTE_MS)
        world.ask(MINUTE_MS)
        assert world.rows("SELECT count(*) FROM alert_firings WHERE held_until_ms IS NOT NULL") == [(0,)]
        digested = "SELECT count(*) FROM alert_firings WHERE digest_id IS NOT NULL"
        alone = (
            "SELECT count(*) FROM deliveries d JOIN alert_firings f ON f.id = d.firing_id AND f.rule_type <> 'digest'"
        )
        assert world.rows(f"SELECT ({digested}) + ({alone})") == [(150,)], "each told once"

    def test_a_single_held_firing_is_sent_by_itself(self, world: World) -> None:
        rule = world.rule()
        world.channel(rule)
        for number in range(6):
            world.happen(f"E{number}")

        world.ask()
        world.ask(MINUTE_MS)

        assert world.rows("SELECT count(*) FROM deliveries") == [(6,)]
        assert world.rows("SELECT count(*) FROM alert_firings WHERE rule_type = 'digest'") == [(0,)]

    def test_rules_storm_each_for_itself(self, world: World) -> None:
        loud, quiet = world.rule(), world.rule(config={"environment": "staging"})
        for rule in (loud, quiet):
            world.channel(rule)
        for number in range(10):
            world.happen(f"E{number}", environment="staging" if number == 9 else "production")

        world.ask()

        assert world.rows("SELECT rule_id, count(*) FROM deliveries GROUP BY 1") == [(loud, 5), (quiet, 1)]

    def test_a_digest_over_projects_names_none(self, world: World) -> None:
        world.channel(world.rule())
        for number in range(8):
            world.happen(f"E{number}", project="shop" if number % 2 else "blog")

        world.ask()
        world.ask(MINUTE_MS)

        digest = "SELECT project_id, message ->> 'project_id' FROM alert_firings WHERE rule_type = 'digest'"
        assert world.rows(digest) == [(None, "")]

    def test_held_firings_of_a_deleted_rule_are_not_sent(self, world: World) -> None:
        rule = world.rule()
        world.channel(rule)
        for number in range(9):
            world.happen(f"E{number}")
        world.ask()
        world.db.execute("DELETE FROM alert_rules WHERE id = ?", (rule,))

        world.ask(MINUTE_MS)

        assert world.rows("SELECT state, count(*) FROM deliveries GROUP BY 1") == [("dismissed", 5)]
        assert world.rows("SELECT count(*) FROM alert_firings WHERE held_until_ms IS NOT NULL") == [(0,)]

    def test_firings_held_before_the_clock_was_set_back_are_sent(self, world: World) -> None:
        world.channel(world.rule())
        for number in range(8):
            world.happen(f"E{number}")
        world.ask()

        world.ask(-DAY_MS)

        assert world.rows("SELECT count(*) FROM alert_firings WHERE held_until_ms IS NOT NULL") == [(0,)]


class TestTrouble:
    def test_a_locked_database_delays_and_loses_nothing(self, world: World) -> None:
        rule = world.rule()
        world.happen("TypeError")
        world.db.set_busy_timeout(0)

        world.seeder.db.execute("BEGIN IMMEDIATE")
        with pytest.raises(apsw.BusyError):
            world.ask()
        world.seeder.db.execute("COMMIT")
        world.ask()

        assert len(world.fired(rule)) == 1

    def test_a_full_disk_delays_and_loses_nothing(self, world: World) -> None:
        rule = world.rule()
        world.channel(rule)
        for number in range(5):
            world.happen(f"E{number}", message="x" * 2000)
        pages = world.db.pragma("page_count")

        world.db.pragma("max_page_count", pages)
        with pytest.raises(apsw.FullError):
            for _ in range(500):  # until no free page is left
                world.ask()
                world.happen(f"F{world.now_ms}", message="x" * 2000)
                world.now_ms += 1
        before = read.cursor(world.db)
        world.db.pragma("max_page_count", pages * 10)
        world.ask()

        assert read.cursor(world.db) > before
        assert world.rows("SELECT count(*) FROM signals") == [(len(world.fired(rule)),)]

    def test_a_project_that_is_purged_leaves_no_alerts(self, world: World) -> None:
        world.channel(world.rule())
        world.channel(world.rule(project_id=world.shop))
        for number in range(8):
            world.happen(f"E{number}")
        world.ask()
        row = get_project(world.db, "shop")
        assert row is not None
        with connection.immediate(world.db):
            delete_project(world.db, row, T0)

        world.ask(MINUTE_MS)
        for _ in range(200):
            signals = purge.find_unindexed_rows(world.db, world.shop, 100)
            with connection.immediate(world.db):
                if purge.purge_batch(world.db, world.shop, signals, rows_max=100, now_ms=T0):
                    break

        assert world.rows("SELECT count(*) FROM deliveries") == [(0,)]
        assert world.rows("SELECT count(*) FROM alert_firings") == [(0,)]
        assert world.rows("SELECT count(*) FROM alert_rules") == [(1,)]
