"""What a request about many issues names: references, ticked rows, or the list they are on. Checked and bounded."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, parse_qsl

import falcon

from bloop.base.errors import BodyTooLarge, Declined, InvalidParameter
from bloop.issues.listing.state import IssueView

REFERENCES_MAX = 200
REFERENCE_CHARS_MAX = 256
FORM_BYTES_MAX = 65_536
LIST_PARAMS = ("q", "tab", "env", "environment", "release", "t", "source", "route")


def references_of(given: object) -> list[str]:
    if not isinstance(given, list) or not given or not all(isinstance(one, str) and one for one in given):
        raise InvalidParameter("ids", "must be a list of ids")
    if len(given) > REFERENCES_MAX:
        raise InvalidParameter("ids", f"must be at most {REFERENCES_MAX} at once, not {len(given)}")
    if any(len(one) > REFERENCE_CHARS_MAX for one in given):
        raise InvalidParameter("ids", f"must each have at most {REFERENCE_CHARS_MAX} characters")
    return given


def list_in_body(given: object) -> IssueView:
    """The list that `all_matching` describes: an object of the parameters that the address of the list has.

    Raises:
        InvalidParameter: names the parameter that is unknown or wrong.
    """
    if not isinstance(given, dict):
        raise InvalidParameter("all_matching", "must be an object: the parameters of a list, {} for the open issues")
    params: dict[str, Any] = given
    for name, value in params.items():
        if name not in LIST_PARAMS:
            raise InvalidParameter(f"all_matching.{name}", f"is unknown; a list has {', '.join(LIST_PARAMS)}")
        if not isinstance(value, str):
            raise InvalidParameter(f"all_matching.{name}", "must be text")
    try:
        view = IssueView.from_params(params)
        view.query  # noqa: B018 - parsed to be checked
    except InvalidParameter as error:
        name = "q" if error.name == "query" else error.name  # as the address of a list calls it
        raise InvalidParameter(f"all_matching.{name}", error.reason) from error
    return view


def view_of(query: str) -> IssueView:
    """The list that the form was on. One it cannot have been on is the list of everything."""
    try:
        return IssueView.from_params(dict(parse_qsl(query)))
    except InvalidParameter:
        return IssueView()


def ticked_in(form: dict[str, list[str]]) -> list[str]:
    """The rows ticked in a list: `issue` once per row, or `all` with the ids of the page in `shown`."""
    ticked = last_value(form, "shown").split() if "all" in form else form.get("issue", [])
    return references_of(ticked) if ticked else []


def last_value(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[-1]


def form_of(req: falcon.Request) -> dict[str, list[str]]:
    body = req.bounded_stream.read(FORM_BYTES_MAX + 1)
    if len(body) > FORM_BYTES_MAX:
        raise BodyTooLarge(FORM_BYTES_MAX)
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=REFERENCES_MAX + 8)
    except ValueError:
        raise Declined(f"the form cannot be read, or names more than {REFERENCES_MAX} issues") from None
