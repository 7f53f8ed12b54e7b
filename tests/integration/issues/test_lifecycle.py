"""FOLLOW-1 to FOLLOW-3 of bloop/issues/status/follow.py: how events and time change issues, on real SQLite files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop.base.clock import MINUTE_MS
from bloop.db import connection, migrate
from bloop.features import make_kinds
from bloop.issues.status.audit import Actor
from bloop.issues.status.follow import SWEPT_MAX, end_due_mutes
from bloop.issues.status.model import Status
from bloop.issues.status.mutes import FOREVER, Mute
from bloop.issues.status.regression import NOW, Resolution
from bloop.issues.status.store import change_status
from bloop.pipeline.store import Store
from bloop.projects import store as projects
from bloop.records.record import EVENT_FORM, encode_event
from tests.integration.pipeline.test_store import PLAIN, RING, T0, Event, rows

ADA = Actor("u1", "api", "192.0.2.0/24")


class Occurrence(NamedTuple):
    """What these tests vary of an event."""

    release: str = "1.0.0"
    after_ms: int = 0
    environment: str = "production"
    fingerprint: str = "aa"
    source: str = "api"


class World:
    """A database, its writer, and somebody who changes statuses."""

    def __init__(self, path: Path) -> None:
        migrate.migrate(path, T0)
        self.db = connection.open_writer(path)
        self.db.pragma("synchronous", "OFF")
        with connection.immediate(self.db):
            projects.ensure_default_project(self.db, "s" * 40, T0)
        self.store = self.new_store()

    def new_store(self) -> Store:
        return Store(self.db, RING, make_kinds(self.db))

    def happen(self, *events: Occurrence, settle: bool = True) -> None:
        batch = []
        for release, after_ms, environment, fingerprint, source in events:
            fields = PLAIN | {"release": release, "environment": environment, "source": source}
            payload = encode_event(1, T0 + after_ms, fingerprint, "v1", Event(**fields))
            batch.append((EVENT_FORM, payload, 0))
        self.store.store(batch, {0: 64}, [], now_ms=T0, settle=settle)

    def change(self, status: Status, *, after_ms: int = 10, resolution: Resolution = NOW, mute: Mute = FOREVER) -> None:
        ids = [row[0] for row in rows(self.db, "SELECT id FROM issues")]
        with connection.immediate(self.db):
            change_status(self.db, ids, status, now_ms=T0 + after_ms, actor=ADA, resolution=resolution, mute=mute)

    def state(self) -> tuple[str, int, int]:
        """Status, times regressed, whether it is still firing."""
        return rows(self.db, "SELECT status, times_regressed, is_firing FROM issues WHERE fingerprint = 'aa'")[0]

    def kinds(self) -> list[str]:
        """What was signalled since the first event."""
        return [kind.removeprefix("issue.") for (kind,) in rows(self.db, "SELECT kind FROM signals ORDER BY id")][1:]

    def firing(self) -> int:
        return sum(count for (count,) in rows(self.db, "SELECT issue_count FROM firing_counts"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "bloop.db")
    yield made
    made.db.close()


def told(world: World) -> dict[str, Any]:
    """What the last signal says."""
    ((data,),) = rows(world.db, "SELECT data FROM signals ORDER BY id DESC LIMIT 1")
    return dict(orjson.loads(data))


class TestResolved:
    def test_an_older_release_does_not_reopen_it_and_is_not_signalled(self, world: World) -> None:
        world.happen(Occurrence("1.4.0"))
        world.change(Status.RESOLVED, resolution=Resolution("1.4.2"))

        world.happen(Occurrence("1.4.0", 20), Occurrence("1.3.0", 21), Occurrence("1.4.2-rc.1", 22))

        assert world.state() == ("resolved", 0, 1)
        assert world.kinds() == ["resolved"]
        assert rows(world.db, "SELECT event_count FROM issues") == [(4,)]

    @pytest.mark.parametrize("place", range(4))
    def test_every_release_of_a_batch_is_looked_at_wherever_it_stands(self, world: World, place: int) -> None:
        world.happen(Occurrence("1.4.0"))
        world.change(Status.RESOLVED, resolution=Resolution("1.4.2"))
        batch = [Occurrence("1.4.0", 20 + n) for n in range(3)]
        batch.insert(place, Occurrence("1.5.0", 30, "staging", source="ios"))

        world.happen(*batch)

        assert world.state() == ("regressed", 1, 0)
        assert world.kinds() == ["resolved", "regressed"]
        assert told(world) == {"release": "1.5.0", "environment": "staging", "source": "ios", "route": None}
        statuses = "SELECT new_status, changed_by, changed_via, release, changed_at_ms FROM status_changes ORDER BY id"
        assert rows(world.db, statuses)[-1] == ("regressed", None, "ingest", "1.5.0", T0 + 30)
        assert rows(world.db, "SELECT DISTINCT status FROM aggregates") == [("regressed",)]

    def test_the_first_event_that_brought_it_back_is_named(self, world: World) -> None:
        world.happen(Occurrence("1"))
        world.change(Status.RESOLVED)

        world.happen(Occurrence("3", 40), Occurrence("2", 30), Occurrence("4", 50), Occurrence("too early", 9))

        assert told(world)["release"] == "2"

    def test_releases_without_versions_go_by_when_they_were_first_seen(self, world: World) -> None:
        world.happen(Occurrence("old"), Occurrence("fix", 5))
        world.change(Status.RESOLVED, resolution=Resolution("fix"))

        world.happen(Occurrence("old", 20))
        assert world.state() == ("resolved", 0, 1)
        world.happen(Occurrence("brand new", 30))

        assert world.state() == ("regressed", 1, 0)

    def test_the_next_release_is_what_nobody_had_seen(self, world: World) -> None:
        world.happen(Occurrence("1.4.2"), Occurrence("1.5.0", 1, "staging", "other"))
        world.change(Status.RESOLVED, resolution=Resolution(is_next=True))
        pinned = "SELECT resolved_in_release, resolved_in_next FROM issues WHERE fingerprint = 'aa'"
        assert rows(world.db, pinned) == [("1.5.0", 1)]

        world.happen(Occurrence("1.4.2", 20), Occurrence("1.5.0", 21), Occurrence("1.4.3", 22))
        assert world.state() == ("resolved", 0, 1)
        world.happen(Occurrence("1.5.1", 30))

        assert world.state() == ("regressed", 1, 0)
        assert rows(world.db, pinned) == [(None, 0)]

    def test_what_is_still_firing_is_counted_by_triggers_and_forgotten_with_the_status(self, world: World) -> None:
        world.happen(Occurrence("1.0"), Occurrence("1.0", fingerprint="bb"))
        world.change(Status.RESOLVED, resolution=Resolution("2.0"))
        assert world.firing() == 0

        for n in range(3):
            world.happen(Occurrence("1.0", 20 + n), Occurrence("1.0", 20 + n, fingerprint="bb"))
            assert world.firing() == 2
        world.db.execute("DELETE FROM issues WHERE fingerprint = 'bb'")
        assert world.firing() == 1
        world.change(Status.RESOLVED, after_ms=40, resolution=Resolution("2.0"))
        assert world.firing() == 0
        world.happen(Occurrence("1.0", 50))
        assert world.firing() == 1
        world.change(Status.IGNORED, after_ms=60)

        assert world.firing() == 0

    def test_events_from_before_the_resolving_neither_reopen_it_nor_fire(self, world: World) -> None:
        world.happen(Occurrence("1.0"))
        world.change(Status.RESOLVED, after_ms=1000, resolution=Resolution("0.9"))

        world.happen(Occurrence("1.0", 999), Occurrence("2.0", 998))

        assert world.state() == ("resolved", 0, 0)


class TestMuted:
    @pytest.mark.parametrize("status", [Status.MUTED, Status.IGNORED])
    def test_new_releases_and_environments_change_nothing(self, world: World, status: Status) -> None:
        world.happen(Occurrence("1.0"))
        world.change(status)

        world.happen(*(Occurrence(f"{n}.0", 20 + n, f"env-{n}") for n in range(2, 9)))

        assert world.state() == (status.value, 0, 0)
        assert rows(world.db, "SELECT count(*), count(DISTINCT status) FROM aggregates") == [(8, 1)]
        assert world.kinds() == [status.value]

    def test_it_ends_with_the_last_of_so_many_events(self, world: World) -> None:
        world.happen(Occurrence())
        world.change(Status.MUTED, mute=Mute(events=3))

        world.happen(Occurrence(after_ms=20), Occurrence(after_ms=21))
        assert world.state() == ("muted", 0, 0)
        world.happen(Occurrence("1.1", 30, "staging"), Occurrence("1.2", 31))

        assert world.state() == ("unresolved", 0, 0)
        assert world.kinds() == ["muted", "unmuted"]
        assert told(world) == {
            "release": "1.1", "environment": "staging", "source": "api", "route": None, "ended": "events", "events": 3
        }  # fmt: skip
        change = rows(world.db, "SELECT old_status, new_status, changed_by, changed_via, release, detail, changed_at_ms"
                                " FROM status_changes ORDER BY id DESC LIMIT 1")  # fmt: skip
        ((old, new, by, via, release, detail, at_ms),) = change
        assert (old, new, by, via, release, at_ms) == ("muted", "unresolved", None, "ingest", "1.1", T0 + 30)
        assert orjson.loads(detail) == {"ended": "events", "events": 3}

    def test_it_ends_with_more_than_so_many_within_an_hour(self, world: World) -> None:
        world.happen(Occurrence())
        world.change(Status.MUTED, mute=Mute(per_hour=2))

        world.happen(Occurrence(after_ms=20), Occurrence(after_ms=21))
        world.happen(Occurrence(after_ms=60 * MINUTE_MS + 60_000))
        assert world.state() == ("muted", 0, 0)
        world.happen(Occurrence(after_ms=61 * MINUTE_MS), Occurrence(after_ms=62 * MINUTE_MS))

        assert world.state() == ("unresolved", 0, 0)
        assert told(world)["ended"] == "rate"
        kept = "SELECT muted_at_ms, muted_until_ms, muted_events, muted_per_hour, muted_progress FROM issues"
        assert rows(world.db, kept) == [(None,) * 5]

    def test_an_event_after_the_time_ends_it_before_any_sweep_does(self, world: World) -> None:
        world.happen(Occurrence())
        world.change(Status.MUTED, mute=Mute(until_ms=T0 + 100))

        world.happen(Occurrence(after_ms=99))
        assert world.state() == ("muted", 0, 0)
        world.happen(Occurrence(after_ms=100))

        assert world.state() == ("unresolved", 0, 0)
        assert end_due_mutes(world.db, T0 + 200) == 0

    def test_a_quiet_one_is_ended_by_the_sweep(self, world: World) -> None:
        world.happen(Occurrence("1.0"), Occurrence("1.0", fingerprint="bb"))
        world.change(Status.MUTED, mute=Mute(until_ms=T0 + 100))

        assert end_due_mutes(world.db, T0 + 99) == 0
        assert end_due_mutes(world.db, T0 + 100) == 2
        assert end_due_mutes(world.db, T0 + 100) == 0

        assert world.state() == ("unresolved", 0, 0)
        assert told(world) == {
            "release": "1.0", "environment": None, "source": "api", "route": None, "ended": "time", "until_ms": T0 + 100
        }  # fmt: skip
        via = rows(
            world.db, "SELECT DISTINCT changed_by, changed_via FROM status_changes WHERE new_status = 'unresolved'"
        )
        assert via == [(None, "schedule")]

    def test_a_sweep_takes_a_bounded_number_the_longest_overdue_first(self, world: World) -> None:
        world.happen(*(Occurrence(fingerprint=f"f{n}") for n in range(SWEPT_MAX + 5)))
        world.db.execute("UPDATE issues SET status = 'muted', muted_until_ms = ? + id", (T0,))

        assert end_due_mutes(world.db, T0 + 10_000) == SWEPT_MAX
        assert rows(world.db, "SELECT min(id) FROM issues WHERE status = 'muted'") == [(SWEPT_MAX + 1,)]
        assert end_due_mutes(world.db, T0 + 10_000) == 5

    def test_the_sweep_finds_what_is_due_by_an_index(self, world: World) -> None:
        plan = rows(
            world.db, "EXPLAIN QUERY PLAN SELECT id FROM issues WHERE muted_until_ms <= 5 ORDER BY muted_until_ms"
        )

        assert [row[3] for row in plan] == ["SEARCH issues USING COVERING INDEX issues_muted_until (muted_until_ms<?)"]

    @pytest.mark.parametrize("mute", [Mute(events=2), Mute(per_hour=1), Mute(until_ms=T0 + 5)])
    def test_events_from_before_the_muting_do_not_count(self, world: World, mute: Mute) -> None:
        world.happen(Occurrence())
        world.change(Status.MUTED, after_ms=1000, mute=mute)

        world.happen(*(Occurrence(after_ms=900 + n) for n in range(9)))

        assert world.state() == ("muted", 0, 0)

    def test_muting_again_starts_the_count_again(self, world: World) -> None:
        world.happen(Occurrence())
        world.change(Status.MUTED, mute=Mute(events=2))
        world.happen(Occurrence(after_ms=20))
        world.change(Status.MUTED, after_ms=30, mute=Mute(events=2))

        world.happen(Occurrence(after_ms=40))

        assert world.state() == ("muted", 0, 0)


class TestCounting:
    """Counts may follow their events, and a writer may be killed in between."""

    @pytest.mark.parametrize("settle", [True, False])
    def test_a_writer_killed_before_counting_does_everything_once(self, world: World, settle: bool) -> None:
        world.happen(Occurrence("1.0"))
        world.change(Status.RESOLVED, resolution=Resolution("2.0"))
        world.happen(Occurrence("1.0", 20), Occurrence("2.0", 21), settle=settle)

        for _ in range(3):
            world.store = world.new_store()
            world.happen()
            world.happen(Occurrence("2.0", 30), settle=False)

        assert world.state() == ("regressed", 1, 0)
        assert world.kinds() == ["resolved", "regressed"]

    def test_a_count_the_disk_refuses_is_done_again_and_only_once(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.happen(Occurrence(), Occurrence(fingerprint="bb"))
        world.change(Status.MUTED, mute=Mute(events=3))

        def refuse(*_: object) -> None:
            raise apsw.FullError("disk full")

        with monkeypatch.context() as patch, pytest.raises(apsw.FullError):
            patch.setattr("bloop.issues.counts.store.add", refuse)
            world.happen(Occurrence(after_ms=20), Occurrence(after_ms=21))
        assert rows(world.db, "SELECT muted_progress FROM issues") == [(None,), (None,)]
        world.happen(Occurrence(after_ms=20), Occurrence(after_ms=21))

        assert rows(world.db, "SELECT muted_progress FROM issues") == [("2",), (None,)]

    def test_most_issues_cost_no_closer_look(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("nothing here is resolved or muted until something happens")

        monkeypatch.setattr("bloop.issues.status.follow.follow", refuse)
        for status in (Status.UNRESOLVED, Status.MUTED, Status.IGNORED):
            world.happen(Occurrence(), Occurrence(fingerprint="bb"))
            world.change(status)
        world.happen(Occurrence(after_ms=50), Occurrence(fingerprint="bb"))

        assert rows(world.db, "SELECT sum(event_count) FROM issues") == [(8,)]

    def test_fixed_in_the_next_release_needs_a_release(self, world: World) -> None:
        world.happen(Occurrence("unknown"))

        with pytest.raises(
            Exception, match="in_next_release: cannot be said of a project whose events name no release"
        ):
            world.change(Status.RESOLVED, resolution=Resolution(is_next=True))

        assert world.state() == ("unresolved", 0, 0)


ACTIONS = st.one_of(
    st.tuples(st.just("event"), st.sampled_from(["1.0", "1.1", "2.0", "a1", "b2", "unknown"]), st.booleans()),
    st.tuples(st.just("kill"), st.just(""), st.just(False)),
    st.tuples(st.just("resolve"), st.sampled_from(["", "1.1", "b2", "next"]), st.just(False)),
    st.tuples(st.just("mute"), st.sampled_from(["", "events", "per_hour"]), st.just(False)),
)
MUTES = {"": FOREVER, "events": Mute(events=2), "per_hour": Mute(per_hour=1)}


@settings(max_examples=25, deadline=None)
@given(st.lists(ACTIONS, min_size=3, max_size=25))
def test_whatever_happens_an_issue_comes_back_at_most_once_per_resolving(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, str, bool]]
) -> None:
    world = World(tmp_path_factory.mktemp("walk") / "bloop.db")
    world.happen(Occurrence("1.0"))
    happened = 1
    for number, (what, how, settle) in enumerate(actions):
        at_ms = 10 * (number + 1)
        if what == "event":
            happened += 1
            world.happen(Occurrence(how, at_ms), settle=settle)
        elif what == "kill":
            world.store = world.new_store()
        elif what == "resolve":
            resolution = Resolution(is_next=True) if how == "next" else Resolution(how or None)
            world.change(Status.RESOLVED, after_ms=at_ms, resolution=resolution)
        else:
            world.change(Status.MUTED, after_ms=at_ms, mute=MUTES[how])
    world.happen()

    changes = rows(world.db, "SELECT old_status, new_status, changed_by FROM status_changes ORDER BY id")
    status, regressed, firing = world.state()
    assert rows(world.db, "SELECT event_count FROM issues") == [(happened,)]
    assert [old for old, _, _ in changes[1:]] == [new for _, new, _ in changes[:-1]]  # one trail without gaps
    assert {(old, new) for old, new, by in changes if by is None} <= {
        ("resolved", "regressed"),
        ("muted", "unresolved"),
    }
    assert regressed == sum(new == "regressed" for _, new, _ in changes)
    assert regressed == world.kinds().count("regressed")
    assert world.kinds().count("unmuted") == sum((old, by) == ("muted", None) for old, _, by in changes)
    assert firing == world.firing() <= (status == "resolved")
    world.db.close()
