"""`bloop event find`: what it prints and what it refuses."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from bloop.base import config
from bloop.issues.events import walk
from tests.integration.cli.conftest import Run
from tests.seed import NOW_MS, Seed


@pytest.fixture
def made(settings: config.Settings) -> list[int]:
    """Five events of an issue in each of two projects."""
    with closing(Seed(Path(settings.database_path))) as seed:
        issues = [seed.issue(seed.project(slug), "f1", message=f"boom\x1b[31m of {slug}") for slug in ("shop", "blog")]
        return [seed.event(issue, request_id=f"r{n}", user_id_hash="u" * 40) for n in range(5) for issue in issues]


def test_events_are_shown_as_a_table(run: Run, made: list[int]) -> None:
    ended = run("event", "find", "request:r3", "--project", "shop")

    heading, *lines = ended.stdout.splitlines()
    assert heading.split() == ["TIME", "ISSUE", "ERROR", "REQUEST", "USER", "RELEASE", "ENVIRONMENT"]
    assert len(lines) == 1
    assert "SHOP-1" in lines[0]
    assert "TypeError: boom<U+001B>[31m of shop" in lines[0]
    assert " r3 " in lines[0]
    assert f"{'u' * 31}…" in lines[0]
    assert ended.stderr == ""


def test_a_page_says_how_to_go_on(run: Run, made: list[int]) -> None:
    first = run("event", "find", "has:user", "--limit", "4")
    assert first.stderr.strip() == f"More events match. Continue with --after {made[-4]}"

    rest = run("event", "find", "has:user", "--limit", "200", "--after", str(made[-4]))
    assert len(rest.stdout.splitlines()) == 1 + 6
    assert rest.stderr == ""


def test_json_has_whole_events(run: Run, made: list[int]) -> None:
    answer = json.loads(run("event", "find", "request:r1", "http:404", "--json").stdout)
    assert answer == {"events": [], "next": None, "scanned": 10, "complete": True}

    answer = json.loads(run("event", "find", "request:r1", "--json").stdout)
    assert [(event["short_id"], event["request_id"], event["timestamp"]) for event in answer["events"]] == [
        ("BLOG-1", "r1", NOW_MS),
        ("SHOP-1", "r1", NOW_MS),
    ]


def test_json_has_metadata_as_it_was_sent(run: Run, settings: config.Settings) -> None:
    with closing(Seed(Path(settings.database_path))) as seed:
        seed.event(seed.issue(seed.project("shop"), "f1"), metadata='{"big":123456789012345678901234567890,"a":[1]}')

    (event,) = json.loads(run("event", "find", "--json").stdout)["events"]

    assert event["metadata"] == {"big": 123456789012345678901234567890, "a": [1]}


def test_a_term_may_begin_with_a_minus(run: Run, made: list[int]) -> None:
    assert len(run("event", "find", "-request:r1", "-has:device", "-project:shop").stdout.splitlines()) == 1 + 4
    assert run("issue", "list", "-project:shop").stdout.splitlines()[1].split()[0] == "BLOG-1"


def test_no_matches_and_a_search_that_stopped_are_said(
    run: Run, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("event", "find", "request:nope").stderr.strip() == "No matches"

    monkeypatch.setattr(walk, "SCANNED_MAX", 5)
    stopped = run("event", "find", "request:r0")
    assert (
        stopped.stderr.strip() == f"Stopped after 5 events. Narrow the search, or continue with --after {made[4] + 1}"
    )


def test_a_search_that_cannot_be_read_is_refused_with_the_nearest_key(run: Run, made: list[int]) -> None:
    refused = run("event", "find", "reqest:r1")

    assert refused.exit_code == 1
    assert "Unknown filter 'reqest:'. Did you mean request:?" in refused.stderr
    assert run("event", "find", "request:r1", "--project", "nope").exit_code == 1
