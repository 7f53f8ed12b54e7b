"""Every kind of body is an event that bloop takes with its usual limits, and no two are alike."""

from __future__ import annotations

import json

import pytest

from bloop.bench.bodies import Body, bodies
from bloop.ingest.dialects.native_event import decode_json, parse_event
from bloop.ingest.limits import Limits

NOW_MS = 1_763_000_000_000


@pytest.mark.parametrize("body", Body)
def test_every_body_is_accepted_and_carries_its_run_and_number(body: Body) -> None:
    made = bodies(body, "r", NOW_MS)

    events = [parse_event(decode_json(b"".join(made.event(n))), Limits(), NOW_MS)[0] for n in range(200)]

    assert [event.request_id for event in events] == [f"r-{n}" for n in range(200)]


def test_sizes_are_what_their_names_say() -> None:
    size = {body: len(b"".join(bodies(body, "r", NOW_MS).event(8))) for body in Body}

    assert size[Body.SMALL] < 300 < size[Body.TYPICAL] < 3000 < 8000 < size[Body.LARGE]
    foreign = b"".join(bodies(Body.FOREIGN, "r", NOW_MS).event(1))
    assert len(foreign.decode()) < len(foreign)


def test_mixed_is_each_of_them_in_turn() -> None:
    mixed = bodies(Body.MIXED, "r", NOW_MS)

    kinds = [json.loads(b"".join(mixed.event(n))) for n in range(4)]

    assert ["stack" in kind for kind in kinds] == [True, False, True, False]
    assert "state" in kinds[2]["metadata"]
    assert "имя" in kinds[3]["metadata"]
