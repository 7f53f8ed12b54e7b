"""What an account leaves behind when it is removed, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bloop.accounts.people.read import UserRow
from bloop.db.engine import Db


class Removal(NamedTuple):
    """An account that is being removed. `heir` gets what stays, None is the operator; `actor_id` removes it, `via` how.

    API tokens stop working unless `keeps_tokens`: whoever is removed may have a copy of them.
    """

    user_id: str
    heir: UserRow | None
    actor_id: str
    via: str
    now_ms: int
    keeps_tokens: bool = False

    @property
    def heir_id(self) -> str | None:
        return self.heir.id if self.heir else None


@dataclass(frozen=True, slots=True)
class Belongings:
    """Rows of one feature that have an owner. Features register theirs (`bloop/features.py`).

    `settle` runs in the transaction that removes the account, before its row is gone.
    """

    name: str  # in the plural, for JSON and for pages
    count: Callable[[Db], Mapping[str, int]]  # by user id; users without any may be missing
    settle: Callable[[Db, Removal], int]  # hand over or end what the user has; how many rows that were
