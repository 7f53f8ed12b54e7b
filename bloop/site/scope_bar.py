"""The scope bar of a page: what its scope says in words, and a link for every other choice. Pure.

SCOPEBAR-1  A link keeps everything else of the page's address (its search, its tab) but not its place in a list, which
    would mean other rows in another scope.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from bloop.site.scope import DEFAULT_RANGE, PARAMS, RANGES_MS, PageScope

PLACE_PARAMS = ("before", "after", "done", "from", "to", "environment")  # not kept: SCOPEBAR-1
RELEASES_MAX = 20
ENVIRONMENTS_MAX = 30


@dataclass(frozen=True, slots=True)
class ScopeLink:
    """One choice; `value` is its parameter."""

    value: str
    label: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class ScopeBar:
    """`path` and `kept` are the address of the page without its scope."""

    path: str
    kept: tuple[tuple[str, str], ...]
    scope: PageScope
    environments: tuple[ScopeLink, ...]
    releases: tuple[ScopeLink, ...]
    ranges: tuple[ScopeLink, ...]
    from_value: str  # of two datetime-local fields, UTC
    to_value: str

    @property
    def environment(self) -> str:
        return self.scope.environment

    @property
    def release(self) -> str:
        return self.scope.release

    @property
    def range(self) -> str:
        return self.scope.range

    @property
    def is_custom(self) -> bool:
        return self.scope.is_custom

    @property
    def custom_label(self) -> str:
        """`18 Jan 09:00 – 12:00`, `18 – 20 Jan` where both begin a day."""
        first, last = (datetime.fromisoformat(value) for value in (self.from_value, self.to_value))
        from_text = f"{first:%-d %b %H:%M}"
        return f"{from_text} – {last:%H:%M}" if first.date() == last.date() else f"{from_text} – {last:%-d %b %H:%M}"

    @property
    def words(self) -> str:
        """What the scope says beside the project: `production · 24h`."""
        parts = (self.environment, self.release, self.custom_label if self.is_custom else self.range)
        return " · ".join(part for part in parts if part)

    def fields_without(self, names: Collection[str]) -> list[tuple[str, str]]:
        """The hidden fields of a form that sets the parameters `names`."""
        pairs = [*self.scope.params().items(), *self.kept]
        return [(name, value) for name, value in pairs if name not in names]


def make_scope_bar(
    scope: PageScope,
    path: str,
    params: Mapping[str, str],
    *,
    environments: Sequence[str],
    releases: Sequence[str],
    now_ms: int,
) -> ScopeBar:
    """The bar of the page at `path` with the query `params`; names come newest first, the bar shows a bounded part."""
    kept = {name: value for name, value in params.items() if name not in (*PARAMS, *PLACE_PARAMS)}

    def link(label: str, value: str, changed: PageScope) -> ScopeLink:
        query = urlencode(changed.params() | kept)
        return ScopeLink(value, label, f"{path}?{query}" if query else path, changed == scope)

    def choices(everything: str, names: Sequence[str], chosen: str, field: str) -> tuple[ScopeLink, ...]:
        shown = [*dict.fromkeys([*([chosen] if chosen else []), *names])]
        return (
            link(everything, "", scope.with_(**{field: ""})),
            *(link(name, name, scope.with_(**{field: name})) for name in shown),
        )

    window = scope.window(now_ms)
    return ScopeBar(
        path=path,
        kept=tuple(kept.items()),
        scope=scope,
        environments=choices("All environments", environments[:ENVIRONMENTS_MAX], scope.environment, "environment"),
        releases=choices("All releases", releases[:RELEASES_MAX], scope.release, "release"),
        ranges=tuple(link(name, "" if name == DEFAULT_RANGE else name, scope.with_(range=name)) for name in RANGES_MS),
        from_value=_field(window.from_ms),
        to_value=_field(window.to_ms),
    )


def _field(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
