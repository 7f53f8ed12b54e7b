"""Every broken promise is reported: a chaos test that always passes would be worse than none."""

from __future__ import annotations

import pytest

from bloop.base.outcomes import Outcome
from tests.acceptance.load import Answers
from tests.chaos.accounts import Account, imbalances


def make_account() -> Account:
    account = Account()
    account.add([Answers(accepted=["a", "b"], unanswered=["u"], dropped=["d"])])
    return account


@pytest.mark.parametrize("stored", [["a", "b"], ["a", "b", "u"]])
def test_accepted_events_are_stored_and_unanswered_ones_may_be(stored: list[str]) -> None:
    assert make_account().breaches(stored) == []


@pytest.mark.parametrize(
    ("stored", "breach"),
    [
        (["a"], "1 accepted and not stored: ['b']"),
        (["a", "b", "b"], "1 stored twice: ['b']"),
        (["a", "b", "d"], "1 stored, and never sent or refused: ['d']"),
        (["a", "b", "x"], "1 stored, and never sent or refused: ['x']"),
    ],
)
def test_a_missing_doubled_or_unknown_event_is_a_breach(stored: list[str], breach: str) -> None:
    assert make_account().breaches(stored) == [breach]


def test_a_refusal_is_a_breach() -> None:
    account = make_account()
    account.add([Answers(refused=["r"])])

    assert account.breaches(["a", "b"]) == ["1 refused: ['r']"]


def test_damage_excuses_the_damaged_ids_and_no_other() -> None:
    assert make_account().breaches(["a"], damaged=frozenset("b")) == []
    assert make_account().breaches([], damaged=frozenset("b")) == ["1 accepted and not stored: ['a']"]
    assert make_account().breaches(["a", "b"], damaged=frozenset("b")) == ["1 stored, with damaged bytes: ['b']"]


def test_a_ledger_balances_for_each_project_and_with_the_rows() -> None:
    ledger = {(1, Outcome.RECEIVED): 5, (1, Outcome.STORED): 4, (1, Outcome.INTERRUPTED): 1}

    assert imbalances(ledger, stored=4) == []
    assert imbalances(ledger, stored=3) == ["the ledger says 4 are stored, there are 3"]
    assert imbalances(ledger | {(2, Outcome.RECEIVED): 1}, stored=4) == ["project 2 does not balance: received 1"]
    assert imbalances({(1, Outcome.RECEIVED): 1, (1, Outcome.DEAD_LETTER): 1}, stored=0) == ["1 dead letters"]
