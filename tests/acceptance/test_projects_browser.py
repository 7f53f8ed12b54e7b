"""A project from its first minute: created, set up, sent to, its key rotated; and a token's life. A real bloop with
three ingest workers, a real Chromium, and every program of the set-up page that this machine has a runtime for."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, expect

from bloop.base.outcomes import Outcome
from bloop.onboarding.languages import LANGUAGES, snippet
from tests.acceptance.harness import BloopServer, event, signed
from tests.chromium import Visit
from tests.stored import stored_events
from tests.unit.site.test_render import XSS
from tests.waiting import until

pytestmark = pytest.mark.browser

WORKERS = 3
RUNTIMES = {
    "curl": ["bash", "-eu"],
    "python": [sys.executable, "-W", "error"],
    "node": ["node"],
    "ruby": ["ruby", "-w"],
}
NEEDED = {"curl": ["curl", "openssl"], "python": [], "node": ["node"], "ruby": ["ruby"]}


@pytest.fixture(scope="module")
def bloop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BloopServer]:
    server = BloopServer(tmp_path_factory.mktemp("projects"), BLOOP__SERVER__WORKERS=str(WORKERS))
    # Programs of the set-up page run unchanged, so the address in them has to be the right one.
    server.env["BLOOP__AUTH__RP_ORIGIN"] = f"http://localhost:{server.port}"
    try:
        yield server.start()
    finally:
        server.end()


def api(bloop: BloopServer, cookie: str, method: str, path: str, body: Any = None) -> Any:
    headers = {"Cookie": f"bloop_session={cookie}", "Content-Type": "application/json"}
    answer = bloop.request(method, path, None if body is None else json.dumps(body).encode(), headers)
    assert answer.status in (200, 201), answer
    return answer.json


def new_project(bloop: BloopServer, cookie: str, slug: str) -> str:
    """Its key."""
    return str(api(bloop, cookie, "POST", "/v1/projects", {"name": slug.title(), "slug": slug})["api_key"])


def stored(bloop: BloopServer, slug: str) -> list[tuple[str, str]]:
    """(source, error type) of a project's events, oldest first."""
    with bloop.reader() as db:
        slugs = dict(db.execute("SELECT id, slug FROM projects"))  # a deleted project has lost its slug
        return [(event.source, event.error_type) for event in stored_events(db) if slugs[event.project_id] == slug]


def test_from_a_new_project_to_its_first_event_a_new_key_and_a_token(visit: Visit, bloop: BloopServer) -> None:
    page = visit("/settings/projects")
    page.get_by_label("Name").press_sequentially("Web Shop & Söhne")
    expect(page.get_by_label("Slug")).to_have_value("web-shop-s-hne")
    page.get_by_label("Slug").fill("web-shop")
    page.get_by_role("button", name="Create project").click()

    # The key, once, by itself and in the programs.
    key = page.locator("#project-key").inner_text()
    assert re.fullmatch(r"bloop_[0-9a-f]{64}", key)
    page.get_by_role("link", name="Ruby").click()
    expect(page.locator("#snippet-ruby")).to_contain_text(f'BLOOP_KEY = "{key}"')
    expect(page.locator("#snippet-curl")).to_be_hidden()
    assert page.url.endswith("/settings/projects"), "another address would lose the key"

    # A test error; the page shows it, and the key stays on it.
    expect(page.get_by_role("heading", name="Waiting for the first event")).to_be_visible()
    page.get_by_role("button", name="Send test error").click()
    expect(page.get_by_role("heading", name="Your first event arrived")).to_be_visible()
    expect(page.get_by_role("heading", name="Waiting for the first event")).to_have_count(0)
    expect(page.locator("#project-key")).to_have_text(key)
    assert stored(bloop, "web-shop") == [("api", "TestError")]
    page.get_by_role("link", name="Open the issue").click()
    expect(page.locator("h1")).to_contain_text("TestError")

    # Rotate: another key, the old one works until it is ended.
    assert bloop.send(event(), key=key).status == 200
    page.goto(f"http://localhost:{bloop.port}/settings/projects/web-shop")
    assert key not in page.content()
    page.locator("summary", has_text="Create new key").click()
    page.get_by_label("Days the old key keeps working").fill("2")
    page.get_by_role("button", name="Replace key").click()
    rotated = page.locator("#project-key").inner_text()
    assert rotated != key
    assert [bloop.send(event(), key=each).status for each in (rotated, key)] == [200, 200]
    page.goto(f"http://localhost:{bloop.port}/settings/projects/web-shop")
    page.locator("[data-project-key]", has_text=key[:12]).locator("summary", has_text="End now").click()
    page.get_by_role("button", name="End old key").click()
    expect(page.get_by_role("status").first).to_have_text("Old key ended. It no longer works.")
    expect(page.locator("[data-project-key]")).to_have_count(1)
    assert (bloop.send(event(), key=key).status, bloop.send(event(), key=key).json) == (
        401,
        {"error": "invalid project key"},
    )

    # A token: created, used, revoked.
    page.goto(f"http://localhost:{bloop.port}/settings/tokens?project=web-shop")
    page.get_by_label("Name").fill("CI")
    expect(page.get_by_label("errors:read")).to_be_checked()
    page.get_by_role("button", name="Create token").click()
    token = page.locator("#fresh-token").inner_text()
    assert {row["error_type"] for row in bloop.errors(token)} == {"TestError"}
    page.goto(f"http://localhost:{bloop.port}/settings/tokens")
    row = page.locator("[data-token]", has_text="CI")
    expect(row).to_contain_text("used just now")
    row.locator("summary").click()
    row.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_role("status")).to_contain_text("Token revoked")
    assert bloop.request("GET", "/v1/errors", headers={"Authorization": f"Bearer {token}"}).status == 401

    # The refusals are on the ledger page, and the accounts balance.
    page.goto(f"http://localhost:{bloop.port}/ledger")
    expect(page.locator("[data-balance=balanced]")).to_be_visible()
    expect(page.locator("table", has_text="Unknown key").last).to_contain_text("invalid project key")
    assert key[:12] in page.content()
    assert key not in page.content()


def test_all_steps_work_without_javascript(visit: Visit, bloop: BloopServer, cookie: str) -> None:
    page = visit("/settings/projects", java_script_enabled=False)
    page.get_by_label("Name").fill("Plain")
    page.get_by_label("Slug").fill("plain")
    page.get_by_role("button", name="Create project").click()
    expect(page.locator("#project-key")).to_contain_text("bloop_")

    with page.context.expect_page() as opened:  # beside it, so that the key stays
        page.get_by_role("button", name="Send test error").click()

    until(lambda: stored(bloop, "plain"), "the test error")
    expect(page.locator("#project-key")).to_contain_text("bloop_")
    # Its <noscript> asks again every few seconds; Chromium's switch for tests leaves <noscript> unread.
    opened.value.goto(f"http://localhost:{bloop.port}/projects/plain/setup")
    expect(opened.value.get_by_role("heading", name="Your first event arrived")).to_be_visible()
    page.goto(f"http://localhost:{bloop.port}/settings/projects/plain")
    page.get_by_label("Type plain to confirm").fill("plain")
    page.get_by_role("button", name="Delete project").click()
    expect(page.get_by_role("status")).to_contain_text("Project deleted")
    until(lambda: is_purged(bloop, "plain"), "the purge")


def is_purged(bloop: BloopServer, slug: str) -> bool:
    with bloop.reader() as db:
        open_purges = list(
            db.execute("SELECT 1 FROM projects WHERE deleted_at_ms IS NOT NULL AND purged_at_ms IS NULL")
        )
    return not open_purges and not stored(bloop, slug)


def test_projects_of_any_name_are_harmless(visit: Visit, bloop: BloopServer, cookie: str) -> None:
    for number, payload in enumerate(XSS):
        name = payload.replace("\x00", "")[:100]
        api(bloop, cookie, "POST", "/v1/projects", {"name": name, "slug": f"hostile-{number}"})

    page = visit("/settings/projects")
    for number in range(len(XSS)):
        for path in (f"/settings/projects/hostile-{number}", f"/projects/hostile-{number}/setup"):
            page.goto(f"http://localhost:{bloop.port}{path}")
            expect(page.locator("h1")).to_be_visible()
            assert page.locator("main img, main iframe, main script, main [onerror], main [onload]").count() == 0
    for path in ("/settings/projects", "/settings/tokens", "/ledger"):
        page.goto(f"http://localhost:{bloop.port}{path}")
        assert page.locator("main img, main iframe, main script").count() == 0


@pytest.mark.parametrize("width", [320, 768])
def test_nothing_is_wider_than_a_narrow_screen(visit: Visit, bloop: BloopServer, cookie: str, width: int) -> None:
    slug = f"narrow-{width}"
    api(bloop, cookie, "POST", "/v1/projects", {"name": "W" * 100, "slug": slug})
    page = visit("/settings/projects", viewport={"width": width, "height": 700})

    for path in ("/settings/projects", f"/settings/projects/{slug}", "/settings/tokens", f"/projects/{slug}/setup",
                 "/ledger", f"/ledger?project={slug}", "/system"):  # fmt: skip
        page.goto(f"http://localhost:{bloop.port}{path}")
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider == 0, path


def test_a_rotated_key_is_refused_by_every_worker_on_its_next_request(bloop: BloopServer, cookie: str) -> None:
    key = new_project(bloop, cookie, "rotated")
    pids = set(bloop.pids("ingest-worker"))
    assert len(pids) == WORKERS
    raw = json.dumps(event()).encode()
    headers = signed(raw, key, name_key=True)

    def send(client: http.client.HTTPConnection) -> int:
        client.request("POST", "/v1/ingest", raw, headers)
        answer = client.getresponse()
        answer.read()
        return answer.status

    with contextlib.ExitStack() as cleanup:
        by_worker: dict[int, http.client.HTTPConnection] = {}

        def every_worker_has_one() -> bool:
            """Open one more: kept alive, each connection belongs to one worker."""
            client = http.client.HTTPConnection("127.0.0.1", bloop.port, timeout=10)
            cleanup.callback(client.close)
            assert send(client) == 200
            by_worker.setdefault(worker_of(client, pids), client)
            return set(by_worker) == pids

        until(every_worker_has_one, "a connection to every worker", within_s=20)

        new_key = api(bloop, cookie, "POST", "/v1/projects/rotated/rotate-key")["api_key"]
        refused = {pid: send(client) for pid, client in by_worker.items()}

        headers = signed(raw, new_key, name_key=True)
        taken = {pid: send(client) for pid, client in by_worker.items()}

    assert refused == dict.fromkeys(pids, 401)
    assert taken == dict.fromkeys(pids, 200)


def worker_of(client: http.client.HTTPConnection, pids: set[int]) -> int:
    """The process that holds the other end of a connection."""
    ours = client.sock.getsockname()[1]
    for pid in pids:
        for other in psutil.Process(pid).net_connections("tcp"):
            if other.raddr and other.raddr.port == ours:
                return pid
    raise AssertionError("no worker holds this connection")


def test_a_deleted_project_is_refused_by_the_next_request(bloop: BloopServer, cookie: str) -> None:
    key = new_project(bloop, cookie, "gone")
    assert bloop.send(event("before"), key=key).status == 200
    until(lambda: stored(bloop, "gone"), "the event")

    api(bloop, cookie, "DELETE", "/v1/projects/gone")

    assert [bloop.send(event(), key=key).status for _ in range(10)] == [401] * 10
    until(lambda: is_purged(bloop, "gone"), "the purge")
    again = new_project(bloop, cookie, "gone")
    assert bloop.send(event("after"), key=again).status == 200
    until(lambda: len(stored(bloop, "gone")) == 1, "the event of the new project")


@pytest.mark.parametrize("language", [name for name in RUNTIMES if all(map(shutil.which, NEEDED[name]))])
def test_every_program_of_the_setup_page_runs_unchanged(
    bloop: BloopServer, cookie: str, tmp_path: Path, language: str
) -> None:
    key = new_project(bloop, cookie, f"in-{language}")
    program = tmp_path / (LANGUAGES[language].file or "pasted")
    program.write_text(snippet(language, f"http://localhost:{bloop.port}/v1/ingest", key), encoding="utf-8")

    done = subprocess.run(
        [*RUNTIMES[language], program.name], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "accepted" in done.stdout
    (event,) = until(lambda: stored(bloop, f"in-{language}"), "the event")
    assert event[1] in ("TestError", "ZeroDivisionError", "TypeError", "ArgumentError")


def test_the_program_for_browsers_runs_in_one(chromium: Browser, bloop: BloopServer, cookie: str) -> None:
    key = new_project(bloop, cookie, "in-browser")
    with contextlib.closing(chromium.new_context()) as context:
        page = context.new_page()
        page.goto(f"http://localhost:{bloop.port}/health")

        page.evaluate(f"async () => {{ {snippet('browser', f'http://localhost:{bloop.port}/v1/ingest', key)} }}")

        until(lambda: stored(bloop, "in-browser") == [("web", "TypeError")], "the event")
        page.evaluate("void setTimeout(() => { throw new RangeError('uncaught') })")
        page.evaluate("void Promise.reject(new SyntaxError('unhandled'))")
        until(lambda: len(stored(bloop, "in-browser")) == 3, "the uncaught errors")
    assert {name for _, name in stored(bloop, "in-browser")} == {"TypeError", "RangeError", "SyntaxError"}


def test_every_language_has_a_program_with_its_blanks_filled() -> None:
    for language in LANGUAGES:
        program = snippet(language, "https://errors.example.com/v1/ingest", "bloop_key")
        assert program.count("https://errors.example.com/v1/ingest") == 1
        assert program.count("bloop_key") == 1
        assert "__URL__" not in program
        assert "__KEY__" not in program


def test_the_ledger_balances_after_all_tests(bloop: BloopServer) -> None:
    def balances() -> bool:
        ledger = bloop.ledger()
        received = sum(n for (_, outcome), n in ledger.items() if outcome == Outcome.RECEIVED)
        return 0 < received == sum(n for (_, outcome), n in ledger.items() if outcome != Outcome.RECEIVED)

    until(balances, "the ledger to balance")
    with bloop.reader() as db:
        (notes,) = db.execute("SELECT count(*) FROM rejections").fetchone() or (0,)
    assert notes > 0
    assert bloop.log.count(" error ") == 0, bloop.log
