"""STREAM-1 to STREAM-4: what a stream says, to whom, and from where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from bloop.base.errors import RateLimited
from bloop.db.pool import DatabasePool
from bloop.live import stream as live
from bloop.live.hub import ACTIVITY_S, PER_CREDENTIAL_MAX, REPLAY_MAX, RETRY_AFTER_S, STREAMS_MAX, Hub
from bloop.live.stream import Listener
from bloop.pipeline.signals import Signal, SignalKind, append
from tests.integration.api.conftest import Server
from tests.seed import NOW_MS, Seed


def happen(seed: Seed, issue_id: int, kind: SignalKind = SignalKind.ISSUE_NEW, **data: Any) -> None:
    project_id = seed.value("SELECT project_id FROM issues WHERE id = ?", issue_id)
    append(seed.db, [Signal(kind, project_id, issue_id, NOW_MS, data)])


def events(stream: bytes) -> list[dict[str, str]]:
    """The blocks of a stream as a browser reads them: fields by name, comments left out."""
    assert stream.endswith(b"\n\n")
    blocks = [block for block in stream.decode().split("\n\n") if block]
    return [
        dict(re.fullmatch(r"(\w+): ?(.*)", line).groups() for line in block.split("\n") if line and line[0] != ":")  # type: ignore[union-attr,misc]
        for block in blocks
    ]


def ids(stream: bytes) -> list[int]:
    return [int(event["id"]) for event in events(stream) if event.get("event", "").startswith("issue.")]


# Over HTTP ----------------------------------------------------------------------------------------------------------


def test_a_stream_begins_where_things_stand_and_carries_the_headers(server: Server, seed: Seed) -> None:
    happen(seed, seed.issue(seed.project("shop"), "a"))

    answer = server.call("GET", "/v1/stream", cookie=seed.session())

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.content == b"retry: 2000\nid: 1\n\n"


@pytest.mark.parametrize("how", ["header", "parameter", "both"])
def test_a_client_that_reconnects_gets_every_event_once(server: Server, seed: Seed, how: str) -> None:
    issue = seed.issue(seed.project("shop"), "f00d")
    for kind in (SignalKind.ISSUE_NEW, SignalKind.ISSUE_RESOLVED, SignalKind.ISSUE_REGRESSED):
        happen(seed, issue, kind, release="1.0\n\ndata: forged\r\n")
    headers = {"Last-Event-ID": "1"} if how != "parameter" else {}
    query = {"header": "", "parameter": "after=1", "both": "after=0"}[how]

    answer = server.call("GET", "/v1/stream", cookie=seed.session(), headers=headers, query_string=query)

    found = events(answer.content)
    assert [(e.get("id"), e.get("event")) for e in found] == [
        ("1", None),
        ("2", "issue.resolved"),
        ("3", "issue.regressed"),
    ]
    assert orjson.loads(found[2]["data"]) == {
        "id": 3,
        "kind": "issue.regressed",
        "project_id": "id-of-shop",
        "project": "shop",
        "issue": "SHOP-1",
        "fingerprint": "f00d",
        "status": "unresolved",
        "at": NOW_MS,
        "data": {"release": "1.0\n\ndata: forged\r\n"},
    }


@pytest.mark.parametrize(("after", "is_reset"), [("1", True), ("4", True), ("5", False), ("8", False), ("99", True)])
def test_a_client_that_was_away_too_long_is_told_to_reload(
    server: Server, seed: Seed, after: str, is_reset: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REPLAY_MAX", 4)
    issue = seed.issue(seed.project("shop"), "a")
    for _ in range(9):
        happen(seed, issue)
    seed.db.execute("DELETE FROM signals WHERE id < 3")  # pruned

    answer = server.call("GET", "/v1/stream", cookie=seed.session(), query_string=f"after={after}")

    last = events(answer.content)[-1]
    assert (last.get("event") == "reset") is is_reset
    assert last["id"] == "9"


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 30, "٣"])
def test_an_unknown_last_event_id_starts_now(server: Server, seed: Seed, after: str) -> None:
    happen(seed, seed.issue(seed.project("shop"), "a"))

    answer = server.call("GET", "/v1/stream", cookie=seed.session(), params={"after": after})

    assert answer.content == b"retry: 2000\nid: 1\n\n"


def test_a_token_hears_its_project_and_a_person_the_one_they_name(server: Server, seed: Seed) -> None:
    shop, api = seed.project("shop"), seed.project("api")
    for project in (shop, api, shop):
        happen(seed, seed.issue(project, f"of {project} {seed.value('SELECT count(*) FROM issues')}"))
    token, cookie = seed.token(api, "errors:read"), seed.session()

    def heard(query: str = "", **credential: str) -> list[int]:
        return ids(server.call("GET", "/v1/stream", query_string=f"after=0{query}", **credential).content)

    assert heard(token=token) == [2]
    assert heard("&project_id=shop", token=token) == [2]
    assert heard(cookie=cookie) == [1, 2, 3]
    assert heard("&project_id=shop", cookie=cookie) == [1, 3]
    unknown = server.call("GET", "/v1/stream", cookie=cookie, query_string="project_id=nope")
    assert unknown.status_code == 404


def test_head_takes_no_stream_slot(server: Server, seed: Seed) -> None:
    cookie = seed.session()

    for _ in range(PER_CREDENTIAL_MAX + 1):
        assert server.call("HEAD", "/v1/stream", cookie=cookie).status_code == 200


def test_a_server_that_keeps_connections_is_given_the_listener(server: Server, seed: Seed) -> None:
    issue = seed.issue(seed.project("shop"), "a")
    kept: list[Listener] = []
    cookie = seed.session()

    def call() -> Any:
        return server.call("GET", "/v1/stream", cookie=cookie, extras={"bloop.stream": kept.append})

    assert call().content == b"retry: 2000\nid: 0\n\n"
    happen(seed, issue)
    assert ids(kept[0].pull() or b"") == [1]
    while len(kept) < PER_CREDENTIAL_MAX:
        call()
    refused = call()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, str(RETRY_AFTER_S))
    kept[0].closed()
    assert call().status_code == 200
    assert len(kept) == PER_CREDENTIAL_MAX + 1


# The hub and its listeners, with the clock in hand -------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(seed: Seed, clock: Clock) -> Iterator[Hub]:
    database = DatabasePool(seed.path, pool_size=1, query_timeout_ms=5000)
    yield Hub(database, clock)
    database.close()


def join(hub: Hub, seed: Seed, *, scope: tuple[int, ...] | None = None, holds: list[bool] | None = None) -> Listener:
    hub.enter("somebody")
    listener = Listener(hub, "somebody", scope, lambda: (holds or [True])[-1])
    listener.begin(seed.db, None)
    return listener


def look(clock: Clock, listener: Listener, after_s: float = 0.25) -> bytes | None:
    clock.now_s += after_s
    return listener.pull()


def test_signals_between_connecting_and_the_first_poll_are_sent(hub: Hub, seed: Seed, clock: Clock) -> None:
    issue = seed.issue(seed.project("shop"), "a")
    happen(seed, issue)
    first = join(hub, seed)
    happen(seed, issue)
    assert ids(look(clock, first) or b"") == [2]
    first.closed()
    happen(seed, issue)  # nobody listens

    second = join(hub, seed)
    happen(seed, issue)
    third = join(hub, seed)
    happen(seed, issue)

    assert ids(look(clock, third) or b"") == [5]
    assert ids(look(clock, second) or b"") == [4, 5]


def test_one_look_serves_all(hub: Hub, seed: Seed, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    listeners = [join(hub, seed) for _ in range(5)]
    looks: list[float] = []
    look_once = hub._read_signals
    monkeypatch.setattr(hub, "_read_signals", lambda db, now_s: (looks.append(now_s), look_once(db, now_s)))

    for _ in range(3):
        clock.now_s += 0.25
        for listener in listeners:
            listener.pull()

    assert len(looks) == 3


def test_a_quiet_stream_is_kept_alive_and_its_place_moves_on(hub: Hub, seed: Seed, clock: Clock) -> None:
    shop, api = seed.project("shop"), seed.project("api")
    listener = join(hub, seed, scope=(shop,))
    for _ in range(3):
        happen(seed, seed.issue(api, str(clock.now_s)))
        clock.now_s += 1

    assert look(clock, listener) == b""
    assert look(clock, listener, live.HEARTBEAT_S) == b"id: 3\n:\n\n"
    assert look(clock, listener) == b""


def test_a_stream_ends_with_its_credential(hub: Hub, seed: Seed, clock: Clock) -> None:
    holds = [True]
    listener = join(hub, seed, holds=holds)
    assert look(clock, listener, live.CHECK_S) is not None

    holds.append(False)

    assert look(clock, listener) is not None
    assert look(clock, listener, live.CHECK_S) is None


def test_a_listener_that_fell_behind_looks_afresh(
    hub: Hub, seed: Seed, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = seed.issue(seed.project("shop"), "a")
    quick, slow = join(hub, seed), join(hub, seed)
    for _ in range(REPLAY_MAX + 20):
        happen(seed, issue)
        if seed.value("SELECT max(id) FROM signals") % 100 == 0:
            look(clock, quick)

    last = look(clock, slow) or b""

    assert events(last)[0] == {"id": "520", "event": "reset", "data": '{"id":520}'}
    assert ids(look(clock, quick) or b"") == list(range(501, 521))


def test_new_counts_of_issues_are_sent_without_an_id(hub: Hub, seed: Seed, clock: Clock) -> None:
    shop, api = seed.project("shop"), seed.project("api")
    issue = seed.issue(shop, "a")
    mine, other = join(hub, seed, scope=(shop,)), join(hub, seed, scope=(api,))
    assert look(clock, mine) == b""

    seed.db.execute("UPDATE issues SET last_seen_ms = last_seen_ms + 1 WHERE id = ?", (issue,))

    assert look(clock, mine) == b""  # not so soon
    assert look(clock, mine, ACTIVITY_S) == b'event: activity\ndata: {"project_ids":["id-of-shop"]}\n\n'
    assert look(clock, other) == b""
    assert look(clock, mine, ACTIVITY_S) == b""


def test_trouble_with_the_database_is_waited_out(
    hub: Hub, seed: Seed, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = seed.issue(seed.project("shop"), "a")
    listener = join(hub, seed)
    happen(seed, issue)

    with hub._database.reader():  # the only connection is in use
        assert look(clock, listener) == b""
    assert ids(look(clock, listener) or b"") == [1]


def test_the_number_of_streams_is_bounded(hub: Hub) -> None:
    for number in range(STREAMS_MAX):
        hub.enter(str(number // PER_CREDENTIAL_MAX))
    with pytest.raises(RateLimited):
        hub.enter("another")

    hub.leave("0")

    hub.enter("another")
