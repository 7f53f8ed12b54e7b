"""Old keys in the database: kept, ended, remembered, forgotten; and when keys were last used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop.base.clock import DAY_MS
from bloop.base.config import ProjectLimits
from bloop.base.credentials import token_hash
from bloop.base.errors import Conflict, InvalidField, NotFound
from bloop.projects import store as projects
from bloop.projects.key_uses import KeyUseStore
from bloop.projects.old_keys import store as old_keys
from bloop.projects.old_keys.read import list_all_old_keys, list_old_keys
from bloop.projects.read import KeyState, list_keys, require_project
from bloop.records.record import KeyUse
from tests.seed import NOW_MS, Seed

KEY = "bloop_" + "1f" * 32
LATER_MS = NOW_MS + 1000


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


@pytest.fixture
def shop(seed: Seed) -> int:
    return seed.project("shop", api_key=KEY)


def working(seed: Seed, project_id: int, now_ms: int) -> list[str | None]:
    return [row.key for row in list_old_keys(seed.db, project_id) if row.ends_at_ms > now_ms]


def test_a_kept_key_is_there_until_it_ends_and_then_only_its_hash(seed: Seed, shop: int) -> None:
    projects.rotate_key(seed.db, shop, LATER_MS, keep_days=2)

    (row,) = list_old_keys(seed.db, shop)
    assert (row.key, row.key_start, row.made_at_ms) == (KEY, KEY[:12], NOW_MS)
    assert (row.replaced_at_ms, row.ends_at_ms) == (LATER_MS, LATER_MS + 2 * DAY_MS)
    old_keys.forget_ended(seed.db, LATER_MS + 2 * DAY_MS - 1)
    assert working(seed, shop, LATER_MS) == [KEY]
    old_keys.forget_ended(seed.db, LATER_MS + 2 * DAY_MS)
    (row,) = list_old_keys(seed.db, shop)
    assert (row.key, row.key_hash) == (None, token_hash(KEY))


def test_without_keeping_it_no_older_key_works_either(seed: Seed, shop: int) -> None:
    second = projects.rotate_key(seed.db, shop, LATER_MS, keep_days=30)
    third = projects.rotate_key(seed.db, shop, LATER_MS + 1, keep_days=1)
    assert working(seed, shop, LATER_MS + 1) == [second, KEY]

    projects.rotate_key(seed.db, shop, LATER_MS + 2)

    assert working(seed, shop, LATER_MS + 2) == []
    rows = list_old_keys(seed.db, shop)
    assert [(row.key, row.key_hash) for row in rows] == [(None, token_hash(key)) for key in (third, second, KEY)]


def test_keys_made_in_one_millisecond_are_told_apart(seed: Seed, shop: int) -> None:
    for _ in range(3):
        projects.rotate_key(seed.db, shop, NOW_MS)

    assert [row.made_at_ms for row in list_old_keys(seed.db, shop)] == [NOW_MS + 2, NOW_MS + 1, NOW_MS]


@pytest.mark.parametrize("days", [-1, 31, 10**30])
def test_a_key_is_kept_thirty_days_at_most(seed: Seed, shop: int, days: int) -> None:
    with pytest.raises(InvalidField, match="keep_days must be a whole number from 0 to 30"):
        projects.rotate_key(seed.db, shop, NOW_MS, keep_days=days)


def test_old_keys_that_work_are_few_and_those_remembered_are_bounded(seed: Seed, shop: int) -> None:
    for n in range(old_keys.KEPT_MAX):
        projects.rotate_key(seed.db, shop, LATER_MS + n, keep_days=1)
    with pytest.raises(Conflict, match="5 old keys of this project still work"):
        projects.rotate_key(seed.db, shop, LATER_MS + 99, keep_days=1)

    for n in range(2 * old_keys.REMEMBERED_MAX):
        projects.rotate_key(seed.db, shop, LATER_MS + 100 + n)

    assert len(list_old_keys(seed.db, shop)) == old_keys.REMEMBERED_MAX


def test_one_old_key_is_ended_before_its_time(seed: Seed, shop: int) -> None:
    second = projects.rotate_key(seed.db, shop, LATER_MS, keep_days=9)
    projects.rotate_key(seed.db, shop, LATER_MS + 1, keep_days=9)

    old_keys.end_old_key(seed.db, shop, NOW_MS, LATER_MS + 2)

    assert working(seed, shop, LATER_MS + 2) == [second]
    for made_at_ms in (NOW_MS, LATER_MS + 1, 5):  # ended, the current one, none
        with pytest.raises(NotFound):
            old_keys.end_old_key(seed.db, shop, made_at_ms, LATER_MS + 3)


def test_the_configured_secret_is_never_kept(seed: Seed) -> None:
    projects.ensure_default_project(seed.db, "s" * 40, NOW_MS)
    default = require_project(seed.db, "default")

    projects.rotate_key(seed.db, default.id, LATER_MS, keep_days=30)

    (row,) = list_old_keys(seed.db, default.id)
    assert (row.key, row.key_start, row.ends_at_ms) == (None, "", LATER_MS)


def test_a_key_that_comes_back_is_no_old_one(seed: Seed, shop: int) -> None:
    projects.rotate_key(seed.db, shop, LATER_MS)

    projects.replace_key(seed.db, shop, KEY, LATER_MS + 1)

    assert token_hash(KEY) not in [row.key_hash for row in list_old_keys(seed.db, shop)]


def test_a_deleted_project_has_no_old_keys(seed: Seed, shop: int) -> None:
    projects.rotate_key(seed.db, shop, LATER_MS, keep_days=9)

    projects.delete_project(seed.db, require_project(seed.db, "shop"), LATER_MS)

    assert list_all_old_keys(seed.db) == []
    assert seed.value("SELECT count(*) FROM old_keys") == 0


def test_each_use_is_stored_with_the_key_it_was_of(seed: Seed, shop: int) -> None:
    projects.rotate_key(seed.db, shop, LATER_MS, keep_days=9)
    late_and_early = [KeyUse(shop, 700, NOW_MS), KeyUse(shop, 900, NOW_MS), KeyUse(shop, 800, NOW_MS)]

    KeyUseStore(seed.db, ProjectLimits()).insert(
        [*late_and_early, KeyUse(shop, 1000, LATER_MS), KeyUse(shop, 5000, 77)]
    )
    projects.rotate_key(seed.db, shop, LATER_MS + 5, keep_days=1)

    summaries = list_keys(seed.db, require_project(seed.db, "shop"), LATER_MS + 5)
    assert [(key.state, key.made_at_ms, key.used_at_ms) for key in summaries] == [
        (KeyState.CURRENT, LATER_MS + 5, None),
        (KeyState.OLD, LATER_MS, 1000),
        (KeyState.OLD, NOW_MS, 900),
    ]
