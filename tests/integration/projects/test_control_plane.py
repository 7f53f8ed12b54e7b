"""Projects, tokens, sign-ins, sign-in links and status changes: what the control plane writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import orjson
import pytest

from bloop.accounts.links import store as login_links
from bloop.accounts.sign_ins import read as read_sign_ins
from bloop.accounts.sign_ins import store as sign_ins
from bloop.base import credentials
from bloop.base.errors import Conflict, InvalidParameter, NotFound
from bloop.db import connection
from bloop.issues.status import store as status
from bloop.issues.status.audit import Actor
from bloop.issues.status.model import SETTABLE, Status
from bloop.issues.status.regression import Resolution
from bloop.projects import store as projects
from bloop.projects.read import get_project, project_keys
from bloop.projects.tokens import read as read_tokens
from bloop.projects.tokens import store as tokens
from tests.seed import NOW_MS, Seed

SECRET = "s" * 40
DAY_MS = 86_400_000


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


@pytest.fixture
def db(seed: Seed) -> apsw.Connection:
    return seed.db


# Projects -----------------------------------------------------------------------------------------------------------


def test_a_new_project_has_a_key_of_its_own_and_a_prefix_from_its_slug(db: apsw.Connection) -> None:
    project, key = projects.create_project(db, name="  Mobile app ", slug="mobile-app", now_ms=NOW_MS)

    assert credentials.PROJECT_KEY_PATTERN.fullmatch(key)
    assert (project.name, project.short_prefix, project.created_at_ms) == ("Mobile app", "MOBILE-APP", NOW_MS)
    assert [row.api_key for row in project_keys(db)] == [key]


@pytest.mark.parametrize(
    ("name", "slug", "reason"),
    [
        (" ", "shop", "name is required"),
        ("n" * 101, "shop", "name must be at most 100 characters"),
        ("Shop", "", "slug is required"),
        ("Shop", "Shop", "slug must be lowercase alphanumeric with hyphens"),
        ("Shop", "shop\n", "slug must be lowercase alphanumeric with hyphens"),
        ("Shop", "s" * 65, "slug must be at most 64 characters"),
    ],
)
def test_names_and_slugs_that_will_not_do_are_refused(db: apsw.Connection, name: str, slug: str, reason: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        projects.create_project(db, name=name, slug=slug, now_ms=NOW_MS)

    assert refused.value.reason == reason


def test_a_slug_is_taken_once(db: apsw.Connection) -> None:
    projects.create_project(db, name="Shop", slug="shop", now_ms=NOW_MS)

    with pytest.raises(Conflict, match="a project with that slug already exists"):
        projects.create_project(db, name="Other", slug="shop", now_ms=NOW_MS)


def test_the_default_project_keeps_up_with_the_configured_secret(db: apsw.Connection) -> None:
    assert projects.ensure_default_project(db, SECRET, NOW_MS)
    assert not projects.ensure_default_project(db, SECRET, NOW_MS)
    assert [(row.public_id, row.slug, row.api_key) for row in project_keys(db)] == [("default", "default", SECRET)]

    assert projects.ensure_default_project(db, "t" * 40, NOW_MS)
    assert [row.api_key for row in project_keys(db)] == ["t" * 40]


def test_a_rotated_key_of_the_default_project_is_left_alone(db: apsw.Connection) -> None:
    projects.ensure_default_project(db, SECRET, NOW_MS)
    default = get_project(db, "default")
    assert default is not None
    key = projects.rotate_key(db, default.id, NOW_MS)

    assert not projects.ensure_default_project(db, "t" * 40, NOW_MS)
    assert [row.api_key for row in project_keys(db)] == [key]


def test_projects_are_renamed_and_unknown_ones_are_not_found(db: apsw.Connection) -> None:
    project, _ = projects.create_project(db, name="Shop", slug="shop", now_ms=NOW_MS)

    projects.rename_project(db, project.id, "Store")

    renamed = get_project(db, "shop")
    assert renamed is not None
    assert renamed.name == "Store"
    for call in (lambda: projects.rename_project(db, 99, "x"), lambda: projects.rotate_key(db, 99, NOW_MS)):
        with pytest.raises(NotFound, match="project not found"):
            call()


# Tokens -------------------------------------------------------------------------------------------------------------


def test_a_token_is_stored_as_its_hash_and_recognised_by_its_prefix(seed: Seed) -> None:
    project = seed.project("shop")

    made = tokens.create_token(
        seed.db, name=" ci ", project_id=project, scopes=["errors:read"], now_ms=NOW_MS, expires_in_days=90
    )

    assert made.token.startswith("bloop_tk_")
    assert len(made.token) == len("bloop_tk_") + 43
    assert made.expires_at == NOW_MS // 1000 + 90 * 86_400
    (row,) = read_tokens.list_tokens(seed.db, project)
    assert (row.name, row.token_prefix, row.scopes) == ("ci", made.token[:16], "errors:read")
    assert made.token not in str(seed.rows("SELECT * FROM api_tokens"))


def test_a_token_is_good_until_it_expires_or_is_revoked(seed: Seed) -> None:
    project = seed.project("shop")
    made = tokens.create_token(
        seed.db, name="ci", project_id=project, scopes=["errors:read"], now_ms=NOW_MS, expires_in_days=1
    )
    hashed = credentials.token_hash(made.token)

    assert read_tokens.find_grant(seed.db, hashed, NOW_MS + DAY_MS) is not None
    assert read_tokens.find_grant(seed.db, hashed, NOW_MS + DAY_MS + 1000) is None
    tokens.revoke_token(seed.db, made.id, NOW_MS)
    assert read_tokens.find_grant(seed.db, hashed, NOW_MS) is None
    with pytest.raises(NotFound, match="token not found or already revoked"):
        tokens.revoke_token(seed.db, made.id, NOW_MS)


@pytest.mark.parametrize(("name", "days"), [("", None), ("  ", None), ("n" * 101, None), ("ci", 0), ("ci", 3651)])
def test_tokens_need_a_name_and_a_bounded_life(seed: Seed, name: str, days: int | None) -> None:
    project = seed.project("shop")

    with pytest.raises(InvalidParameter):
        tokens.create_token(
            seed.db, name=name, project_id=project, scopes=["errors:read"], now_ms=NOW_MS, expires_in_days=days
        )


def test_tokens_are_listed_newest_first_revoked_ones_included(seed: Seed) -> None:
    one, two = seed.project("one"), seed.project("two")
    made = [
        tokens.create_token(seed.db, name=f"t{n}", project_id=p, scopes=["errors:read"], now_ms=NOW_MS)
        for n, p in enumerate((one, one, two))
    ]
    tokens.revoke_token(seed.db, made[0].id, NOW_MS)
    tokens.touch_token(seed.db, made[1].id, NOW_MS + 5000)

    rows = read_tokens.list_tokens(seed.db, one)

    assert [(row.name, row.revoked_at is None, row.last_used_at) for row in rows] == [
        ("t1", True, NOW_MS // 1000 + 5),
        ("t0", False, None),
    ]
    assert len(read_tokens.list_tokens(seed.db)) == 3


# Sign-ins and sign-in links -----------------------------------------------------------------------------------------


def test_a_sign_in_is_stored_as_its_hash_and_ends_on_time(seed: Seed) -> None:
    user_id = seed.user("ada", is_admin=True)
    cookie = sign_ins.create_sign_in(seed.db, user_id, now_ms=NOW_MS, ttl_s=60)
    hashed = credentials.token_hash(cookie)

    found = read_sign_ins.find_sign_in(seed.db, hashed, NOW_MS + 59_999)
    assert found is not None
    assert (found.user_id, found.username, found.is_admin) == (user_id, "ada", True)
    assert read_sign_ins.find_sign_in(seed.db, hashed, NOW_MS + 60_000) is None
    assert seed.rows("SELECT token FROM sign_ins") == [(hashed,)]


def test_signing_out_ends_only_that_sign_in(seed: Seed) -> None:
    cookies = [sign_ins.create_sign_in(seed.db, None, now_ms=NOW_MS, ttl_s=60) for _ in range(2)]

    sign_ins.delete_sign_in(seed.db, cookies[0])
    sign_ins.delete_sign_in(seed.db, "never seen")

    found = [read_sign_ins.find_sign_in(seed.db, credentials.token_hash(c), NOW_MS) is not None for c in cookies]
    assert found == [False, True]


def test_the_sweep_takes_expired_sign_ins_only(seed: Seed) -> None:
    for ttl_s in (10, 20, 30):
        sign_ins.create_sign_in(seed.db, None, now_ms=NOW_MS, ttl_s=ttl_s)

    assert sign_ins.sweep_sign_ins(seed.db, NOW_MS + 20_000) == 2
    assert seed.value("SELECT count(*) FROM sign_ins") == 1


def test_deleting_a_user_ends_their_sign_ins(seed: Seed) -> None:
    cookie = sign_ins.create_sign_in(seed.db, seed.user("ada"), now_ms=NOW_MS, ttl_s=60)

    seed.db.execute("DELETE FROM webauthn_users")

    assert read_sign_ins.find_sign_in(seed.db, credentials.token_hash(cookie), NOW_MS) is None


def test_a_sign_in_link_works_once(seed: Seed) -> None:
    token = login_links.create_login_link(seed.db, now_ms=NOW_MS, ttl_s=900)

    consumed = [login_links.consume_login_link(seed.db, token, NOW_MS + n) for n in range(3)]

    assert consumed == [login_links.ConsumedLink(user_id=None), None, None]
    assert token not in str(seed.rows("SELECT * FROM login_links"))


def test_of_two_connections_only_one_gets_the_link(seed: Seed) -> None:
    token = login_links.create_login_link(seed.db, now_ms=NOW_MS, ttl_s=900)
    other = connection.open_control(seed.path)
    other.set_busy_timeout(0)
    try:
        with connection.immediate(seed.db):
            assert login_links.consume_login_link(seed.db, token, NOW_MS)
            with pytest.raises(apsw.BusyError):
                other.execute("BEGIN IMMEDIATE")
        assert not login_links.consume_login_link(other, token, NOW_MS)
    finally:
        other.close()


def test_a_sign_in_link_runs_out_and_is_forgotten_later(seed: Seed) -> None:
    token = login_links.create_login_link(seed.db, now_ms=NOW_MS, ttl_s=900)

    assert not login_links.consume_login_link(seed.db, token, NOW_MS + 900_000)
    login_links.create_login_link(seed.db, now_ms=NOW_MS + 3 * DAY_MS, ttl_s=900)
    assert seed.value("SELECT count(*) FROM login_links") == 1


# Status -------------------------------------------------------------------------------------------------------------


def set_status(db: apsw.Connection, issue_ids: list[int], wanted: Status, now_ms: int = NOW_MS) -> int:
    return status.change_status(db, issue_ids, wanted, actor=Actor("u1", "api"), now_ms=now_ms)


def test_a_change_of_status_moves_issue_aggregates_audit_and_signal_together(seed: Seed) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")
    seed.aggregate(issue_id, release="2.0")

    assert set_status(seed.db, [issue_id], Status.RESOLVED) == 2

    assert seed.rows("SELECT status, resolved_at_ms FROM issues") == [("resolved", NOW_MS)]
    assert seed.rows("SELECT DISTINCT status FROM aggregates") == [("resolved",)]
    assert seed.rows("SELECT old_status, new_status, changed_by, changed_via, changed_at_ms FROM status_changes") == [
        ("unresolved", "resolved", "u1", "api", NOW_MS)
    ]
    ((kind, signal_issue, data),) = seed.rows("SELECT kind, issue_id, data FROM signals")
    assert (kind, signal_issue) == ("issue.resolved", issue_id)
    assert orjson.loads(data) == {"old_status": "unresolved", "new_status": "resolved", "by": "u1", "via": "api"}


@pytest.mark.parametrize("wanted", SETTABLE)
def test_only_resolved_issues_know_when_and_where_they_were_resolved(seed: Seed, wanted: Status) -> None:
    issue_id = seed.issue(seed.project("shop"), "a", status="regressed")
    fixed = {"actor": Actor("u1", "api"), "resolution": Resolution("1.0")}
    status.change_status(seed.db, [issue_id], Status.RESOLVED, now_ms=NOW_MS, **fixed)

    status.change_status(seed.db, [issue_id], wanted, now_ms=NOW_MS + 1, **fixed)

    expected = (NOW_MS + 1, "1.0") if wanted is Status.RESOLVED else (None, None)
    assert seed.rows("SELECT resolved_at_ms, resolved_in_release FROM issues") == [expected]


def test_saying_it_again_is_written_down_but_signals_nothing(seed: Seed) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")

    for n in range(3):
        set_status(seed.db, [issue_id], Status.MUTED, NOW_MS + n)

    assert seed.rows("SELECT old_status, new_status FROM status_changes ORDER BY id") == [
        ("unresolved", "muted"),
        ("muted", "muted"),
        ("muted", "muted"),
    ]
    assert seed.rows("SELECT kind FROM signals") == [("issue.muted",)]


def test_a_change_that_fails_half_way_changes_nothing(seed: Seed) -> None:
    project = seed.project("shop")
    issue_ids = [seed.issue(project, "a"), seed.issue(project, "b")]
    seed.db.execute(
        "CREATE TEMP TRIGGER no AFTER INSERT ON main.status_changes WHEN new.issue_id = (SELECT max(id) FROM issues)"
        " BEGIN SELECT raise(ABORT, 'no'); END"
    )

    with pytest.raises(apsw.ConstraintError), connection.immediate(seed.db):
        set_status(seed.db, issue_ids, Status.RESOLVED)

    assert seed.rows("SELECT DISTINCT status FROM issues") == [("unresolved",)]
    assert seed.rows("SELECT count(*) FROM status_changes") == [(0,)]
