"""GET /metrics over a real database: who may read it, what it says, and how little it costs."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bloop import __version__
from bloop.base import meters
from bloop.base.outcomes import NO_PROJECT, Outcome
from bloop.base.reasons import Reason
from bloop.health.exposition import NO_PROJECT_LABEL, OTHER, PARTS, Families, ScrapeData
from bloop.ingest.registry import METERS
from bloop.projects.tokens.api import ADMINS_ONLY
from bloop.ring.layout import CONSUMER_METERS, LANE_METERS
from bloop.ring.segment import LaneStat, Meters
from bloop.site.deps import RingSample
from tests.integration.api.conftest import WELL, Server, settings_for
from tests.seed import NOW_MS, Seed

HERE = {"host": "localhost", "remote_addr": "127.0.0.1"}


def scraped(server: Server, **options: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """(name, labels) → value."""
    result = server.call("GET", "/metrics", **HERE, **options)
    assert (result.status_code, result.headers["Cache-Control"]) == (200, "no-store")
    assert result.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(result.text):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, "a series twice"
            found[key] = sample.value
    return found


def of(found: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float | None:
    return found.get((name, tuple(sorted(labels.items()))))


def by(found: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, label: str) -> dict[str, float]:
    return {dict(labels)[label]: value for (known, labels), value in found.items() if known == name}


# Who may


def test_only_direct_local_requests_read_without_a_credential(server: Server) -> None:
    assert server.call("GET", "/metrics", **HERE).status_code == 200
    assert server.call("HEAD", "/metrics", **HERE).status_code == 200
    for header in ({"X-Forwarded-For": "1.2.3.4"}, {"X-Real-IP": "1.2.3.4"}, {"Forwarded": "for=x"}, {"Via": "1.1 x"}):
        refused = server.call("GET", "/metrics", headers=header, **HERE)
        assert (refused.status_code, refused.json) == (401, {"error": "authentication required"})
    assert server.call("GET", "/metrics", host="localhost", remote_addr="192.0.2.1").status_code == 401
    assert server.call("GET", "/metrics", host="errors.example.com", remote_addr="127.0.0.1").status_code == 401


def test_a_wrong_token_is_refused_from_this_machine_too(server: Server) -> None:
    assert server.call("GET", "/metrics", **HERE, token="bloop_tk_wrong").status_code == 401


def test_a_token_made_for_it_reads_from_anywhere_and_others_do_not(server: Server, seed: Seed) -> None:
    project = seed.project("shop")
    through_proxy = {"X-Forwarded-For": "192.0.2.1"}

    for scope, expected in (("metrics:read", 200), ("errors:read", 403)):
        token = seed.token(project, scope)
        assert server.call("GET", "/metrics", headers=through_proxy, token=token).status_code == expected


def test_only_admins_make_such_tokens(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    seed.project("shop", created_by=ada)
    wanted = {"project_id": "shop", "name": "prometheus", "scopes": ["metrics:read"]}

    refused = server.call("POST", "/v1/tokens", cookie=seed.session(ada), json=wanted)

    assert (refused.status_code, refused.json) == (403, {"error": ADMINS_ONLY})
    admin = seed.session(seed.user("grace", is_admin=True))
    assert server.call("POST", "/v1/tokens", cookie=admin, json=wanted).status_code == 201
    offer = 'name="metrics:read"'
    assert offer not in server.call("GET", "/settings/tokens", cookie=seed.session(ada)).text
    assert offer in server.call("GET", "/settings/tokens", cookie=admin).text


# What it says


def test_an_empty_installation_reports_that_it_is_healthy(server: Server) -> None:
    found = scraped(server)

    assert set(by(found, "bloop_trouble", "reason").items()) == {(reason.value, 0.0) for reason in Reason}
    assert by(found, "bloop_build_info", "version") == {__version__: 1.0}
    assert of(found, "bloop_ring_fill_ratio") == 0.01
    assert of(found, "bloop_process_up", process="writer") == 1.0
    assert of(found, "bloop_backup_age_seconds") is None


def test_records_are_counted_by_project_and_outcome(server: Server, seed: Seed) -> None:
    shop, gone = seed.project("shop"), seed.project("#2")
    for project, outcome, count in (
        (shop, Outcome.RECEIVED, 12),
        (shop, Outcome.STORED, 10),
        (gone, Outcome.RECEIVED, 5),
        (NO_PROJECT, Outcome.UNKNOWN_KEY, 3),
    ):
        seed.db.execute("INSERT INTO ledger_totals VALUES (?, 0, ?, ?)", (project, outcome, count))

    found = {k: v for k, v in scraped(server).items() if k[0] == "bloop_events_total"}

    assert len(found) == 3 * len(Outcome), "zeros included"
    assert {key: count for key, count in found.items() if count} == {
        ("bloop_events_total", (("outcome", "received"), ("project", "shop"))): 12,
        ("bloop_events_total", (("outcome", "stored"), ("project", "shop"))): 10,
        ("bloop_events_total", (("outcome", "received"), ("project", "#2"))): 5,
        ("bloop_events_total", (("outcome", "unknown_key"), ("project", NO_PROJECT_LABEL))): 3,
    }


def test_projects_beyond_the_limit_are_added_up_and_the_oldest_keep_their_names(
    server: Server, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bloop.health.metrics.PROJECTS_MAX", 3)
    for n in range(10):
        seed.db.execute("INSERT INTO ledger_totals VALUES (?, 0, ?, ?)", (seed.project(f"p{n}"), Outcome.STORED, 10**n))

    found = scraped(server)

    names = by(found, "bloop_events_total", "project")
    assert {name: of(found, "bloop_events_total", outcome="stored", project=name) for name in names} == {
        "p0": 1,
        "p1": 10,
        "p2": 100,
        OTHER: 1_111_111_000,
    }


def test_requests_of_both_servers_are_counted_by_route(server: Server, seed: Seed) -> None:
    tally = meters.Tally(METERS)
    for took_ns in (50_000, 200_000):
        cell = tally.cell("POST", "/v1/ingest", "200 OK")
        cell[bisect_left(meters.ANSWER_BOUNDS_NS, took_ns)] += 1
        cell[-1] += took_ns
    lane = [0] * LANE_METERS
    for word, value in tally.take().items():
        lane[word] = value
    server.ring_sample = RingSample(Meters([0] * CONSUMER_METERS, [lane, lane, [0] * LANE_METERS]), None)
    token = seed.token(seed.project("shop"), "errors:read")
    for path in ("/v1/errors/a%2Fb", "/v1/errors/c", "/nowhere", "/nowhere/else"):
        server.call("GET", path, token=token)
    with pytest.warns(match="BREW"):
        server.call("BREW", "/health")
    server.call("HEAD", "/health")

    found = scraped(server)

    def requests(server: str, method: str, route: str, code: str) -> float | None:
        return of(found, "bloop_http_requests_total", server=server, method=method, route=route, code=code)

    assert requests("ingest", "POST", "/v1/ingest", "200") == 4
    assert requests("dashboard", "GET", "/v1/errors/{fingerprint}", "404") == 2
    assert requests("dashboard", "GET", "none", "404") == 2
    assert requests("dashboard", "HEAD", "/health", "200") == 1
    assert [k for k in found if "BREW" in str(k)] == []
    took = {"server": "ingest", "route": "/v1/ingest"}
    assert of(found, "bloop_http_request_duration_seconds_bucket", le="0.0001", **took) == 2
    assert of(found, "bloop_http_request_duration_seconds_bucket", le="0.00025", **took) == 4
    assert of(found, "bloop_http_request_duration_seconds_bucket", le="+Inf", **took) == 4
    assert of(found, "bloop_http_request_duration_seconds_count", **took) == 4
    assert of(found, "bloop_http_request_duration_seconds_sum", **took) == pytest.approx(0.0005)
    ours = {"server": "dashboard", "route": "/v1/errors/{fingerprint}"}
    assert of(found, "bloop_http_request_duration_seconds_count", **ours) == 2


def test_the_writers_times_and_waiting_records_are_exported(server: Server) -> None:
    words = [0] * CONSUMER_METERS
    for word, value in meters.merged(
        meters.FLUSH.added([(4_000_000, 3)]), meters.VISIBLE.added([(120, 50), (3000, 1)])
    ).items():
        words[word] = value
    server.ring_sample = RingSample(Meters(words, [[0] * LANE_METERS]), NOW_MS - 90_500)
    lane = LaneStat(0, 5, 200, 100, 100, 40, 2, True, spilled=7, spill_records=3, spill_bytes=900)
    server.ring = WELL._replace(lanes=[lane], fill=1.0, pending_records=9, spill_records=3, spill_bytes=900)

    found = scraped(server)

    assert of(found, "bloop_flush_duration_seconds_bucket", le="0.0025") == 0
    assert of(found, "bloop_flush_duration_seconds_bucket", le="0.005") == 3
    assert of(found, "bloop_flush_duration_seconds_sum") == pytest.approx(0.012)
    assert of(found, "bloop_accept_to_visible_seconds_bucket", le="0.25") == 50
    assert of(found, "bloop_accept_to_visible_seconds_count") == 51
    assert of(found, "bloop_accept_to_visible_seconds_sum") == pytest.approx(9.0)
    assert of(found, "bloop_ring_oldest_seconds") == 90.5
    assert (of(found, "bloop_ring_records"), of(found, "bloop_ring_producers")) == (9, 1)
    assert (of(found, "bloop_spill_records"), of(found, "bloop_spill_bytes")) == (3, 900)
    assert of(found, "bloop_spilled_records_total") == 7


def test_alerts_backups_and_processes_are_exported(server: Server, seed: Seed) -> None:
    rule = seed.rule(seed.project("shop"))
    for state in ("failed", "failed", "waiting", "sent", "dismissed"):
        seed.delivery(seed.firing(rule), state)
    insert = "INSERT INTO backup_runs (cause, state, asked_at_ms, started_at_ms, ended_at_ms, proven_at_ms, error)"
    seed.db.execute(f"{insert} VALUES ('schedule', 'done', 0, ?, ?, ?, NULL)", (NOW_MS - 7000, NOW_MS, NOW_MS - 1000))
    seed.db.execute(f"{insert} VALUES ('schedule', 'failed', 0, ?, ?, NULL, 'full')", (NOW_MS - 1, NOW_MS))
    state = "INSERT INTO process_states (name, started_at_ms, seen_at_ms, troubles) VALUES (?, 0, ?, '[]')"
    seed.db.execute(state, ("alerts", NOW_MS - 1000))
    seed.db.execute(state, ("retention", NOW_MS - 3_600_000))
    server.ring = WELL._replace(heartbeat_ms=NOW_MS - 60_000)

    found = scraped(server)

    assert by(found, "bloop_alert_deliveries", "state") == {"waiting": 1, "failed": 2}
    assert of(found, "bloop_alert_messages_total") == 5
    assert of(found, "bloop_backup_age_seconds") == 7.0
    assert of(found, "bloop_backup_last_success_timestamp_seconds") == (NOW_MS - 7000) / 1000
    assert of(found, "bloop_backup_last_drill_timestamp_seconds") == (NOW_MS - 1000) / 1000
    assert of(found, "bloop_backup_failing") == 1
    assert by(found, "bloop_process_up", "process") == {"dashboard": 1, "writer": 0, "alerts": 1, "retention": 0}
    seen = by(found, "bloop_process_last_seen_timestamp_seconds", "process")
    assert seen["writer"] == (NOW_MS - 60_000) / 1000
    troubles = {reason for reason, value in by(found, "bloop_trouble", "reason").items() if value}
    assert troubles == {Reason.WRITER_STALE, Reason.RETENTION_STALE}


def test_unreadable_values_are_left_out(seed: Seed) -> None:
    server = Server(seed, settings_for(seed.path.with_name("elsewhere") / "no.db"))
    server.database.close()
    server.database._path = seed.path.with_name("elsewhere") / "no.db"
    server.ring = None

    found = scraped(server)

    names = {name for name, _ in found}
    assert of(found, "bloop_trouble", reason="db_unreachable") == 1
    assert of(found, "bloop_trouble", reason="ring_missing") == 1
    assert not any(name.startswith(("bloop_events", "bloop_ring", "bloop_backup", "bloop_database")) for name in names)
    server.database.close()


def test_openmetrics_is_spoken_where_it_is_asked_for(server: Server) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"}

    result = server.call("GET", "/metrics", headers=accept, **HERE)

    assert result.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert result.text.endswith("# EOF\n")


def test_hostile_names_stay_inside_their_label(server: Server, seed: Seed) -> None:
    """Slugs are checked where they are made; this is the second lock."""
    hostile = 'x"} 1\nbloop_events_total{outcome="\\'
    seed.db.execute("INSERT INTO ledger_totals VALUES (?, 0, ?, ?)", (seed.project(hostile), Outcome.STORED, 1))

    found = scraped(server)
    assert of(found, "bloop_events_total", outcome="stored", project=hostile) == 1.0
    assert set(by(found, "bloop_events_total", "project")) == {hostile}


# What it costs


def test_the_cost_of_a_scrape_does_not_grow_with_events(server: Server, seed: Seed) -> None:
    asked: list[str] = []
    with server.database.reader() as db:
        db.set_exec_trace(lambda cursor, sql, bindings: asked.append(sql) or True)
    scraped(server)
    with server.database.reader() as db:
        db.set_exec_trace(None)
    plans = [
        row[3]
        for sql in asked
        if sql.lstrip().startswith(("SELECT", "WITH"))
        for row in seed.db.execute(
            f"EXPLAIN QUERY PLAN {sql}", {"limit": 1, "state": "failed", "hour_ms": 0, "day_ms": 0}
        )
    ]

    small = ("ledger_totals", "projects", "process_states", "backup_runs", "CONSTANT ROW")
    assert len(asked) > 5
    names = [plan.split()[1] for plan in plans if plan.startswith("SCAN")]
    scanned = {"t": "ledger_totals", "n": "projects", "named": "projects", "p": "projects"}
    assert {scanned.get(name, name) for name in names} - {"CONSTANT"} <= set(small)
    assert not any(table in plan for plan in plans for table in ("events", "issues", "alert_firings"))


def test_every_part_bears_everything_missing() -> None:
    nothing = ScrapeData(NOW_MS, None, None, None, None, None, None, None, [], {}, {}, 0)

    assert {family.name for part in PARTS for family in part(nothing)} >= {"bloop_trouble", "bloop_build_info"}
    assert [*Families(nothing).collect()]
