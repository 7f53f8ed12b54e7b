"""The scopes of API tokens: their names on the wire and the aliases that other clients use."""

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
    METRICS_READ = "metrics:read"  # of the whole installation (ACCESS-7)


ALL = frozenset(Scope)
_NAMES = frozenset(scope.value for scope in Scope)
ALIASES = {"sourcemaps:upload": Scope.SOURCEMAPS_WRITE}

# Analytics and the LLM pages are refinements of reading errors: a token with the documented scopes may read them.
_IMPLIED = {Scope.ERRORS_READ: frozenset({Scope.ANALYTICS_READ, Scope.LLM_READ})}


def parse(names: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes in the order given, aliases resolved, each once.

    Raises:
        InvalidField: an unknown name, or no name at all.
    """
    scopes: dict[Scope, None] = {}
    for name in names:
        try:
            scopes[ALIASES.get(name) or Scope(name)] = None
        except ValueError:
            raise InvalidField("scopes", f"invalid scope: {name}") from None
    if not scopes:
        raise InvalidField("scopes", "at least one scope is required")
    return tuple(scopes)


def from_stored(text: str) -> frozenset[Scope]:
    """The scopes of a stored token. A name written by a later bloop grants nothing here."""
    known = frozenset(Scope(name) for name in text.split() if name in _NAMES)
    return known.union(*(_IMPLIED.get(scope, frozenset()) for scope in known))
