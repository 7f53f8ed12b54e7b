"""The list of dialects: numbers that outlive upgrades, and paths that stand in one place."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from bloop.base.meters import DIALECTS_MAX, ROUTES_MAX, Answer, Route, RouteMeters, Tally
from bloop.ingest.registry import DIALECTS, METERS, PATHS, endpoints
from workers.ingest import is_ours

ROOT = Path(__file__).parents[3]


def test_no_two_routes_share_a_place_and_all_have_one():
    places = [(endpoint.route.dialect, endpoint.route.place) for endpoint in endpoints()]

    assert len(places) == len(set(places))
    assert all(dialect < DIALECTS_MAX and place < ROUTES_MAX for dialect, place in places)


def test_numbers_of_dialects_stay_as_they_are():
    numbers = {dialect.name: {endpoint.route.dialect for endpoint in dialect.endpoints} for dialect in DIALECTS}

    assert numbers == {"native": {0}}


def test_the_ingest_worker_keeps_every_route_and_nothing_else():
    for path in PATHS:
        plain = re.sub(r"\{\w+\}", "x", path).encode()
        assert is_ours(plain)
        assert is_ours(plain + b"/")
        assert not is_ours(plain + b"x/y")
    assert not is_ours(b"/v1/errors")


def test_every_route_is_documented():
    documented = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())["paths"]

    for endpoint in endpoints():
        assert endpoint.route.method.lower() in documented[endpoint.route.path]


def test_paths_of_the_ingest_routes_stand_in_their_dialects_only():
    """Within what takes records in; a client or a page names its path as any client does."""
    rooms = ("base", "http", "ingest", "ring", "health", "pipeline")
    files = [path for room in rooms for path in (ROOT / "bloop" / room).rglob("*.py")] + [ROOT / "gunicorn.conf.py"]
    files += [ROOT / "workers/ingest.py", ROOT / "workers/serving.py"]

    naming = {file.relative_to(ROOT).as_posix() for file in files if f'"{PATHS[0]}' in file.read_text()}

    assert naming == {"bloop/ingest/dialects/native.py"}


def test_answers_are_counted_by_the_route_as_documented_whatever_stands_in_its_path():
    meters = RouteMeters([Route(3, 1, "PUT", "/v1/traces/{id}")])
    tally = Tally(meters)
    for path in ("/v1/traces/a", "//v1/traces/b/", "/v1/traces/a/b"):
        tally.cell("PUT", path, "200 OK")[0] += 1

    words = [0] * 4096
    for word, value in tally.take().items():
        words[word] += value

    counts = {answer: n for answer, n in meters.read(words).items() if n}
    assert counts == {Answer("PUT", "/v1/traces/{id}", "200"): 2, Answer("none", "none", "other"): 1}


def test_metrics_know_every_route():
    assert set(METERS.took) == set(PATHS)
