"""Whether one event fulfils a search, MATCH-1 of bloop/issues/events/match.py."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.issues.events.match import EventTerms, fits
from bloop.issues.search.terms import parse
from bloop.records.dictionary import shipped
from bloop.records.event import Event, EventFrame, Parts
from bloop.records.event_record import Dims, encode, search_of, tags_of

EVENT = Event(
    timestamp_ms=1,
    source="iOS",
    environment="production",
    release="2.4.1",
    error_type="TypeError",
    message="Connection RESET by peer",
    stack=None,
    route="/api/Cart/:id",
    screen=None,
    http_status=502,
    request_id="req-4711",
    user_id_hash="0123456789abcdef0123",
    device_id_hash=None,
    app_version=None,
    build_number=None,
    metadata='{"plan":"pro","big":12345678901234567890,"n":5,"half":0.5,"ok":true,"list":["a","B"],"deep":{"x":1}}',
    level="fatal",
    event_id="e-1",
    parts=Parts(tags={"region": "eu west"}, frames=[EventFrame(function="f")]),
)


def matches(text: str, event: Event = EVENT) -> bool:
    terms = EventTerms.of(parse(text))
    payload = encode(1, 1, "f" * 16, "v1", event, shipped())
    dims = Dims(event.release, event.environment, event.source, event.route)
    body = payload[43 + int.from_bytes(payload[41:43], "little") :]
    return terms.fit_dims(dims) and terms.fit_search(search_of(body)) and terms.fit_rest(event)


@pytest.mark.parametrize(
    "text",
    [
        "request:req-4711",
        "request:other,req-4711",
        "request:REQ-*",
        "user:0123456789abcdef0123",
        "user:0123*",
        "event:e-1 http:502",
        "http:>=500 http:<600 http:500..502",
        "http:404,502",
        "-http:404",
        "level:FATAL level:fat*,x",
        "env:production -env:staging env:prod*",
        "release:2.4.1 release:2.*",
        "source:ios route:/api/cart/:id route:*cart*",
        "message:reset message:connection* message:*PEER",
        'message:"reset by"',
        "tag.plan:pro -tag.plan:free tag.plan:P*",
        "tag.n:5 tag.half:0.5 tag.ok:true tag.list:a tag.list:B",
        'tag.region:"eu west" tag.region:eu*',
        "has:user has:request,device -has:device has:http,stack has:event",
        "has:stack has:metadata has:route -has:screen has:tag.plan has:tag.deep has:tag.region -has:tag.nope",
        "has:tag.nope,user",
    ],
)
def test_the_event_fulfils(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "request:REQ-4711",
        "request:req-471",
        "-request:req*",
        "device:x device:*",
        "http:500",
        "-http:>=500",
        "env:Production",
        "release:2.4",
        "level:error",
        "message:resett",
        "message:reset*",
        "tag.plan:Pro",
        "tag.Plan:pro",
        "tag.deep:x",
        "tag.ok:True",
        "has:device,screen",
        "-has:user",
        "request:req-4711 http:500",
    ],
)
def test_the_event_does_not_fulfil(text: str) -> None:
    assert not matches(text)


def test_an_event_without_a_value_fulfils_only_the_negation() -> None:
    bare = Event(
        **{name: getattr(EVENT, name) for name in Event.__struct_fields__} | {"http_status": None, "route": None}
    )

    assert not matches("http:<600", bare)
    assert matches("-http:<600 -route:/api*", bare)


def test_tags_are_listed_as_text_by_key() -> None:
    assert tags_of(EVENT) == {
        "region": ["eu west"],
        "plan": ["pro"],
        "big": ["12345678901234567890"],
        "n": ["5"],
        "half": ["0.5"],
        "ok": ["true"],
        "list": ["a", "B"],
        "deep": [],
    }


@given(st.text("ab*", max_size=8), st.text("abA", max_size=10))
def test_a_star_stands_for_any_text(pattern: str, text: str) -> None:
    flags = re.IGNORECASE if "*" in pattern else 0
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, flags) is not None

    assert fits(pattern, text) == expected


def test_many_stars_take_no_longer_than_the_text_deserves() -> None:
    started = time.process_time()

    assert not fits("a*" * 200 + "b", "a" * 8192)
    assert time.process_time() - started < 0.5
