"""The dashboard app on a free port of loopback, over a database filled for the purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, NamedTuple
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import apsw
import orjson

from bloop import features
from bloop.accounts.invites.store import create_invite
from bloop.accounts.links.store import create_login_link
from bloop.accounts.passkeys.store import add_passkey
from bloop.accounts.people.store import create_user, validate_username
from bloop.accounts.sign_ins.store import Browser, create_sign_in
from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.read import deliveries_of
from bloop.alerts.deliveries.store import DeliveryTarget
from bloop.alerts.firing import store as alerts
from bloop.alerts.firing.store import FiringFields
from bloop.alerts.places import channel_path, rule_path
from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.store import RuleFields
from bloop.alerts.saved_channels.store import attach_channel, create_channel
from bloop.backup import store as backups
from bloop.backup.create import create as create_backup
from bloop.base import clock
from bloop.base.config import Auth, RateLimit, Server, Settings
from bloop.base.config import Database as DatabaseSettings
from bloop.db import connection
from bloop.db.pool import DatabasePool
from bloop.issues.comments.store import add_comment
from bloop.issues.events.read import list_events
from bloop.issues.read import IssueFilter, IssueRow, get_issue, list_issues
from bloop.issues.saved_views import store as saved_views
from bloop.issues.status.audit import Actor
from bloop.projects.read import get_project
from bloop.projects.uses import store as project_uses
from bloop.retention import samples
from bloop.retention import store as retention
from bloop.retention.sizes import shown_tables
from bloop.ring.segment import RingStat, WriterState
from bloop.site.app import create_dashboard_app
from bloop.site.deps import Deps, Hooks
from bloop.site.links import issue_href
from bloop.site.render import Renderer
from tests.seeding import Seeder
from tests.unit.site.test_render import XSS

LONG_WORD = "W" * 120


class _Server(ThreadingMixIn, WSGIServer):
    """Answers the page and its assets side by side."""

    daemon_threads = True  # a live stream ends with its page, which may be later


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class Filled(NamedTuple):
    """What a database was filled with: the cookie that signs in, and the paths of one-time links."""

    cookie: str
    links: dict[str, str]


class Site:
    """Serves what `fill` put in until `stop`. `now` is what the pages take for the time."""

    def __init__(
        self,
        folder: Path,
        fill: Callable[[Seeder], Filled],
        *,
        now: Callable[[], int] = clock.now_ms,
        has_ring: bool = True,
    ) -> None:
        path = folder / "bloop.db"
        seeder = Seeder(path, now())
        self.cookie, self.links = fill(seeder)
        seeder.close()
        self.database = DatabasePool(path, pool_size=4, query_timeout_ms=5000)
        self._server = make_server("127.0.0.1", 0, None, server_class=_Server, handler_class=_Quiet)  # type: ignore[arg-type]
        self.url = f"http://localhost:{self._server.server_port}"
        settings = Settings(
            auth=Auth(hmac_secret="s" * 40, rp_origin=self.url),
            database=DatabaseSettings(path=str(path)),
            rate_limit=RateLimit(auth_per_second=0),
            server=Server(kit_page=True),
        )
        deps = Deps(
            settings=settings,
            database=self.database,
            ring_stat=lambda: _ring(now()) if has_ring else None,
            bump_generation=lambda: None,
            render=Renderer(),
            now_ms=now,
            hooks=Hooks.resolve(features.hooks()),
        )
        app, self.routes = create_dashboard_app(deps, features.mounts())
        self._server.set_app(app)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def open_issue(self, project: str) -> str:
        """The path of the one seen last."""
        return issue_href(self._newest(project).short_id)

    def event(self, project: str) -> str:
        """The path of the newest event of that issue."""
        issue = self._newest(project)
        with self.database.reader() as db:
            return f"{issue_href(issue.short_id)}/events/{list_events(db, [issue.id], limit=1).rows[0].id}"

    def issue_called(self, project: str, text: str) -> str:
        """The path of the one whose type and message begin so."""
        return issue_href(self._newest(project, text).short_id)

    def _newest(self, project: str, text: str | None = None) -> IssueRow:
        with self.database.reader() as db:
            row = get_project(db, project)
            assert row is not None
            return list_issues(db, [row.id], IssueFilter(text=text), limit=1).rows[0]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.database.close()


def _ring(now_ms: int) -> RingStat:
    """One that is read, and nearly empty."""
    return RingStat(0, [], 0, 1, 0.02, 0, now_ms, WriterState.RUNNING, 0, True)


def hostile(seeder: Seeder) -> Filled:
    """The demo, and everything that people and events can do to a page, in every text there is."""
    seeder.demo(issues=60, events=1500)
    seeder.project("empty", f"Empty {XSS[0]}")
    seeder.project("hostile", f"Hostile {XSS[1]}")
    seeder.store(hostile_events(seeder.now_ms))
    with connection.immediate(seeder.db):
        _storage(seeder.db, seeder.now_ms)
        _comments(seeder.db, seeder.now_ms)
        _backups(seeder.db, seeder.now_ms)
        links = _people(seeder.db, seeder.now_ms) | _alerts(seeder.db, seeder.now_ms)
        _views(seeder.db, seeder.now_ms)
        made = Filled(session(seeder, "u0"), links)
    database = Path(seeder.db.filename)
    for days in (1, 0):
        create_backup(database, database.with_name("backups"), seeder.now_ms - days * clock.DAY_MS)
    return made


def _storage(db: apsw.Connection, now_ms: int) -> None:
    """A project with a time of its own, two days of growth, and a purge that stands still half way."""
    row = get_project(db, "hostile")
    assert row is not None
    retention.save_policy(db, overrides=[(row.id, 30)])
    for days in (2, 0):
        sizes = {"database_bytes": (9 - days) << 20, "reusable_bytes": 0, "wal_bytes": 0, "disk_free_bytes": 0}
        counts = dict.fromkeys((table.name for table in shown_tables()), 1_234_567)
        samples.save_sample(db, sizes, event_id=0, row_counts=counts, now_ms=now_ms - days * clock.DAY_MS)
    run = retention.ask_for_run(db, asked_by="operator", now_ms=now_ms)
    retention.begin_run(db, run.id, now_ms)
    retention.set_due(db, run.id, 250_000)
    retention.add_deleted(db, run.id, raw_events=120_000)
    retention.set_error(db, run.id, f"FullError: {XSS[0]}")


def _comments(db: apsw.Connection, now_ms: int) -> None:
    """The corpus as comments of the first person and of one who is gone, with every part of the markup."""
    row = get_project(db, "hostile")
    assert row is not None
    issue = get_issue(db, [row.id], "HOSTILE-1")
    assert issue is not None
    markup = "**bold** *italic* `code`\n\n1. one\n2. two\n\n> quote\n\n```\nmake test\n```"
    for number, text in enumerate((*XSS, LONG_WORD, markup)):
        actor = Actor("u0" if number % 2 else "gone", "dashboard")
        add_comment(db, issue.id, text.replace("\x00", ""), actor=actor, now_ms=now_ms - 1000 + number)


def _backups(db: apsw.Connection, now_ms: int) -> None:
    """One that worked a month ago, one that did not, and one that is being made."""
    then = now_ms - 30 * clock.DAY_MS
    backups.add_done(
        db, created_at_ms=then, now_ms=then, file="x", file_bytes=9 << 20, database_bytes=80 << 20, proven_at_ms=then
    )
    for error in (f"not enough space in /{LONG_WORD}/{XSS[0]}", None):
        run = backups.request(db, cause="schedule", asked_by=None, now_ms=now_ms)
        backups.begin(db, run.id, now_ms)
        if error:
            backups.end(db, run.id, now_ms=now_ms, error=error)


def fresh(seeder: Seeder) -> Filled:
    """Nothing: the operator has followed the set-up link."""
    with connection.immediate(seeder.db):
        return Filled(session(seeder, None), {"set-up": _link(seeder.db, None, seeder.now_ms)})


def session(seeder: Seeder, user_id: str | None) -> str:
    return create_sign_in(seeder.db, user_id, now_ms=seeder.now_ms, ttl_s=3600)


def hostile_events(now_ms: int) -> Iterator[tuple[str, dict[str, Any], int]]:
    """An event per payload, with the payload in every field that takes text, and words longer than any screen."""
    for number, payload in enumerate((*XSS, LONG_WORD)):
        text = payload.replace("\x00", "")
        stack = f"{text}\n    at {text} (https://x.example/{text}.js:1:2)\n    at ok (/srv/app.js:1:2)"
        body = {
            "timestamp": now_ms - 1000 * number,
            "source": "web",
            "error_type": f"E{number}{text}",
            "stack": stack,
            "metadata": {text: text, "nested": {text: [text]}},
        }
        names = ("environment", "release", "message", "route_or_procedure", "screen", "request_id", "user_id_hash")
        yield "hostile", body | dict.fromkeys(names, text), now_ms - 1000 * number


def _people(db: apsw.Connection, now_ms: int) -> dict[str, str]:
    """A person per payload that a name may hold, the first one admin; paths of the links that are open."""
    names = ["ada", *(payload[:64] for payload in XSS if payload.isascii() and payload.isprintable()), "W" * 64]
    for number, name in enumerate(names):
        create_user(db, username=validate_username(name), now_ms=now_ms, user_id=f"u{number}")
        key = {"credential_id": name.encode(), "public_key": b"", "sign_count": 0, "transports": ()}
        add_passkey(db, f"u{number}", **key, name=name[:64], is_synced=True, now_ms=now_ms)  # type: ignore[arg-type]
    add_passkey(db, "u0", **key | {"credential_id": b"2"}, name=XSS[1], is_synced=False, now_ms=now_ms)  # type: ignore[arg-type]
    create_sign_in(db, "u0", now_ms=now_ms, ttl_s=3600, browser=Browser(XSS[0], "192.0.2.0/24"))
    invite = create_invite(db, created_by="u1", now_ms=now_ms)
    return {"invite": f"/auth/login?invite={invite.token}", "link": _link(db, "u1", now_ms)}


def _alerts(db: apsw.Connection, now_ms: int) -> dict[str, str]:
    """Pages of a rule that has the corpus wherever it has text, and of its channel; with a test that was refused."""
    texts = [payload.replace("\x00", "") for payload in XSS]
    config = {"threshold": 1, "window_secs": 60, "route": texts[0], "fingerprint": LONG_WORD}
    fields = RuleFields(texts[1][:100], "threshold", config, True, texts[0], texts[2], texts[1][:32])
    rule_id = alert_rules.create_rule(db, fields, project_id=None, created_by="u1", now_ms=now_ms)
    shown = {"url": "https://example.com/x", "headers": {"X-Key": "1"}, "template": f"{texts[0]} {LONG_WORD}"}
    channel_id = create_channel(db, "webhook", shown, project_id=None, name=texts[0][:100], now_ms=now_ms)
    attach_channel(db, rule_id, None, channel_id, now_ms)
    for text in (*texts, LONG_WORD):
        message = orjson.dumps({"text": text, "url": "https://errors.example.com/"}).decode()
        made = alerts.add_firing(db, FiringFields(rule_id, text, "threshold", None, "count", now_ms, message))
        deliveries.add(db, made, rule_id, [DeliveryTarget(channel_id, "webhook", text)], now_ms)
        for row in deliveries_of(db, made):
            deliveries.mark_failed(db, row.id, error=text, status=500, now_ms=now_ms)
    fields = FiringFields(rule_id, "rule", "test", None, "test", now_ms, message, is_test=True)
    test_id = alerts.add_firing(db, fields)
    deliveries.add(db, test_id, rule_id, [DeliveryTarget(channel_id, "webhook", texts[0])], now_ms)
    (tested,) = deliveries_of(db, test_id)
    refused = deliveries.Attempt(1412, texts[2])
    deliveries.mark_failed(db, tested.id, error=texts[1], status=404, now_ms=now_ms, attempt=refused)
    rule = rule_path(rule_id)
    return {"rule": rule, "rule test": f"{rule}?test={test_id}#test", "channel": channel_path(channel_id)}


def _views(db: apsw.Connection, now_ms: int) -> None:
    """Saved views named by the corpus, one's own and shared, over a project and over all; a pinned project."""
    row = get_project(db, "hostile")
    assert row is not None
    for number, text in enumerate((*XSS, LONG_WORD)):
        name, query = text.replace("\x00", "")[:60], urlencode({"q": text.replace("\x00", "")[:60]})
        project_id = row.id if number % 2 else None
        is_shared = number % 3 == 0
        saved_views.create_view(
            db, owner_id="u0", name=name, project_id=project_id, query=query, is_shared=is_shared, now_ms=now_ms
        )
    project_uses.pin(db, "u0", row.id, now_ms)


def _link(db: apsw.Connection, user_id: str | None, now_ms: int) -> str:
    token = create_login_link(db, now_ms=now_ms, ttl_s=3600, user_id=user_id)
    return f"/auth/login?token={token}"
