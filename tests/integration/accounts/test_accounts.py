"""Invariants USER-1 to USER-3 and PASSKEY-1 to PASSKEY-2, and what 0002 does to an older database."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from bloop.accounts.invites.store import consume_invite, create_invite
from bloop.accounts.passkeys.read import challenge_key, find_passkey
from bloop.accounts.passkeys.store import add_passkey, remove_passkey, spend_challenge, use_passkey
from bloop.accounts.people.read import find_user, list_people
from bloop.accounts.people.store import create_user, delete_user, set_role
from bloop.accounts.sign_ins.store import create_sign_in
from bloop.base import credentials
from bloop.base.errors import Conflict
from bloop.db import connection, migrate
from tests.seed import NOW_MS, Seed


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "x.db")
    yield made
    made.close()


def passkey(db: apsw.Connection, user_id: str, credential_id: bytes = b"c", sign_count: int = 3) -> str:
    return add_passkey(
        db, user_id, credential_id=credential_id, public_key=b"k", sign_count=sign_count, transports=[], name="n",
        is_synced=False, now_ms=NOW_MS,
    )  # fmt: skip


def test_the_first_account_is_an_admin_and_the_next_is_not(seed: Seed) -> None:
    create_sign_in(seed.db, None, now_ms=NOW_MS, ttl_s=60)

    for name in ("ada", "grace"):
        create_user(seed.db, username=name, now_ms=NOW_MS)

    assert [(p.user.username, p.user.is_admin) for p in list_people(seed.db)] == [("ada", True), ("grace", False)]
    assert seed.value("SELECT count(*) FROM sign_ins") == 0


def test_a_name_is_found_in_whatever_case_the_exact_one_first(seed: Seed) -> None:
    upper, lower = seed.user("ADA"), seed.user("ada")  # a seeding script may have written both

    found = [find_user(seed.db, name) for name in ("ADA", "ada", "Ada", "eve")]

    assert [row and row.id for row in found][:2] == [upper, lower]
    assert found[2] is not None
    assert found[3] is None
    with pytest.raises(Conflict, match="that username is taken"):
        create_user(seed.db, username="aDa", now_ms=NOW_MS)


def test_two_admins_who_demote_each_other_leave_one(seed: Seed) -> None:
    admins = [seed.user(name, is_admin=True) for name in ("ada", "grace")]
    refused = []

    def demote(user_id: str) -> None:
        with contextlib.closing(connection.open_control(seed.path)) as db:
            try:
                with connection.immediate(db):
                    set_role(db, user_id, is_admin=False)
            except Conflict:
                refused.append(user_id)

    threads = [threading.Thread(target=demote, args=(user_id,)) for user_id in admins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert len(refused) == 1
    assert seed.value("SELECT sum(is_admin) FROM webauthn_users") == 1


def test_the_last_admin_is_not_removed_others_are(seed: Seed) -> None:
    admin, other = seed.user("ada", is_admin=True), seed.user("grace")

    with pytest.raises(Conflict, match="there must be an admin"):
        delete_user(seed.db, admin)
    delete_user(seed.db, other)

    assert seed.value("SELECT count(*) FROM webauthn_users") == 1


def test_the_only_passkey_stays(seed: Seed) -> None:
    user = seed.user("ada")
    first, second = passkey(seed.db, user, b"1"), passkey(seed.db, user, b"2")
    remove_passkey(seed.db, user, first)

    with pytest.raises(Conflict, match="this is your only passkey"), connection.immediate(seed.db):
        remove_passkey(seed.db, user, second)

    assert seed.value("SELECT id FROM passkeys") == second


def test_of_two_uses_with_the_same_counter_one_counts(seed: Seed) -> None:
    key = passkey(seed.db, seed.user("ada"))

    uses = [
        use_passkey(seed.db, key, expected=3, sign_count=4, is_synced=True, now_ms=NOW_MS),
        use_passkey(seed.db, key, expected=3, sign_count=4, is_synced=True, now_ms=NOW_MS),
        use_passkey(seed.db, "gone", expected=0, sign_count=0, is_synced=True, now_ms=NOW_MS),
    ]

    assert uses == [True, False, False]
    row = find_passkey(seed.db, b"c")
    assert row is not None
    assert (row.sign_count, row.is_synced, row.last_used_at) == (4, 1, NOW_MS // 1000)


def test_a_credential_belongs_to_one_account(seed: Seed) -> None:
    passkey(seed.db, seed.user("ada"))

    with pytest.raises(Conflict, match="registered already"):
        passkey(seed.db, seed.user("grace"))


def test_a_challenge_is_spent_once_and_forgotten_when_it_has_run_out(seed: Seed) -> None:
    def spend(nonce: bytes, now_ms: int) -> bool:
        return spend_challenge(seed.db, nonce, expires_at_ms=now_ms + 1000, now_ms=now_ms)

    assert [spend(b"a", NOW_MS), spend(b"a", NOW_MS), spend(b"b", NOW_MS), spend(b"c", NOW_MS + 1001)] == [
        True, False, True, True,
    ]  # fmt: skip
    assert seed.value("SELECT count(*) FROM spent_challenges") == 1


def test_an_invite_is_consumed_by_one(seed: Seed) -> None:

    made = create_invite(seed.db, created_by=None, now_ms=NOW_MS)
    hashed, users = credentials.token_hash(made.token), [seed.user("ada"), seed.user("grace")]

    assert [consume_invite(seed.db, hashed, user_id=user, now_ms=NOW_MS) for user in users] == [True, False]
    assert seed.rows("SELECT used_by, used_at FROM invites") == [(users[0], NOW_MS // 1000)]


def test_every_installation_seals_with_a_key_of_its_own(tmp_path: Path) -> None:
    keys = set()
    for name in ("one.db", "two.db"):
        migrate.migrate(tmp_path / name, NOW_MS)
        with contextlib.closing(connection.open_reader(tmp_path / name)) as db:
            keys.add(challenge_key(db))

    assert [len(key) for key in keys] == [32, 32]


def test_accounts_sessions_and_links_of_an_older_database_survive(tmp_path: Path) -> None:
    path, shipped = tmp_path / "old.db", migrate.shipped()
    migrate.migrate(path, 1, shipped[:1])
    with contextlib.closing(connection.open_control(path)) as db:
        db.execute("INSERT INTO webauthn_users VALUES ('u1', 'ada', 'Ada', 1, 1)")
        db.execute("INSERT INTO sessions VALUES ('hash', 'u1', 1, 9), ('operator', NULL, 1, 9)")
        db.execute("INSERT INTO login_links VALUES ('link', 1, 9, NULL)")

    migrate.migrate(path, 2, shipped[:2])

    with contextlib.closing(connection.open_reader(path)) as db:
        assert list(db.execute("SELECT token, user_id, agent, network, last_seen_at FROM sessions ORDER BY token")) == [
            ("hash", "u1", "", "", None),
            ("operator", None, "", "", None),
        ]
        assert list(db.execute("SELECT token_hash, user_id FROM login_links")) == [("link", None)]
        assert list(db.execute("PRAGMA foreign_key_check")) == []
