"""The principal: who sends a request. `site/access.py` makes it once per request; it never changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bloop.auth.scopes import Scope


class PrincipalKind(StrEnum):
    ANONYMOUS = "anonymous"
    TOKEN = "token"  # noqa: S105 - an API token: one project, some scopes
    USER = "user"  # a user's session
    OPERATOR = "operator"  # a session opened by a one-time link from the command line


@dataclass(frozen=True, slots=True)
class Principal:
    """`project_ids` are the rows of `projects` it may see; None means all of them, an empty tuple none."""

    kind: PrincipalKind
    id: str  # user id, token id, or 'operator': shown in the audit trail and `changed_by`
    name: str  # to display
    project_ids: tuple[int, ...] | None
    scopes: frozenset[Scope]
    is_admin: bool = False

    @property
    def user_id(self) -> str:
        """Of a person with an account; "" for tokens and the operator."""
        return self.id if self.kind is PrincipalKind.USER else ""

    @property
    def by_cookie(self) -> bool:
        """A browser may send this credential on behalf of another site, so its writes are checked for their origin."""
        return self.kind in (PrincipalKind.USER, PrincipalKind.OPERATOR)


ANONYMOUS = Principal(PrincipalKind.ANONYMOUS, "", "", (), frozenset())
