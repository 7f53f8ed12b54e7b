"""What holds for the whole process: health, methods, headers, CORS, slow and broken databases, ingest besides."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import apsw
import falcon
import pytest

from bloop.base.config import Database as DatabaseSettings
from bloop.base.reasons import Reason
from bloop.base.security_headers import CONTENT_SECURITY_POLICY
from bloop.db import connection
from bloop.health.model import WRITER_STALE_MS
from bloop.processes.read import RETENTION
from bloop.processes.store import store_heartbeat
from bloop.ring.segment import WriterState
from tests.integration.api.conftest import RP_ORIGIN, WELL, Server, settings_for
from tests.seed import NOW_MS, Seed, many_issues


def test_a_healthy_process_answers_ok(server: Server) -> None:
    assert server.get("/health") == {"status": "ok", "db_ok": True, "buffer_usage": 0.01, "reasons": []}
    assert server.get("/ready") == {"ready": True, "reasons": []}


@pytest.mark.parametrize(
    ("ring", "reason"),
    [
        (None, "ring_missing"),
        (WELL._replace(heartbeat_ms=NOW_MS - WRITER_STALE_MS - 1), "writer_stale"),
        (WELL._replace(writer_state=WriterState.DISK_FULL), "disk_full"),
        (WELL._replace(writer_state=WriterState.BUSY), "writer_busy"),
        (WELL._replace(writer_state=WriterState.DAMAGED), "db_damaged"),
    ],
)
def test_every_reason_is_named_and_only_ready_refuses(server: Server, ring: Any, reason: str) -> None:
    server.ring = ring

    health, ready = server.call("GET", "/health"), server.call("GET", "/ready")

    assert (health.status_code, health.json["status"], health.json["reasons"]) == (200, "degraded", [reason])
    assert (ready.status_code, ready.json) == (503, {"ready": False, "reasons": [reason]})


def test_a_database_that_cannot_be_read_degrades_health(server: Server, seed: Seed) -> None:
    server.get("/health")
    seed.db.execute("DROP TABLE projects")

    health = server.call("GET", "/health")

    assert (health.status_code, health.json["status"], health.json["db_ok"]) == (200, "degraded", False)
    assert server.call("GET", "/ready").json["reasons"] == ["db_unreachable"]


def test_a_damaged_page_that_any_request_meets_degrades_health(server: Server, seed: Seed) -> None:
    project, cookie = seed.project("shop"), seed.session()
    for n in range(50):
        seed.issue(project, f"f{n}")
    root = int(seed.value("SELECT rootpage FROM sqlite_schema WHERE name = 'status_changes'"))
    seed.db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    with seed.path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xaa" * 4096)
    assert server.get("/health")["status"] == "ok"

    failed = server.call("GET", "/v1/errors/f1/history", cookie=cookie)

    refusal = {"error": "the database is damaged; an operator must restore a backup"}
    assert (failed.status_code, failed.json) == (503, refusal)
    health = server.get("/health")
    assert (health["status"], health["db_ok"], health["reasons"]) == ("degraded", True, ["db_damaged"])
    assert "The database file is damaged." in server.call("GET", "/settings/projects", cookie=cookie).text


def test_damage_that_a_background_process_met_degrades_health(server: Server, seed: Seed) -> None:
    store_heartbeat(seed.db, RETENTION, started_at_ms=1, now_ms=NOW_MS, troubles=[Reason.DB_DAMAGED])

    assert server.get("/health")["reasons"] == ["db_damaged"]


def test_a_disk_that_is_nearly_full_is_reported_before_the_writer_stops(seed: Seed) -> None:
    tight = replace(settings_for(seed.path), database=DatabaseSettings(path=str(seed.path), disk_free_bytes_min=2**62))
    server = Server(seed, tight)

    assert server.call("GET", "/ready").json["reasons"] == ["disk_full"]
    server.database.close()


def test_head_answers_like_get_without_a_body(server: Server, seed: Seed) -> None:
    get = server.call("GET", "/v1/stats", cookie=seed.session())
    head = server.call("HEAD", "/v1/stats", cookie=seed.session())

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.content))
    assert server.call("HEAD", "/v1/stats").status_code == 401
    assert server.call("HEAD", "/nothing").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nothing", 404, "not found"),
        ("GET", "/v1", 404, "not found"),
        ("POST", "/v1/errors", 405, "method not allowed"),
        ("DELETE", "/health", 405, "method not allowed"),
        ("GET", "/v1/errors/f00d/resolve", 405, "method not allowed"),
        ("GET", "/auth/logout", 405, "method not allowed"),
    ],
)
def test_unknown_routes_are_answered_in_json(server: Server, method: str, path: str, status: int, error: str) -> None:
    result = server.call(method, path)

    assert (result.status_code, result.json) == (status, {"error": error})
    assert ("Allow" in result.headers) == (status == 405)


def test_slashes_too_many_are_forgiven(server: Server, seed: Seed) -> None:
    for path in ("//v1/stats", "/v1/stats/", "///v1/stats/"):
        assert server.call("GET", path, cookie=seed.session()).status_code == 200


@pytest.mark.parametrize("path", ["/", "/auth/login", "/health", "/nothing", "/v1/errors"])
def test_every_answer_carries_the_security_headers(server: Server, path: str) -> None:
    headers = server.call("GET", path).headers

    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_the_dashboards_own_origin_may_read_with_credentials(server: Server, seed: Seed) -> None:
    result = server.call("GET", "/v1/stats", cookie=seed.session(), headers={"Origin": RP_ORIGIN})
    preflight = server.call(
        "OPTIONS",
        "/v1/errors/f00d/resolve",
        headers={"Origin": RP_ORIGIN, "Access-Control-Request-Method": "POST"},
    )

    for answer in (result, preflight):
        assert answer.headers["Access-Control-Allow-Origin"] == RP_ORIGIN
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in answer.headers["Vary"]
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, DELETE, OPTIONS"
    assert preflight.headers["Access-Control-Allow-Headers"] == "Content-Type, Cookie, Authorization"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", RP_ORIGIN + ".evil.example", RP_ORIGIN + ":8443"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_other_origins_may_not_read(server: Server, seed: Seed, method: str, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}

    result = server.call(method, "/v1/stats", cookie=seed.session(), headers=headers)

    assert not [name for name in result.headers if name.lower().startswith("access-control")]


def test_ingest_is_answered_here_too_and_open_to_any_page(server: Server) -> None:
    body = b'{"timestamp":1800000000,"source":"api","environment":"p","release":"1","error_type":"E","message":"m"}'
    signature = hmac.new(b"key-of-shop", body, hashlib.sha256).hexdigest()
    headers = {"X-Project-Key": "key-of-shop", "X-Signature": signature, "Origin": "https://shop.example"}

    for path in ("/v1/ingest", "//v1/ingest", "/v1/ingest/"):
        result = server.call("POST", path, headers=headers, body=body)
        assert (result.status_code, result.json) == (200, {"status": "accepted"})
        assert result.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in result.headers
    assert len(server.sink.pushed) == 3
    assert server.call("GET", "/v1/ingest").status_code == 405


def test_a_query_that_runs_too_long_is_503_and_the_next_one_works(seed: Seed) -> None:
    many_issues(seed, seed.project("shop"), 20_000)
    hurried = replace(
        settings_for(seed.path),
        database=DatabaseSettings(path=str(seed.path), pool_size=1, query_timeout_ms=1, disk_free_bytes_min=0),
    )
    server = Server(seed, hurried)
    cookie = seed.session()

    slow = server.call("GET", "/v1/errors", cookie=cookie, query_string="source=nobody")

    assert slow.status_code == 503
    assert slow.json["error"] == "the query ran longer than 1 ms"
    assert server.call("GET", "/v1/stats", cookie=cookie).status_code == 200
    server.database.close()


def test_a_write_that_finds_the_database_locked_is_503(
    server: Server, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 20)
    seed.issue(seed.project("shop"), "f00d")
    cookie = seed.session()

    with connection.immediate(seed.db):
        result = server.call("POST", "/v1/errors/f00d/resolve", cookie=cookie)

    assert (result.status_code, result.json) == (503, {"error": "the database is busy; try again"})
    assert server.call("POST", "/v1/errors/f00d/resolve", cookie=cookie).status_code == 200


def test_an_unexpected_error_is_500_without_detail(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    seed.db.execute("DROP TABLE status_counts")

    result = server.call("GET", "/v1/stats", cookie=cookie)

    assert (result.status_code, result.json) == (500, {"error": "internal server error"})


@pytest.fixture
def busy(seed: Seed) -> Iterator[Server]:
    made = Server(seed, settings_for(seed.path))
    yield made
    made.database.close()


def test_answers_are_never_cached_by_anyone_else(busy: Server, seed: Seed) -> None:
    assert busy.call("GET", "/v1/errors", cookie=seed.session()).headers["Cache-Control"] == "private, no-cache"
    assert busy.call("GET", "/health").headers["Cache-Control"] == "no-store"
    assert busy.call("GET", "/health").status == falcon.HTTP_200
