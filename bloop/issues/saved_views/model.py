"""A saved view: a name for a list of issues, as the address of the list says it. Pure.

SAVED-1  `query` is an address that the list accepts, without a place in it: what is saved can always be opened. The
    project is kept by its id, so the view follows it when it is renamed and goes when it is deleted.
SAVED-2  A person has at most OWN_MAX views, and the server at most SHARED_MAX that everybody sees. Admins share.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from bloop.auth.principal import Principal
from bloop.base.errors import InvalidField, InvalidParameter
from bloop.issues.listing.state import IssueView
from bloop.site.scope import PageScope

OWN_MAX = 50
SHARED_MAX = 50
NAME_CHARS_MAX = 60
QUERY_CHARS_MAX = 2000


class ListQuery(NamedTuple):
    """The list that a view opens: the slug of its project, `""` for all, and the rest of its address."""

    project: str
    query: str


def parse_name(text: str) -> str:
    """A name as it is stored: one kind of space.

    Raises:
        InvalidField: empty, too long, or with control characters.
    """
    name = " ".join(text.split())
    if not name:
        raise InvalidField("name", "name is required")
    if len(name) > NAME_CHARS_MAX:
        raise InvalidField("name", f"name must be at most {NAME_CHARS_MAX} characters")
    if not name.isprintable():
        raise InvalidField("name", "name must not contain control or invisible characters")
    return name


def parse_query(text: str) -> ListQuery:
    """The address of a list, with or without `/?`, as it is stored (SAVED-1).

    Raises:
        InvalidField: it is too long, or no list has it.
    """
    if len(text) > QUERY_CHARS_MAX:
        raise InvalidField("query", f"query must be at most {QUERY_CHARS_MAX} characters")
    params = dict(parse_qsl(text.partition("?")[2] if text.startswith("/") else text.removeprefix("?")))
    try:
        view, scope = IssueView.from_params(params), PageScope.from_params(params)
        view.query  # noqa: B018 - parsed to be checked
    except InvalidParameter as error:
        name = "q" if error.name == "query" else error.name  # as the address of a list calls it
        raise InvalidField("query", f"query is no list of issues: {name} {error.reason}") from error
    kept = view.at(None).params() | scope.params()
    if scope.environment:
        kept.pop("environment", None)
    project = kept.pop("project", "")
    return ListQuery(project, urlencode(sorted(kept.items())))


def href_of(project: str, query: str) -> str:
    """The address that opens the view."""
    parts = [urlencode({"project": project}) if project else "", query]
    joined = "&".join(part for part in parts if part)
    return f"/?{joined}" if joined else "/"


def may_change(principal: Principal, owner_id: str, *, is_shared: bool) -> bool:
    """Whether the principal may change or delete this view: its owner, and of shared ones the admins (SAVED-2)."""
    return principal.is_admin if is_shared else principal.id == owner_id
