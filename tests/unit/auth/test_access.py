from __future__ import annotations

import pytest

from bloop.auth import access, scopes
from bloop.auth.access import ADMIN, METRICS, OPEN, PAGE, SESSION, SIGNED, Need, credential
from bloop.auth.principal import ANONYMOUS, Principal, PrincipalKind
from bloop.auth.scopes import Scope
from bloop.base.errors import Forbidden, InvalidParameter, Unauthorized

READER = Principal(PrincipalKind.TOKEN, "t1", "ci", (1,), frozenset({Scope.ERRORS_READ}))
PERSON = Principal(PrincipalKind.USER, "u1", "Ada", None, scopes.ALL)
BOSS = Principal(PrincipalKind.USER, "u2", "Grace", None, scopes.ALL, is_admin=True)
OPERATOR = Principal(PrincipalKind.OPERATOR, "operator", "operator", None, scopes.ALL, is_admin=True)

SCRAPER = Principal(PrincipalKind.TOKEN, "t2", "prometheus", (1,), frozenset({Scope.METRICS_READ}))

READ, WRITE = credential(Scope.ERRORS_READ), credential(Scope.ERRORS_WRITE)


@pytest.mark.parametrize(
    ("need", "admitted"),
    [
        (METRICS, {SCRAPER, PERSON, BOSS, OPERATOR}),
        (OPEN, {ANONYMOUS, SCRAPER, READER, PERSON, BOSS, OPERATOR}),
        (SIGNED, {ANONYMOUS, SCRAPER, READER, PERSON, BOSS, OPERATOR}),
        (READ, {READER, PERSON, BOSS, OPERATOR}),
        (WRITE, {PERSON, BOSS, OPERATOR}),
        (SESSION, {PERSON, BOSS, OPERATOR}),
        (PAGE, {PERSON, BOSS, OPERATOR}),
        (ADMIN, {BOSS, OPERATOR}),
    ],
)
def test_each_door_admits_exactly_these(need: Need, admitted: set[Principal]) -> None:
    for principal in (ANONYMOUS, READER, SCRAPER, PERSON, BOSS, OPERATOR):
        if principal in admitted:
            access.check(principal, need)
        else:
            with pytest.raises((Unauthorized, Forbidden)):
                access.check(principal, need)


@pytest.mark.parametrize(
    ("principal", "need", "error", "text"),
    [
        (ANONYMOUS, READ, Unauthorized, "authentication required"),
        (ANONYMOUS, ADMIN, Unauthorized, "authentication required"),
        (READER, SESSION, Unauthorized, "authentication required"),
        (READER, WRITE, Forbidden, "token lacks required scope: errors:write"),
        (PERSON, ADMIN, Forbidden, "admin access required"),
    ],
)
def test_refusals_say_why(principal: Principal, need: Need, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^{text}$"):
        access.check(principal, need)


def test_scopes_are_read_with_aliases_and_without_repeats() -> None:
    assert scopes.parse(["errors:read", "sourcemaps:upload", "errors:read"]) == (
        Scope.ERRORS_READ,
        Scope.SOURCEMAPS_WRITE,
    )


@pytest.mark.parametrize(
    ("names", "text"),
    [(["errors:delete"], "invalid scope: errors:delete"), ([], "at least one scope is required"), ([""], "invalid")],
)
def test_unknown_scopes_are_refused(names: list[str], text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        scopes.parse(names)


def test_reading_errors_opens_what_is_made_of_errors_and_writing_does_not() -> None:
    assert scopes.from_stored("errors:read") == {Scope.ERRORS_READ, Scope.ANALYTICS_READ, Scope.LLM_READ}
    assert scopes.from_stored("errors:write") == {Scope.ERRORS_WRITE}
    assert scopes.from_stored("errors:fly of:tomorrow") == frozenset()


@pytest.mark.parametrize(("principal", "may"), [(PERSON, False), (BOSS, True), (OPERATOR, True)])
def test_only_admins_give_a_token_the_metrics_of_everybody(principal: Principal, may: bool) -> None:
    assert access.may_grant(principal, (Scope.ERRORS_READ, Scope.METRICS_READ)) is may
    assert access.may_grant(principal, (Scope.ERRORS_READ,))
