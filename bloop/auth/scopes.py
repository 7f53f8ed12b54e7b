"""What an API token may do. Names on the wire, the aliases other clients use, and what they stand for here."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from bloop.base.errors import InvalidField


class Scope(StrEnum):
    ERRORS_READ = "errors:read"
    ERRORS_WRITE = "errors:write"
    SOURCEMAPS_READ = "sourcemaps:read"
    SOURCEMAPS_WRITE = "sourcemaps:write"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    ANALYTICS_READ = "analytics:read"
    LLM_READ = "llm:read"
    LLM_WRITE = "llm:write"
    METRICS_READ = "metrics:read"  # of the whole installation (access A7)


ALL = frozenset(Scope)
_NAMES = frozenset(scope.value for scope in Scope)
ALIASES = {"sourcemaps:upload": Scope.SOURCEMAPS_WRITE}

# Analytics and the LLM pages are refinements of reading errors: a token made with the documented scopes opens them.
_IMPLIED = {Scope.ERRORS_READ: frozenset({Scope.ANALYTICS_READ, Scope.LLM_READ})}


def parse(names: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes in the order given, aliases resolved, each once.

    Raises:
        InvalidField: a name bloop does not know, or none at all.
    """
    found: dict[Scope, None] = {}
    for name in names:
        try:
            found[ALIASES.get(name) or Scope(name)] = None
        except ValueError:
            raise InvalidField("scopes", f"invalid scope: {name}") from None
    if not found:
        raise InvalidField("scopes", "at least one scope is required")
    return tuple(found)


def from_stored(text: str) -> frozenset[Scope]:
    """The scopes of a stored token. A name written by a later bloop grants nothing here."""
    known = frozenset(Scope(name) for name in text.split() if name in _NAMES)
    return known.union(*(_IMPLIED.get(scope, frozenset()) for scope in known))
