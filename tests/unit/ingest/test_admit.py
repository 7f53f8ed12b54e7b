"""`admit` with a dialect of the test's own: a key in clear, an envelope of several kinds, a value in the path."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from falcon import testing

from bloop.base.meters import Route
from bloop.base.outcomes import NO_PROJECT, Category, Outcome
from bloop.base.rate_limit import RateLimiter
from bloop.ingest.compose import EVENT, accept_event
from bloop.ingest.credentials import WriteKeyShown
from bloop.ingest.dialect import Dialect, Endpoint
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.keys import ProjectKeys, WriteKey
from bloop.ingest.limits import Limits
from bloop.ingest.parsed import Accept, Codec, Grouping, Parsed, Reject, RejectAll
from bloop.records import dictionary, event_record
from bloop.records.record import Kind, decode_rejection, form
from tests.unit.ingest.ingest import NOW_MS, event
from workers.ingest import create_ingest_app

PROJECT, KEY = 7, "bloop_ck_" + "3c" * 16
SESSION_FORM = form(Kind.SESSION, 3)
BYTES_MAX = 4096


def encode_session(project_id: int, received_at_ms: int, value: Any, grouping: Grouping | None) -> bytes:
    assert grouping is None
    return json.dumps([project_id, received_at_ms, value]).encode()


SESSION = Codec(SESSION_FORM, Category.SESSION, encode_session)


def parse(body: bytes, limits: Limits, received_at_ms: int, path_values: Mapping[str, str]) -> Parsed:
    """A JSON array of objects: {"event": …} or {"session": number}."""
    items = json.loads(body)
    if not isinstance(items, list):
        return RejectAll(Outcome.INVALID, "", "not an envelope")
    parsed: list[Accept | Reject] = []
    for item in items:
        if "event" in item:
            parsed.append(accept_event(*parse_event(item["event"], limits, received_at_ms)))
        elif item.get("session", 0) > 0:
            parsed.append(Accept(SESSION, [path_values["place"], item["session"]]))
        else:
            parsed.append(Reject(Outcome.INVALID, "session", "session must be positive", Category.SESSION))
    return parsed


def answer(parsed: Sequence[Accept | Reject], dropped: int) -> bytes:
    return b"%d of %d" % (sum(isinstance(one, Accept) for one in parsed) - dropped, len(parsed))


def endpoint(method: str, place: int) -> Endpoint:
    route = Route(dialect=15, place=place, method=method, path="/toy/{place}/things")
    return Endpoint(route, Category.TRACE, lambda limits: BYTES_MAX, parse, answer)


TOY = Dialect(
    "toy",
    lambda keys: WriteKeyShown(keys, "capture", lambda env: env.get("HTTP_X_CAPTURE_KEY")),
    (endpoint("POST", 0), endpoint("PUT", 1)),
)


class Sink:
    """Remembers; `room` is how many records still fit."""

    def __init__(self) -> None:
        self.pushed: list[tuple[int, bytes]] = []
        self.notes: list[Any] = []
        self.counts: Counter[tuple[int, Category, Outcome]] = Counter()
        self.room = 1000

    def push(self, form: int, payload: bytes) -> bool:
        if form == Kind.NOTE:
            self.notes.append(decode_rejection(payload))
            return True
        self.room -= 1
        if self.room < 0:
            return False
        self.pushed.append((form, payload))
        return True

    def count(self, project_id: int, category: int, outcome: int, n: int = 1) -> None:
        self.counts[project_id, Category(category), Outcome(outcome)] += n


class Toy:
    def __init__(self) -> None:
        self.sink, self.generation = Sink(), 1
        self.write_keys = [WriteKey(PROJECT, "capture", KEY), WriteKey(PROJECT, "dsn", "d" * 32)]
        keys = ProjectKeys(list, lambda: self.generation, "", lambda: None, load_write_keys=lambda: self.write_keys)
        app = create_ingest_app(
            sink=self.sink,
            keys=keys,
            limits=Limits(),
            rate_limit=RateLimiter(1000, 1000),
            trusted_proxies=(),
            now_ms=lambda: NOW_MS,
            dialects=[TOY],
        )
        self.client = testing.TestClient(app)

    def send(self, *items: Any, path: str = "/toy/here/things", method: str = "POST", **options: Any) -> testing.Result:
        headers = {"X-Capture-Key": KEY} | options.pop("headers", {})
        body = options.pop("body", json.dumps(items).encode())
        return self.client.simulate_request(method, path, body=body, headers=headers, **options)


@pytest.fixture
def toy() -> Toy:
    return Toy()


def test_an_envelope_of_several_kinds_is_pushed_and_counted_by_category(toy: Toy):
    result = toy.send({"session": 1}, {"event": event()}, {"session": 2})

    assert (result.status_code, result.text) == (200, "3 of 3")
    assert [form for form, _ in toy.sink.pushed] == [SESSION_FORM, EVENT.form, SESSION_FORM]
    assert json.loads(toy.sink.pushed[0][1]) == [PROJECT, NOW_MS, ["here", 1]]
    assert event_record.decode(toy.sink.pushed[1][1], lambda _: dictionary.current()).algorithm == "v1"
    assert toy.sink.counts == {
        (PROJECT, Category.SESSION, Outcome.RECEIVED): 2,
        (PROJECT, Category.EVENT, Outcome.RECEIVED): 1,
    }


@pytest.mark.parametrize("items", [[{"session": 1}], [{"session": 1}, {"session": 2}]], ids=["one", "two"])
def test_what_finds_no_room_is_counted_in_its_category(toy: Toy, items: list[Any]):
    toy.sink.room = 0

    assert toy.send(*items).text == f"0 of {len(items)}"

    assert toy.sink.counts == {
        (PROJECT, Category.SESSION, Outcome.RECEIVED): len(items),
        (PROJECT, Category.SESSION, Outcome.RING_FULL): len(items),
    }


@pytest.mark.parametrize("around", [[], [{"event": event()}]], ids=["alone", "beside an event"])
def test_what_is_rejected_costs_only_itself_and_leaves_one_note(toy: Toy, around: list[Any]):
    assert toy.send(*around, {"session": 0}, {"session": -1}).status_code == 200

    assert toy.sink.counts[PROJECT, Category.SESSION, Outcome.RECEIVED] == 2
    assert toy.sink.counts[PROJECT, Category.SESSION, Outcome.INVALID] == 2
    assert toy.sink.counts[PROJECT, Category.EVENT, Outcome.RECEIVED] == len(toy.sink.pushed) == len(around)
    [note] = toy.sink.notes
    assert (note.project_id, note.detail, note.key_prefix) == (PROJECT, "session must be positive", "bloop_ck_3c3…")


def test_an_empty_envelope_counts_nothing(toy: Toy):
    assert toy.send().text == "0 of 0"
    assert toy.sink.counts == {}


def test_a_body_refused_as_a_whole_counts_once_in_the_category_of_its_endpoint(toy: Toy):
    result = toy.send(body=b"{}")

    assert (result.status_code, result.json) == (400, {"error": "not an envelope"})
    assert toy.sink.counts == {
        (PROJECT, Category.TRACE, Outcome.RECEIVED): 1,
        (PROJECT, Category.TRACE, Outcome.INVALID): 1,
    }


@pytest.mark.parametrize("key", ["bloop_ck_nobody", "d" * 32, ""], ids=["unknown", "of another kind", "none"])
def test_a_key_that_is_no_capture_key_is_refused(toy: Toy, key: str):
    toy.send({"session": 1})
    toy.sink.counts.clear()

    result = toy.send({"session": 1}, headers={"X-Capture-Key": key})

    assert (result.status_code, result.json) == (401, {"error": "invalid project key"})
    assert toy.sink.counts == {
        (NO_PROJECT, Category.TRACE, Outcome.RECEIVED): 1,
        (NO_PROJECT, Category.TRACE, Outcome.UNKNOWN_KEY): 1,
    }


def test_a_revoked_key_is_refused_with_the_next_request_and_a_new_one_works(toy: Toy):
    assert toy.send({"session": 1}).status_code == 200
    toy.write_keys, toy.generation = [WriteKey(PROJECT, "capture", "another")], 2

    assert toy.send({"session": 1}).status_code == 401
    assert toy.send({"session": 1}, headers={"X-Capture-Key": "another"}).status_code == 200


def test_a_body_that_is_too_long_is_refused_and_booked_to_the_project_of_the_key(toy: Toy):
    toy.send()

    result = toy.send(body=b"[" + b" " * BYTES_MAX + b"]")

    assert (result.status_code, result.json) == (400, {"error": f"body exceeds {BYTES_MAX} bytes"})
    assert toy.sink.counts[PROJECT, Category.TRACE, Outcome.TOO_LARGE] == 1


def test_a_compressed_body_is_inflated(toy: Toy):
    body = gzip.compress(json.dumps([{"session": 5}]).encode())

    assert toy.send(body=body, headers={"Content-Encoding": "gzip"}).text == "1 of 1"


def test_a_second_method_of_a_path_is_its_own_endpoint_and_others_are_refused(toy: Toy):
    assert toy.send({"session": 1}, method="PUT").status_code == 200
    refused = toy.send({"session": 1}, method="DELETE")

    assert (refused.status_code, refused.headers["allow"]) == (405, "OPTIONS, POST, PUT")
    assert refused.headers["access-control-allow-origin"] == "*"
    assert toy.send(method="OPTIONS").status_code == 204


@pytest.mark.parametrize("path", ["/toy/there/things", "//toy//there/things/", "/toy/there/things//"])
def test_values_in_the_path_reach_the_parser_however_it_is_spelled(toy: Toy, path: str):
    toy.send({"session": 1}, path=path)

    assert json.loads(toy.sink.pushed[0][1])[2] == ["there", 1]
