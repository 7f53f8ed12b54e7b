"""Deleting a project: gone at once for everybody, its rows in small steps, nothing left but counts without a name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop import features
from bloop.base.errors import InvalidField, NotFound
from bloop.base.outcomes import Outcome
from bloop.db import connection
from bloop.projects import purge
from bloop.projects import read as read_projects
from bloop.projects import store as projects
from bloop.projects.tokens import read as read_tokens
from bloop.projects.write_keys.store import WriteKeyKind, create_write_key
from tests.seed import NOW_MS, Seed, fingerprint_id

HOUR_MS = 3_600_000


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


def fill(seed: Seed, slug: str, issues: int = 3) -> int:
    """A project with at least one row in every table that can hold one."""
    project = seed.project(slug)
    for number in range(issues):
        issue = seed.issue(project, f"f{number}")
        for hour in range(4):
            seed.event(issue)
            seed.hour(issue, hour * HOUR_MS, 1)
            seed.db.execute("INSERT INTO issue_users VALUES (?, ?)", (fingerprint_id(issue), hour))
        seed.db.execute(
            "INSERT INTO status_changes (issue_id, project_id, old_status, new_status, changed_via, changed_at_ms)"
            " VALUES (?, ?, 'unresolved', 'resolved', 'api', 0)",
            (issue, project),
        )
        seed.db.execute(
            "INSERT INTO issue_comments (issue_id, author, via, text, created_at_ms) VALUES (?, 'u1', 'api', 'x', 0)",
            (issue,),
        )
        seed.db.execute(
            "INSERT INTO signals (kind, project_id, issue_id, at_ms) VALUES ('issue.new', ?, ?, 0)", (project, issue)
        )
    seed.db.execute(
        "INSERT INTO undo_parts (undo_id, project_id, made_at_ms, issue_count, states) VALUES ('u', ?, 0, 1, x'')",
        (project,),
    )
    seed.db.execute(
        "INSERT INTO saved_views (owner_id, place, name, project_id, query, changed_at_ms)"
        " VALUES ('u1', 1, 'Mine', ?, '', 0)",
        (project,),
    )
    seed.db.execute("INSERT INTO project_uses VALUES ('u1', ?, 0, NULL)", (project,))
    seed.db.execute("INSERT INTO event_dims (project_id, dims) VALUES (?, x'01')", (project,))
    seed.route(project, "/a", 1)
    seed.db.execute("INSERT INTO project_names VALUES (?, 4, '/a')", (project,))  # a trigger adds to kept_counts
    seed.db.execute("INSERT INTO new_issue_counts VALUES (?, 0, 5)", (project,))
    seed.db.execute("INSERT INTO overflow_counts VALUES (?, 0, 2, 5)", (project,))
    seed.db.execute("INSERT INTO user_sketches VALUES (?, 5, x'00')", (fingerprint_id(issue),))
    seed.db.execute("INSERT INTO releases VALUES (?, '1.0', 'production', 12, 0, 0)", (project,))
    seed.token(project, "errors:read")
    create_write_key(seed.db, project, WriteKeyKind.DSN, now_ms=0)
    seed.db.execute("INSERT INTO old_keys VALUES (?, 0, 'hash', 'bloop_', NULL, 0, 0, NULL)", (project,))
    seed.db.execute(
        "INSERT INTO rejections (rejected_at_ms, project_id, outcome, detail, key_prefix, client, user_agent)"
        " VALUES (0, ?, 5, '', '', '', '')",
        (project,),
    )
    seed.db.execute(
        "INSERT INTO dead_letters (dead_at_ms, project_id, record_kind, reason, payload) VALUES (0, ?, 1, '', x'')",
        (project,),
    )
    seed.db.execute("UPDATE issues SET is_firing = 1 WHERE id = ?", (issue,))
    seed.db.execute(
        "INSERT INTO minute_counts VALUES (?, 60000, ?, 'production', 'api', 4)", (project, fingerprint_id(issue))
    )
    rule = "INSERT INTO alert_rules (project_id, name, rule_type, config, created_at_ms, updated_at_ms)"
    seed.db.execute(f"{rule} VALUES (?, 'New', 'new_issue', '{{}}', 0, 0)", (project,))
    rule_id = seed.db.last_insert_rowid()
    seed.db.execute(
        "INSERT INTO channels (project_id, channel_type, config, created_at_ms, updated_at_ms)"
        " VALUES (?, 'webhook', '{}', 0, 0)",
        (project,),
    )
    seed.db.execute("INSERT INTO alert_cooldowns VALUES (?, ?, 'f0', 0)", (rule_id, project))
    firing = (
        "INSERT INTO alert_firings (rule_id, rule_name, rule_type, project_id, issue_id, key, fired_at_ms, message,"
        " digest_id) VALUES (?, 'New', ?, ?, ?, 'f0', 0, '{}', ?)"
    )
    seed.db.execute(firing, (rule_id, "digest", None, None, None))
    seed.db.execute(firing, (rule_id, "new_issue", project, issue, seed.db.last_insert_rowid()))
    for firing_id in (seed.db.last_insert_rowid() - 1, seed.db.last_insert_rowid()):
        seed.db.execute(
            "INSERT INTO deliveries (firing_id, channel_type, target, message_key, next_try_at_ms, created_at_ms)"
            " VALUES (?, 'webhook', 'example.com', ?, 0, 0)",
            (firing_id, f"key-{firing_id}"),
        )
    seed.db.execute("INSERT INTO retention_overrides VALUES (?, 30)", (project,))
    seed.db.execute("INSERT INTO retention_issue_overrides VALUES (?, 30)", (project,))
    seed.db.execute("INSERT INTO ledger_totals VALUES (?, 0, ?, 12)", (project, Outcome.STORED))
    return project


def delete(seed: Seed, slug: str) -> None:
    row = read_projects.get_project(seed.db, slug)
    assert row is not None
    with connection.immediate(seed.db):
        projects.delete_project(seed.db, row, NOW_MS)


def purge_all(seed: Seed, project_id: int, rows_max: int) -> list[int]:
    """Purge to the end; how many rows each step changed."""
    steps = []
    for _ in range(1000):
        before = seed.db.total_changes()
        found = purge.find_unindexed_rows(seed.db, project_id, rows_max)
        with connection.immediate(seed.db):
            done = purge.purge_batch(seed.db, project_id, found, rows_max=rows_max, now_ms=NOW_MS)
        steps.append(seed.db.total_changes() - before)
        if done:
            return steps
    raise AssertionError("the purge does not end")


def rows_of(seed: Seed, project_id: int) -> dict[str, int]:
    """Rows by table that belong to a project, directly or through its issues; tables without any are left out."""
    found = {}
    for (table,) in seed.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        columns = {row[1] for row in seed.rows(f"PRAGMA table_info({table})")}
        by_issue = f"SELECT count(*) FROM {table} WHERE issue_id IN (SELECT id FROM issues WHERE project_id = ?)"
        by_project = f"SELECT count(*) FROM {table} WHERE project_id = ?"
        by_fingerprint = f"""
            SELECT count(*) FROM {table} WHERE fingerprint_id IN (SELECT id FROM fingerprints WHERE project_id = ?)"""
        if columns & {"project_id", "issue_id", "fingerprint_id"}:
            by = by_project if "project_id" in columns else by_issue if "issue_id" in columns else by_fingerprint
            count = seed.value(by, project_id)
            found |= {table: count} if count else {}
    return found


def test_every_table_with_rows_of_a_project_is_purged_or_spared_by_name(seed: Seed) -> None:
    tables = {
        table
        for (table,) in seed.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        if {row[1] for row in seed.rows(f"PRAGMA table_info({table})")} & {"project_id", "issue_id", "fingerprint_id"}
    }

    purged = {table.name for table in features.tables() if table.purge}
    assert tables == purged - {"deliveries", "issue_search"} | {t.name for t in features.tables() if t.outlives_project}
    assert set(rows_of(seed, fill(seed, "shop"))) == purged - {"deliveries", "issue_search"} | {"ledger_totals"}


def test_a_deleted_project_is_gone_at_once_for_everybody(seed: Seed) -> None:
    project = fill(seed, "shop")
    seed.project("other")

    delete(seed, "shop")

    assert [row.slug for row in read_projects.list_projects(seed.db)] == ["other"]
    assert read_projects.list_projects(seed.db, [project]) == []
    assert [key.slug for key in read_projects.project_keys(seed.db)] == ["other"]
    assert project not in read_projects.project_ids(seed.db)
    for reference in ("shop", "id-of-shop", f"#{project}"):
        assert read_projects.get_project(seed.db, reference) is None
    assert read_tokens.list_tokens(seed.db) == []
    assert seed.rows("SELECT count(*) FROM projects WHERE api_key = 'key-of-shop' OR name = 'Shop'") == [(0,)]


def test_the_slug_is_free_at_once_and_the_number_is_never_given_again(seed: Seed) -> None:
    project = fill(seed, "shop")
    delete(seed, "shop")
    purge_all(seed, project, 100)

    again, _ = projects.create_project(seed.db, name="Shop", slug="shop", now_ms=NOW_MS)

    assert again.id > project
    assert rows_of(seed, again.id) == {}


@pytest.mark.parametrize("rows_max", [1, 2, 7, 1000])
def test_a_purge_leaves_nothing_but_the_ledger_and_no_step_is_large(seed: Seed, rows_max: int) -> None:
    kept = fill(seed, "kept")
    before = rows_of(seed, kept)
    project = fill(seed, "shop", issues=12)
    delete(seed, "shop")

    steps = purge_all(seed, project, rows_max)

    assert rows_of(seed, project) == {"ledger_totals": 1}
    assert rows_of(seed, kept) == before
    # Beside `rows_max` rows, a step deletes issues that have no rows left; for each a trigger runs, and the full-text
    # index changes a few rows of its own.
    assert max(steps) <= rows_max + 7 * 12 + 2
    assert read_projects.list_projects_to_purge(seed.db) == []


def test_a_purge_that_was_interrupted_anywhere_goes_on(seed: Seed) -> None:
    project = fill(seed, "shop")
    delete(seed, "shop")
    for _ in range(7):
        signal_ids = purge.find_unindexed_rows(seed.db, project, 3)
        with connection.immediate(seed.db):
            purge.purge_batch(seed.db, project, signal_ids, rows_max=3, now_ms=NOW_MS)
    assert read_projects.list_projects_to_purge(seed.db) == [project]

    purge_all(seed, project, 5)

    assert rows_of(seed, project) == {"ledger_totals": 1}


def test_the_default_project_stays(seed: Seed) -> None:
    projects.ensure_default_project(seed.db, "s" * 40, NOW_MS)

    with pytest.raises(InvalidField, match="cannot delete the default project"):
        delete(seed, "default")


def test_deleting_twice_is_not_found(seed: Seed) -> None:
    seed.project("shop")
    row = read_projects.get_project(seed.db, "shop")
    assert row is not None
    projects.delete_project(seed.db, row, NOW_MS)

    with pytest.raises(NotFound, match="project not found"):
        projects.delete_project(seed.db, row, NOW_MS)


def test_contents_count_what_would_be_lost(seed: Seed) -> None:
    project = fill(seed, "shop")
    seed.token(project, "errors:read", expires_in_days=1)

    assert read_projects.project_contents(seed.db, project, NOW_MS) == (3, 12, 1, 2)
    assert read_projects.project_contents(seed.db, project, NOW_MS + 2 * 86_400_000).tokens == 1
