"""Orders the releases of a project: which of two came later, if it can be known. Pure.

ORDER-1  Versions are ordered as semver.org does it: two to four numbers between dots, perhaps with a `v` or `name@` in
    front, a pre-release (`-rc.1`) and build metadata (`+123`) behind. Build metadata does not count. Two different
    names are two products, whose versions have no order.
ORDER-2  All others (hashes, dates, build numbers, a version beside one of these) are ordered by when their events were
    first seen: in the given environment if both were seen there, else anywhere.
ORDER-3  Releases that neither rule decides have no order. The caller decides what that means, and a caller that hides
    something must treat it as "later": a release without an order must never keep an issue closed for good.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple, TypeAlias

NO_RELEASE = "unknown"  # the release of events that name none
PARSED_MAX = 4096  # parsed versions in the cache: a project has dozens in use

FirstSeen: TypeAlias = Mapping[str, int]  # environment → ms; empty: never
FirstSeenOf: TypeAlias = Callable[[str], FirstSeen]  # of a release

_VERSION = re.compile(
    r"(?:(?P<name>.+)@)?[vV]?(?P<numbers>[0-9]{1,18}(?:\.[0-9]{1,18}){1,3})"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?",
    re.ASCII | re.DOTALL,
)
_NUMBERS = 4  # 1.2 is 1.2.0.0


class Order(IntEnum):
    OLDER = -1
    SAME = 0
    NEWER = 1


class ReleaseVersion(NamedTuple):
    """`rank` orders versions of one name: the numbers, and whether it is a release or which pre-release of it."""

    name: str | None
    rank: tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]


@lru_cache(PARSED_MAX)
def version(release: str) -> ReleaseVersion | None:
    """The release parsed as a version (ORDER-1); None when it is not one."""
    match = _VERSION.fullmatch(release)
    if match is None:
        return None
    numbers = tuple(int(part) for part in match["numbers"].split("."))
    padded = numbers + (0,) * (_NUMBERS - len(numbers))
    if match["pre"] is None:
        return ReleaseVersion(match["name"], (padded, 1, ()))
    return ReleaseVersion(match["name"], (padded, 0, tuple(_identifier(part) for part in match["pre"].split("."))))


def compare_versions(release: str, other: str) -> Order | None:
    """The order of `release` relative to `other` by their names (ORDER-1); None when the names have none."""
    mine, theirs = version(release), version(other)
    if mine is None or theirs is None or not _is_one_product(mine, theirs):
        return None
    return _order(mine.rank, theirs.rank)


def compare(release: str, other: str, environment: str, first_seen: FirstSeenOf) -> Order | None:
    """The order of `release` relative to `other` for events of `environment`; None when unknown (ORDER-3)."""
    if release == other:
        return Order.SAME
    if NO_RELEASE in (release, other):
        return None
    order = compare_versions(release, other)
    if order is not None:
        return order
    mine, theirs = first_seen(release), first_seen(other)
    if environment in mine and environment in theirs:
        return _order(mine[environment], theirs[environment])
    if mine and theirs:
        return _order(min(mine.values()), min(theirs.values()))
    return None


def newest(releases: Sequence[tuple[str, int]]) -> str | None:
    """The newest of these (release, first seen ms), None when there is none.

    It is the one that was first seen last or, where that one is a version, the highest version of its name.
    """
    known = sorted((at_ms, release) for release, at_ms in releases if release != NO_RELEASE)
    if not known:
        return None
    last = known[-1][1]
    last_version = version(last)
    if last_version is None:
        return last
    parsed = [(version(release), release) for _, release in known]
    return max((v.rank, release) for v, release in parsed if v is not None and v.name == last_version.name)[1]


def _identifier(part: str) -> tuple[int, int, str]:
    """Numbers count as numbers and come before words."""
    return (0, int(part), "") if part.isdigit() else (1, 0, part)


def _is_one_product(mine: ReleaseVersion, theirs: ReleaseVersion) -> bool:
    """True also when one has no name: people leave it out when they type a version."""
    return mine.name is None or theirs.name is None or mine.name == theirs.name


def _order(mine: object, theirs: object) -> Order:
    return Order((mine > theirs) - (mine < theirs))  # type: ignore[operator]
