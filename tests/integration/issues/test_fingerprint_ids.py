"""What the writer remembers of fingerprints between batches (bloop/issues/fingerprints/store.py)."""

from __future__ import annotations

import pytest

from bloop.issues.fingerprints import store as fingerprints
from bloop.issues.fingerprints.store import CACHE_MAX, FingerprintIds
from tests.seed import Seed


@pytest.fixture
def seed(tmp_path):
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


def test_a_bounded_number_of_fingerprints_is_remembered_and_the_oldest_go_first(seed):
    ids = FingerprintIds(seed.db)

    for number in range(1, CACHE_MAX + 2):
        ids.learn((1, number), number)
        ids.commit()

    assert (1, 1) not in ids.known
    assert ids.known[1, CACHE_MAX + 1] == CACHE_MAX + 1


def test_what_a_rolled_back_transaction_learnt_is_not_believed(seed):
    ids = FingerprintIds(seed.db)
    ids.learn((1, 5), 7)
    ids.commit()
    ids.learn((1, b"a"), 8)

    ids.rollback()
    ids.commit()

    assert ids.known == {(1, 5): 7}


def test_nothing_is_believed_once_an_issue_was_deleted(seed):
    issue = seed.issue(seed.project("shop"), "f00d")
    ids = FingerprintIds(seed.db)
    ids.learn((1, 5), 7)

    ids.refresh()
    assert ids.known == {(1, 5): 7}
    seed.db.execute("DELETE FROM issues WHERE id = ?", (issue,))
    ids.refresh()

    assert ids.known == {}


def test_fingerprints_that_share_a_number_are_told_apart_by_their_text(seed):
    project = seed.project("shop")
    first, second = seed.issue(project, "first"), seed.issue(project, "second")
    seed.db.execute("UPDATE fingerprints SET hash = 5")

    found = [fingerprints.find(seed.db, project, 5, text) for text in ("first", "second", "third")]

    owners = fingerprints.owners(seed.db, [one for one in found if one is not None])
    assert found[2] is None
    assert [owners[one].issue_id for one in found[:2] if one is not None] == [first, second]
