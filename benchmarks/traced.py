"""The work that `python -m benchmarks structure` traces: ingesting an event, storing its record, opening its page.

Each function prepares the work and yields a function that does it, which may be called a few times. This is the only
file of the structure script that imports bloop: when modules move, adapt the imports here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from falcon import testing

from benchmarks.profile_ingest import PROJECT_KEY, ForgettingSink, connection_to, ingest_wsgi
from benchmarks.profile_writer import encoded_records, fresh_database
from bloop import features
from bloop.accounts.sign_ins.store import create_sign_in
from bloop.base.clock import now_ms
from bloop.base.config import NO_LIMITS, Auth, Settings
from bloop.base.config import Database as DatabaseSettings
from bloop.bench import rendering
from bloop.bench.corpus import Corpus
from bloop.bench.rendering import Request, Target
from bloop.db.pool import DatabasePool
from bloop.features import make_kinds
from bloop.pipeline.store import Store
from bloop.site.app import App, create_dashboard_app
from bloop.site.cookie import COOKIE
from bloop.site.deps import Deps, Hooks
from bloop.site.render import Renderer

Work = Callable[[], None]

EVENTS_OF_PAGE = 400
SIGN_IN_TTL_S = 3600
_HOTTEST = "SELECT fingerprint FROM issues ORDER BY event_count DESC LIMIT 1"


@contextmanager
def ingest_by_server() -> Iterator[Work]:
    """From the bytes of one request to one record in a sink, through the ingest worker's own HTTP server."""
    with connection_to(ingest_wsgi(ForgettingSink())) as exchange:
        request = b"".join(_request())

        def ingest() -> None:
            answer = exchange(request)
            assert answer.startswith(b"HTTP/1.1 200"), answer

        yield ingest


@contextmanager
def ingest_by_app() -> Iterator[Work]:
    """As `ingest_by_server`, without the server: from the parsed head and the body to one record in a sink."""
    client = testing.TestClient(ingest_wsgi(ForgettingSink()))
    head, *rest = _request()
    head, _, start = head.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    body = b"".join([start, *rest])

    def ingest() -> None:
        answer = client.simulate_post("/v1/ingest", body=body, headers=headers)
        assert answer.status_code == 200, answer.text

    yield ingest


@contextmanager
def store_record() -> Iterator[Work]:
    """From one record to rows, committed. Every call stores another record, of a new issue."""
    records = iter(encoded_records(3))
    with fresh_database() as (db, _):
        event_store = Store(db, 1, make_kinds(db, NO_LIMITS))
        position = 0

        def store() -> None:
            nonlocal position
            record = next(records)
            position += len(record[1])
            assert event_store.store([record], {0: position}, (), now_ms=now_ms()).events == 1

        yield store


@contextmanager
def open_issue_page() -> Iterator[Work]:
    """The page of an issue with events of several releases, as a signed-in browser gets it."""
    with fresh_database() as (db, path):
        Store(db, 1, make_kinds(db, NO_LIMITS)).store(encoded_records(EVENTS_OF_PAGE), {}, (), now_ms=now_ms())
        with db:
            cookie = create_sign_in(db, None, now_ms=now_ms(), ttl_s=SIGN_IN_TTL_S)
        (fingerprint,) = db.execute(_HOTTEST).fetchone() or ("",)
        with closing(DatabasePool(path, pool_size=1, query_timeout_ms=10_000)) as database:
            client = testing.TestClient(_dashboard(path, database))

            def open_page() -> None:
                answer = client.simulate_get(f"/issues/{fingerprint}", headers={"Cookie": f"{COOKIE}={cookie}"})
                assert answer.status_code == 200, answer.text

            yield open_page


def _request() -> Request:
    target = Target(port=80, secret=PROJECT_KEY, project_key=PROJECT_KEY)
    return rendering.single(target, Corpus(timestamp_ms=now_ms()), 0)


def _dashboard(path: Path, database: DatabasePool) -> App:
    settings = Settings(
        auth=Auth(hmac_secret=PROJECT_KEY, rp_origin="http://localhost"), database=DatabaseSettings(path=str(path))
    )
    deps = Deps(
        settings=settings,
        database=database,
        ring_stat=lambda: None,
        bump_generation=lambda: None,
        render=Renderer(),
        now_ms=now_ms,
        hooks=Hooks.resolve(features.hooks()),
    )
    app, _ = create_dashboard_app(deps, features.mounts())
    return app
