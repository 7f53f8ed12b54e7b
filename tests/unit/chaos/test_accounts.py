"""Every broken promise is seen: a chaos test that passes whatever happens would be worse than none."""

from __future__ import annotations

import pytest

from bloop.base.outcomes import Outcome
from tests.acceptance.load import Told
from tests.chaos.accounts import Account, imbalances


def account() -> Account:
    made = Account()
    made.add([Told(accepted=["a", "b"], unanswered=["u"], dropped=["d"])])
    return made


@pytest.mark.parametrize("stored", [["a", "b"], ["a", "b", "u"]])
def test_what_was_accepted_is_stored_and_what_was_not_answered_may_be(stored: list[str]) -> None:
    assert account().breaches(stored) == []


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (["a"], "1 accepted and not stored: ['b']"),
        (["a", "b", "b"], "1 stored twice: ['b']"),
        (["a", "b", "d"], "1 stored, and never sent or refused: ['d']"),
        (["a", "b", "x"], "1 stored, and never sent or refused: ['x']"),
    ],
)
def test_what_is_missing_doubled_or_invented_is_a_breach(stored: list[str], said: str) -> None:
    assert account().breaches(stored) == [said]


def test_a_refusal_is_a_breach() -> None:
    made = account()
    made.add([Told(refused=["r"])])

    assert made.breaches(["a", "b"]) == ["1 refused: ['r']"]


def test_damage_excuses_the_damaged_ids_and_no_other() -> None:
    assert account().breaches(["a"], damaged=frozenset("b")) == []
    assert account().breaches([], damaged=frozenset("b")) == ["1 accepted and not stored: ['a']"]
    assert account().breaches(["a", "b"], damaged=frozenset("b")) == ["1 stored, with damaged bytes: ['b']"]


def test_a_ledger_balances_for_each_project_and_with_the_rows() -> None:
    ledger = {(1, Outcome.RECEIVED): 5, (1, Outcome.STORED): 4, (1, Outcome.INTERRUPTED): 1}

    assert imbalances(ledger, stored=4) == []
    assert imbalances(ledger, stored=3) == ["the ledger says 4 are stored, there are 3"]
    assert imbalances(ledger | {(2, Outcome.RECEIVED): 1}, stored=4) == ["project 2 does not balance: received 1"]
    assert imbalances({(1, Outcome.RECEIVED): 1, (1, Outcome.DEAD_LETTER): 1}, stored=0) == ["1 dead letters"]
