"""One port for everything: a request that is not ingest goes to the dashboard, with its connection."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.http.conftest import Gunicorn, Start
from tests.integration.http.wire import Wire, get_bytes, post_bytes
from tests.waiting import until

# Header and body times are short, so that clients that stall can be waited for.
IMPATIENT = "header_timeout_s=1.0, body_timeout_s=1.0, write_timeout_s=1.0, linger_timeout_s=0.5"


@pytest.fixture(scope="module")
def ingest(start_ingest: Start) -> Gunicorn:
    return start_ingest()


@pytest.fixture(scope="module")
def dashboard(start_dashboard: Start) -> Gunicorn:
    return start_dashboard(limits=IMPATIENT)


@pytest.fixture
def wire(ingest: Gunicorn, dashboard: Gunicorn) -> Iterator[Wire]:
    with ingest.wire() as wire:
        yield wire


def server_of(answer: dict[str, str]) -> str:
    return answer["SERVER_SOFTWARE"]


def test_page_is_answered_by_the_dashboard_on_the_same_connection(wire: Wire):
    first = wire.post("/v1/echo", b"x").json()
    page = wire.get("/page?q=1").json()
    later = wire.post("/v1/echo", b"y").json()

    assert [server_of(answer) for answer in (first, page, later)] == ["bloop", "bloop-dashboard", "bloop-dashboard"]
    assert page["REMOTE_ADDR"] == "127.0.0.1"
    assert first["REMOTE_PORT"] == page["REMOTE_PORT"] == later["REMOTE_PORT"]
    assert (page["PATH_INFO"], page["QUERY_STRING"]) == ("/page", "q=1")


def test_repeated_slashes_and_queries_do_not_change_whose_request_it_is(wire: Wire):
    assert server_of(wire.get("//v1///echo?/page").json()) == "bloop"
    assert server_of(wire.get("//page?/v1/echo").json()) == "bloop-dashboard"


def test_pipelined_mix_is_answered_in_order(wire: Wire):
    wire.send(
        post_bytes("/v1/a", b"one")
        + post_bytes("/v1/b", b"two")
        + post_bytes("/page", b"three")
        + get_bytes("/other")
        + post_bytes("/v1/c", b"four")
    )

    answers = [wire.response().json() for _ in range(5)]

    assert [answer["PATH_INFO"] for answer in answers] == ["/v1/a", "/v1/b", "/page", "/other", "/v1/c"]
    assert [server_of(answer) for answer in answers] == ["bloop"] * 2 + ["bloop-dashboard"] * 3


def test_page_request_that_drips_in_is_handed_over_whole(wire: Wire):
    for byte in b"\r\n" + get_bytes("/page"):
        wire.send(bytes([byte]))

    assert wire.response().json()["PATH_INFO"] == "/page"


def test_body_of_a_handed_over_request_follows_on_the_passed_socket(wire: Wire):
    body = b"x" * 3_000_000

    assert wire.post("/upload", body).json()["body_bytes"] == len(body)
    assert wire.get("/v1/echo").status == 200


def test_head_and_body_larger_than_one_read_are_handed_over(wire: Wire):
    headers = "".join(f"X-{n}: {'v' * 1000}\r\n" for n in range(14))
    request = post_bytes("/page", b"x" * 200_000, headers)
    wire.send(request[:15_000])
    wire.send(request[15_000:])

    answer = wire.response().json()

    assert answer["body_bytes"] == 200_000
    assert answer["HTTP_X_13"] == "v" * 1000


def test_100_continue_works_after_the_hand_over(wire: Wire):
    wire.send(b"POST /page HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert wire.response().status == 100

    wire.send(b"body")

    assert wire.response().json()["body_bytes"] == 4


def test_half_closed_client_gets_its_page(wire: Wire):
    wire.send(get_bytes("/page"))
    wire.half_close()

    assert wire.response().json()["PATH_INFO"] == "/page"


def test_ingest_keeps_no_descriptor_of_a_handed_over_connection(ingest: Gunicorn, wire: Wire):
    with ingest.wire() as other:  # the connection to the dashboard is there to stay
        other.get("/page")
    wire.get("/v1/echo")
    open_before, watched_before = ingest.worker_fds(), watched_fds(ingest)

    wire.get("/page")

    # Once the dashboard has it, the answer may be here before the ingest worker has closed its own copy.
    until(lambda: ingest.worker_fds() == open_before - 1, "the copy to be closed")
    assert watched_fds(ingest) == watched_before - 1


def watched_fds(server: Gunicorn) -> int:
    """What the worker's epoll watches. It goes on watching a closed descriptor whose file is open elsewhere."""
    (pid,) = server.worker_pids()
    return sum(info.read_text().count("tfd:") for info in Path(f"/proc/{pid}/fdinfo").iterdir())


def test_clients_come_and_go_without_leaking_descriptors(ingest: Gunicorn, dashboard: Gunicorn):
    with ingest.wire() as client:
        client.get("/page")
    until(lambda: not connections(dashboard), "every client to be gone")
    before = dashboard.worker_fds()

    for n in range(60):
        with ingest.wire() as wire:
            wire.send(get_bytes("/page")[: None if n % 2 else -1])
            if n % 3:
                wire.abort()
    with ingest.wire() as wire:
        assert wire.get("/v1/echo").status == 200

    until(lambda: dashboard.worker_fds() == before, "every descriptor to be closed")


def connections(server: Gunicorn) -> int:
    (pid,) = server.worker_pids()
    return len(
        [
            connection
            for connection in psutil.Process(pid).net_connections("tcp")
            if connection.status != psutil.CONN_LISTEN
        ]
    )


def test_answer_closes_as_asked_and_the_loop_does_not_wait_for_the_client(dashboard: Gunicorn, wire: Wire):
    assert wire.get("/page", headers="Connection: close\r\n").status == 200
    # The client has not closed its side. Gunicorn alone would stand still for two seconds now.
    with dashboard.wire() as other:
        other.sock.settimeout(1.0)
        assert other.get("/page").status == 200

    assert wire.is_closed()


# -- slow clients ------------------------------------------------------------------------------------------------------


def test_kept_alive_clients_that_send_half_a_request_do_not_eat_the_threads(dashboard: Gunicorn, ingest: Gunicorn):
    slow = [ingest.wire() for _ in range(8)]  # more than the dashboard has threads
    try:
        for wire in slow:
            assert wire.get("/page").status == 200
            wire.send(b"GET /page HTTP/1.1\r\nHo")

        with ingest.wire() as other:
            other.sock.settimeout(0.9)  # less than the header timeout
            assert other.get("/page").status == 200

        assert {wire.response().status for wire in slow} == {408}
        assert all(wire.is_closed() for wire in slow)
    finally:
        for wire in slow:
            wire.sock.close()


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (400, b"\x16\x03\x01"),
        (400, b"GET /page HTTP/1.1\nHost: t\n"),
        (414, b"GET /" + b"a" * 9000),
        (431, b"GET /page HTTP/1.1\r\nX: " + b"a" * 17_000),
        (431, b"GET /page HTTP/1.1\r\nX: " + b"a" * 17_000 + b"\r\n\r\n"),
    ],
)
def test_dashboard_refuses_heads_by_the_same_rules(dashboard: Gunicorn, status: int, head: bytes):
    with dashboard.wire() as wire:
        wire.get("/page")
        wire.send(head)

        answer = wire.response()

        assert answer.status == status
        assert list(answer.json()) == ["error"]
        assert wire.is_closed()


def test_request_whose_body_stalls_is_refused_and_never_reaches_the_app(wire: Wire, tmp_path: Path):
    note = tmp_path / "note"
    wire.send(post_bytes("/note", b"x" * 100, f"X-Note: {note}\r\n")[:-1])

    answer = wire.response()

    assert (answer.status, answer.json()) == (408, {"error": "request took too long"})
    assert wire.is_closed()
    assert not note.exists()


def test_body_that_drips_is_given_up_too(wire: Wire, tmp_path: Path):
    note = tmp_path / "note"
    wire.send(post_bytes("/note", b"x" * 10_000, f"X-Note: {note}\r\n")[:-9_999])
    wire.sock.settimeout(0.02)

    def drip() -> bool:
        try:
            return wire.receive()
        except TimeoutError:
            wire.send(b"x")
            return False

    until(drip, "an answer")

    wire.sock.settimeout(8)
    assert wire.response().status == 408
    assert not note.exists()


def test_body_at_an_honest_pace_may_take_longer_than_the_timeout(dashboard: Gunicorn, wire: Wire):
    body = b"x" * 24_000  # 4,096 bytes give a second more, and the timeout is one
    wire.send(post_bytes("/page", body)[: -len(body)])
    wire.sock.settimeout(0.1)

    sent = 0
    while sent < len(body):
        wire.send(body[sent : sent + 800])
        sent += 800
        with contextlib.suppress(TimeoutError):
            wire.receive()
    wire.sock.settimeout(8)

    assert wire.response().json()["body_bytes"] == len(body)


def test_long_body_waits_in_a_file_without_a_name(dashboard: Gunicorn, wire: Wire, folder: Path):
    body = os.urandom(1_000_000)
    request = post_bytes("/page", body)
    (pid,) = dashboard.worker_pids()

    def waits_in_a_file() -> bool:
        names = []
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                names.append(os.readlink(link))
        return any(name.startswith(f"{folder}/") and name.endswith("(deleted)") for name in names)

    wire.send(request[:-1])
    until(waits_in_a_file, "the file")
    wire.send(request[-1:])

    assert wire.response().json()["sha256"] == hashlib.sha256(body).hexdigest()
    until(lambda: not waits_in_a_file(), "the file to be closed")


def test_peer_that_does_not_read_gives_its_thread_back(ingest: Gunicorn, dashboard: Gunicorn):
    deaf = [ingest.wire(receive_buffer_bytes=4096) for _ in range(3)]  # as many as there are threads
    try:
        for wire in deaf:
            wire.send(get_bytes("/big?16000000"))
            assert wire.receive()

        with ingest.wire() as other:
            assert other.get("/page").status == 200
    finally:
        for wire in deaf:
            wire.abort()


# -- the dashboard comes and goes --------------------------------------------------------------------------------------


def test_dashboard_down_is_503_for_pages_only_until_it_is_up(start_ingest: Start, start_dashboard: Start):
    ingest = start_ingest(handoff="updown.sock")
    with ingest.wire() as wire:
        assert wire.post("/v1/echo", b"x").status == 200
        refused = wire.get("/page")
        assert refused.status == 503
        assert refused.json() == {"error": "dashboard is not running"}
        assert int(refused.headers["retry-after"]) > 0

    dashboard = start_dashboard(handoff="updown.sock")
    with ingest.wire() as wire:
        assert server_of(wire.get("/page").json()) == "bloop-dashboard"

    dashboard.send_signal(signal.SIGTERM)
    assert dashboard.wait() == 0
    with ingest.wire() as wire:
        assert wire.get("/page").status == 503
    with ingest.wire() as wire:
        assert wire.get("/v1/echo").status == 200


def test_killed_dashboard_worker_is_succeeded_on_the_same_path(
    start_ingest: Start, start_dashboard: Start, folder: Path
):
    ingest, dashboard = start_ingest(handoff="killed.sock"), start_dashboard(handoff="killed.sock")
    with ingest.wire() as wire:
        victim = wire.get("/page").json()["pid"]
        os.kill(victim, signal.SIGKILL)
        assert wire.is_closed()

    def page_is_back() -> bool:
        with ingest.wire() as wire:
            wire.send(get_bytes("/page"))
            if not wire.receive():  # handed to the victim while the kernel was still clearing it away
                return False
            answer = wire.response()
        return answer.status == 200 and answer.json()["pid"] != victim

    until(page_is_back, "a page of the successor")
    assert dashboard.worker_pids() != {victim}


def test_path_is_private_and_goes_with_its_owner(start_dashboard: Start, folder: Path):
    path = folder / "private.sock"
    dashboard = start_dashboard(handoff=path.name)
    mode = path.stat().st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)

    dashboard.send_signal(signal.SIGTERM)

    assert dashboard.wait() == 0
    assert list(folder.glob("private.sock*")) == []


def test_stopped_dashboard_is_busy_after_a_bounded_queue_and_loses_no_client(
    start_ingest: Start, start_dashboard: Start
):
    ingest = start_ingest(handoff="stuck.sock")
    # How many the queue holds is the kernel's; all of them come from one address, whose bound is tested elsewhere.
    dashboard = start_dashboard(handoff="stuck.sock", limits="address_connections_max=0")
    (pid,) = dashboard.worker_pids()
    with ingest.wire() as wire:
        assert wire.get("/page").status == 200
    waiting: list[Wire] = []
    os.kill(pid, signal.SIGSTOP)
    try:
        refused = None
        while refused is None:
            assert len(waiting) < 2000
            wire = ingest.wire()
            waiting.append(wire)
            wire.send(get_bytes("/page"))
            with ingest.wire() as probe:  # answered after the hand-over above was tried
                assert probe.get("/v1/echo").status == 200
            wire.sock.setblocking(False)
            try:
                wire.receive()
            except BlockingIOError:
                wire.sock.settimeout(8)
            else:
                refused = wire.response()

        assert (refused.status, refused.json()) == (503, {"error": "dashboard is busy"})
        assert len(waiting) > 10
        os.kill(pid, signal.SIGCONT)
        assert {wire.response().status for wire in waiting[:-1]} == {200}
    finally:
        os.kill(pid, signal.SIGCONT)
        for wire in waiting:
            wire.sock.close()


def test_stopping_dashboard_serves_those_already_passed_to_it(
    start_ingest: Start, start_dashboard: Start, tmp_path: Path
):
    ingest, dashboard = start_ingest(handoff="drain.sock"), start_dashboard(handoff="drain.sock")
    (pid,) = dashboard.worker_pids()
    with ingest.wire() as first:
        first.get("/page")  # the hand-off is connected
    waiting = [ingest.wire() for _ in range(10)]
    try:
        os.kill(pid, signal.SIGSTOP)
        for wire in waiting:
            wire.send(get_bytes("/page"))
        with ingest.wire() as probe:
            assert probe.get("/v1/echo").status == 200
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)

        assert {wire.response().status for wire in waiting} == {200}
    finally:
        for wire in waiting:
            wire.sock.close()


def test_streams_pass_the_hand_off_and_end_when_the_dashboard_stops(start_ingest: Start, start_dashboard: Start):
    ingest, dashboard = start_ingest(handoff="stream.sock"), start_dashboard(handoff="stream.sock")
    with ingest.wire() as wire:
        wire.send(get_bytes("/stream"))
        head = wire.head()
        assert "text/event-stream" in head
        assert "Content-Length" not in head
        assert [wire.frame() for _ in range(3)] == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]

        dashboard.send_signal(signal.SIGTERM)

        assert wire.rest().endswith(b"\n\n") or wire.is_closed()
        assert dashboard.wait() == 0


def test_app_that_works_for_long_learns_that_the_server_stops(
    start_ingest: Start, start_dashboard: Start, tmp_path: Path
):
    ingest, dashboard = start_ingest(handoff="long.sock"), start_dashboard(handoff="long.sock")
    with ingest.wire() as wire:
        wire.send(get_bytes(f"/until-stopping?{tmp_path}/begun"))
        until((tmp_path / "begun").exists, "the app to have begun")

        dashboard.send_signal(signal.SIGTERM)

        answer = wire.response()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert dashboard.wait() == 0


def test_full_dashboard_refuses_connections_and_recovers(start_ingest: Start, start_dashboard: Start):
    ingest = start_ingest(handoff="full.sock")
    start_dashboard(handoff="full.sock", limits="connections_max=4")
    streaming = [ingest.wire() for _ in range(4)]
    try:
        for wire in streaming:
            wire.send(get_bytes("/stream"))
        for wire in streaming:  # more than there are threads
            assert "200 OK" in wire.head()
        with ingest.wire() as late:
            late.send(get_bytes("/page"))
            with ingest.wire() as probe:
                assert probe.get("/v1/echo").status == 200
            for wire in streaming:
                wire.abort()

            assert late.response().status == 200
    finally:
        for wire in streaming:
            wire.sock.close()


def test_neither_worker_starts_with_tls(start_ingest: Start, folder: Path):
    certificate = folder / "cert.pem"
    certificate.touch()
    server = start_ingest(extra=f"certfile = {str(certificate)!r}")

    assert server.wait() != 0
    assert "TLS belongs to the proxy" in server.log()
