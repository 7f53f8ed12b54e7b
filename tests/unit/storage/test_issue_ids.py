"""What the writer remembers of issues between batches (bloop/issues/store.py)."""

from __future__ import annotations

from bloop.issues.store import CACHE_ISSUES_MAX, IssueIds


def test_a_bounded_number_of_issues_is_remembered_and_the_oldest_go_first():
    ids = IssueIds()

    for issue_id in range(1, CACHE_ISSUES_MAX + 2):
        ids.learn((1, f"{issue_id:016x}"), issue_id)
        ids.commit()

    assert ids.get((1, f"{1:016x}")) is None
    assert ids.get((1, f"{CACHE_ISSUES_MAX + 1:016x}")) == CACHE_ISSUES_MAX + 1


def test_what_a_rolled_back_transaction_learnt_is_not_believed():
    ids = IssueIds()
    ids.learn((1, "a"), 7)

    ids.rollback()
    ids.commit()

    assert ids.get((1, "a")) is None
