"""Keys that can only write: made, listed, revoked for good."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop.base.errors import NotFound
from bloop.db import connection
from bloop.projects import read as read_projects
from bloop.projects import store as projects
from bloop.projects.write_keys.read import list_all_write_keys, list_write_keys
from bloop.projects.write_keys.store import WriteKeyKind, create_write_key, revoke_write_key
from tests.seed import NOW_MS, Seed


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


def working(seed: Seed) -> list[str]:
    return [row.key for row in list_all_write_keys(seed.db) if row.revoked_at_ms is None]


@pytest.mark.parametrize(
    ("kind", "looks_like"), [(WriteKeyKind.CAPTURE, "bloop_ck_[0-9a-f]{32}"), (WriteKeyKind.DSN, "[0-9a-f]{32}")]
)
def test_a_key_is_made_of_its_kind_and_works(seed: Seed, kind: WriteKeyKind, looks_like: str) -> None:
    shop = seed.project("shop")

    key_id, key = create_write_key(seed.db, shop, kind, name="iOS", now_ms=NOW_MS)

    assert re.fullmatch(looks_like, key)
    assert list_write_keys(seed.db, shop) == [(key_id, shop, key, kind, "iOS", NOW_MS, None)]
    assert working(seed) == [key]


def test_a_project_has_several_and_sees_only_its_own_newest_first(seed: Seed) -> None:
    shop, other = seed.project("shop"), seed.project("other")
    first, second = (create_write_key(seed.db, shop, WriteKeyKind.DSN, now_ms=NOW_MS)[0] for _ in range(2))
    create_write_key(seed.db, other, WriteKeyKind.DSN, now_ms=NOW_MS)

    assert [row.id for row in list_write_keys(seed.db, shop)] == [second, first]
    assert len(working(seed)) == 3


def test_a_revoked_key_works_no_more_and_stays_in_the_list(seed: Seed) -> None:
    shop = seed.project("shop")
    key_id, _ = create_write_key(seed.db, shop, WriteKeyKind.CAPTURE, now_ms=NOW_MS)

    revoke_write_key(seed.db, shop, key_id, now_ms=NOW_MS + 1)

    assert working(seed) == []
    assert [row.revoked_at_ms for row in list_write_keys(seed.db, shop)] == [NOW_MS + 1]
    with pytest.raises(NotFound, match="already revoked"):
        revoke_write_key(seed.db, shop, key_id, now_ms=NOW_MS + 2)


def test_nobody_revokes_a_key_of_another_project(seed: Seed) -> None:
    shop, other = seed.project("shop"), seed.project("other")
    key_id, key = create_write_key(seed.db, shop, WriteKeyKind.DSN, now_ms=NOW_MS)

    with pytest.raises(NotFound):
        revoke_write_key(seed.db, other, key_id, now_ms=NOW_MS)

    assert working(seed) == [key]


def test_keys_of_a_deleted_project_work_no_more(seed: Seed) -> None:
    create_write_key(seed.db, seed.project("shop"), WriteKeyKind.DSN, now_ms=NOW_MS)
    row = read_projects.get_project(seed.db, "shop")
    assert row is not None

    with connection.immediate(seed.db):
        projects.delete_project(seed.db, row, NOW_MS)

    assert working(seed) == []
