"""The change that a request asks for: a status, and how exactly, or an assignee. From a JSON body or a form, checked.

    {"status": "muted", "for_secs": 3600}     {"assignee": "ada"}      {"assignee": null}
    status=muted.1h                           assign=to&assignee=ada   assign=me   assign=nobody

The fields beside a status: issues/status/choices.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bloop.accounts.people.read import UserRow, find_user, get_user
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base.errors import InvalidParameter
from bloop.db.engine import Db
from bloop.issues.status.changes import Assignment, IssueChange
from bloop.issues.status.choices import StatusChoice, choice_in_form, choice_of, status_of
from bloop.issues.status.flash import ASSIGNED, UNASSIGNED
from bloop.site.bodies import text_in

_ASSIGN = ("me", "nobody", "to")


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """`choice`, or without one an assignment to `assignee`, a username; None: to no user."""

    choice: StatusChoice | None = None
    assignee: str | None = None

    @property
    def verb(self) -> str:
        """The word for a Flash."""
        if self.choice is not None:
            return self.choice.status.value
        return UNASSIGNED if self.assignee is None else ASSIGNED

    def look_up(self, db: Db) -> IssueChange:
        """The change itself. Call it in its transaction: accounts can be removed.

        Raises:
            InvalidParameter: there is no account of this name.
        """
        if self.choice is not None:
            return self.choice
        return Assignment(None if self.assignee is None else named_person(db, self.assignee))


def change_in_body(body: Mapping[str, Any], now_ms: int) -> ChangeRequest:
    """The change that a JSON body describes.

    Raises:
        InvalidParameter: names the field that is wrong, missing, or one too many.
    """
    if "assignee" not in body:
        return ChangeRequest(choice_of(status_of(text_in(dict(body), "status")), body, now_ms))
    if "status" in body:
        raise InvalidParameter("assignee", "cannot be given beside status")
    return ChangeRequest(assignee=assignee_in(body))


def change_in_form(form: Mapping[str, str], now_ms: int) -> ChangeRequest:
    """The change that a form asks for; `assign=me` is for the caller to replace by a name (`my_name`).

    Raises:
        InvalidParameter: as `change_in_body`.
    """
    how = form.get("assign", "")
    if not how:
        return ChangeRequest(choice_in_form(form, now_ms))
    if how not in _ASSIGN:
        raise InvalidParameter("assign", f"must be one of {', '.join(_ASSIGN)}")
    if how == "nobody":
        return ChangeRequest()
    username = form.get("assignee", "")
    if not username:
        raise InvalidParameter("assignee", "must be a username")
    return ChangeRequest(assignee=username)


def assignee_in(body: Mapping[str, Any]) -> str | None:
    """The `assignee` of a JSON body. Raises: InvalidParameter."""
    username = body.get("assignee", "")
    if username is None or (isinstance(username, str) and username):
        return username
    raise InvalidParameter("assignee", "must be a username, or null to unassign")


def named_person(db: Db, username: str) -> UserRow:
    """The account an issue is to be assigned to.

    Raises:
        InvalidParameter: there is none of that name.
    """
    person = find_user(db, username)
    if person is None:
        raise InvalidParameter("assignee", "there is no account of this name")
    return person


def my_name(db: Db, principal: Principal) -> str:
    """The username of the principal, for `assign=me`.

    Raises:
        InvalidParameter: the operator has no account.
    """
    person = get_user(db, principal.id) if principal.kind is PrincipalKind.USER else None
    if person is None:
        raise InvalidParameter("assign", "me needs an account: sign in with yours")
    return person.username
