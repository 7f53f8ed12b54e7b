"""REGRESSION-1 to REGRESSION-3 of bloop/issues/status/regression.py; test_lifecycle.py tests REGRESSION-4."""

from __future__ import annotations

import pytest

from bloop.issues.status.regression import NOW, Resolution, is_back
from bloop.releases.model import NO_RELEASE

RESOLVED_AT = 100
SEEN = {
    "old": {"production": 10, "staging": 5},
    "fix": {"production": 50, "staging": 20},
    "new": {"production": 120},
    "1.4.0": {"production": 10},
    "1.4.2": {"production": 50},
    "2.0.0": {"staging": 60},
    "1.4.3": {"production": 120},
    "1.3.9": {"production": 130},
    "2.0.1": {"production": 140},
    NO_RELEASE: {"production": 1},
}


def back(resolution: Resolution, release: str, environment: str = "production") -> bool:
    return is_back(resolution, RESOLVED_AT, release, environment, lambda name: SEEN.get(name, {}))


@pytest.mark.parametrize("release", [*SEEN, "never seen"])
def test_resolved_as_of_now_it_is_back_with_any_release(release: str) -> None:
    assert back(NOW, release)


@pytest.mark.parametrize(
    ("fixed_in", "release", "expected"),
    [
        ("1.4.2", "1.4.0", False),
        ("1.4.2", "v1.4.1", False),  # older by name, whether or not anybody has seen it
        ("1.4.2", "1.4.2", True),
        ("1.4.2", "1.4.2+hotfix", True),
        ("1.4.2", "1.4.2-rc.1", False),
        ("1.4.2", "1.4.3", True),
        ("1.4.2", NO_RELEASE, True),
        ("1.4.2", "never seen", True),
        ("1.4.2", "old", False),  # a hash against a version: by when they were first seen
        ("1.4.2", "new", True),
        ("fix", "old", False),
        ("fix", "fix", True),
        ("fix", "new", True),
        ("fix", "1.4.0", False),
        ("not out yet", "old", True),  # nobody can place it: better once too often
        (NO_RELEASE, "old", True),
    ],
)
def test_resolved_in_a_release_older_ones_do_not_bring_it_back(fixed_in: str, release: str, expected: bool) -> None:
    assert back(Resolution(fixed_in), release) is expected


def test_by_first_seen_the_environment_of_the_event_decides() -> None:
    assert not back(Resolution("fix"), "old", "staging")
    assert not back(Resolution("2.0.0"), "old", "production")  # the fix has not reached production


@pytest.mark.parametrize(
    ("newest", "release", "expected"),
    [
        ("2.0.0", "2.0.0", False),
        ("2.0.0", "1.4.3", False),  # new, but of the branch before
        ("2.0.0", "1.3.9", False),
        ("2.0.0", "2.0.1", True),
        ("2.0.0", "2.0.0+rebuilt", False),
        ("2.0.0", "new", True),  # from versions to hashes: it came out later
        ("2.0.0", "old", False),
        ("2.0.0", "never seen", True),
        ("2.0.0", NO_RELEASE, True),
        ("fix", "fix", False),
        ("fix", "old", False),
        ("fix", "new", True),
        ("fix", "1.4.3", True),  # from hashes to versions
        ("fix", "2.0.0", False),  # known when it was resolved, so not the next one
        ("1.4.2", "2.0.0", False),
    ],
)
def test_resolved_in_the_next_release_only_one_that_was_not_known_brings_it_back(
    newest: str, release: str, expected: bool
) -> None:
    assert back(Resolution(newest, is_next=True), release) is expected


@pytest.mark.parametrize("is_next", [False, True])
@pytest.mark.parametrize("pinned", ["1.4.2", "fix", "0f3a9c1", "2026-01-18", "shop@1.4.2"])
def test_whatever_it_is_pinned_to_a_later_release_of_any_kind_opens_it(pinned: str, is_next: bool) -> None:
    """No pin is for ever: versions to hashes, hashes to versions, another name, a pin that nobody has seen."""
    seen = {pinned: {"production": 50}}
    for kind in ("9d2e7b4", "2026-02-01", "build 17", "99.0.0", "api@99.0.0"):
        later = seen | {kind: {"production": 120}}
        assert is_back(
            Resolution(pinned, is_next), RESOLVED_AT, kind, "production", lambda name, s=later: s.get(name, {})
        )
