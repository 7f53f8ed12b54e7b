"""The dashboard app over a real database file, without a server: falcon's test client calls it in this thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import falcon
import pytest
from falcon import testing

from bloop import features
from bloop.base.config import Auth, RateLimit, Settings
from bloop.base.config import Database as DatabaseSettings
from bloop.base.rate_limit import RateLimiter
from bloop.db.pool import DatabasePool
from bloop.ingest.app import mount_ingest
from bloop.ingest.keys import ProjectKey, ProjectKeys
from bloop.ingest.limits import Limits
from bloop.ring.segment import RingStat, WriterState
from bloop.site.app import App, create_dashboard_app
from bloop.site.cookie import cookie_name
from bloop.site.deps import Deps, Hooks, RingSample
from bloop.site.render import Renderer
from bloop.site.routes import Routes
from tests.seed import NOW_MS, Seed

RP_ORIGIN = "https://errors.example.com"

WELL = RingStat(
    ring_id=1,
    lanes=[],
    used_bytes=100,
    capacity_bytes=10_000,
    fill=0.01,
    pending_records=0,
    heartbeat_ms=NOW_MS,
    writer_state=WriterState.RUNNING,
    generation=1,
    consumer_claimed=True,
)


class CollectingSink:
    """Takes everything, keeps the kinds."""

    def __init__(self) -> None:
        self.pushed: list[int] = []

    def push(self, form: int, payload: bytes) -> bool:
        self.pushed.append(form)
        return True

    def count(self, project_id: int, category: int, outcome: int, n: int = 1) -> None:
        pass


@dataclass
class Server:
    """The app with its clock, ring and database in the test's hands."""

    seed: Seed
    settings: Settings
    now_ms: int = NOW_MS
    ring: RingStat | None = WELL
    ring_sample: RingSample | None = None
    sink: CollectingSink = field(default_factory=CollectingSink)
    on_generation: Callable[[], None] = lambda: None
    on_purge: Callable[[], None] = lambda: None
    on_send: Callable[[str, bytes], bool] = lambda key, body: True
    app: App = field(init=False)
    routes: Routes = field(init=False)
    database: DatabasePool = field(init=False)
    client: testing.TestClient = field(init=False)

    def __post_init__(self) -> None:
        self.database = DatabasePool(
            self.seed.path,
            pool_size=self.settings.database.pool_size,
            query_timeout_ms=self.settings.database.query_timeout_ms,
        )
        deps = Deps(
            settings=self.settings,
            database=self.database,
            ring_stat=lambda: self.ring,
            sample_ring=lambda: self.ring_sample,
            bump_generation=lambda: self.on_generation(),
            render=Renderer(),
            now_ms=lambda: self.now_ms,
            hooks=Hooks.resolve(features.hooks()),
            wake_purger=lambda: self.on_purge(),
            send_signed=lambda key, body: self.on_send(key, body),
        )
        self.app, self.routes = create_dashboard_app(deps, features.mounts(), self._mount_signed)
        self.client = testing.TestClient(self.app)

    def _mount_signed(self, app: App) -> None:
        mount_ingest(
            app,
            sink=self.sink,
            keys=ProjectKeys(lambda: [ProjectKey(1, "key-of-shop")], lambda: 1, "", lambda: None),
            limits=Limits.of(self.settings.ingest),
            rate_limit=RateLimiter(0, 1),
            trusted_proxies=(),
            now_ms=lambda: self.now_ms,
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        cookie: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> testing.Result:
        """One request as an API client or a browser would send it."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if cookie is not None:
            sent["Cookie"] = f"{cookie_name(self.settings.https)}={cookie}"
        return self.client.simulate_request(method, path, headers=sent, **options)

    def get(self, path: str, **options: Any) -> Any:
        """The JSON of a GET that is expected to work."""
        result = self.call("GET", path, **options)
        assert result.status == falcon.HTTP_200, result.text
        return result.json


def settings_for(path: Path, **sections: Any) -> Settings:
    base = Settings(
        auth=Auth(hmac_secret="s" * 40, rp_origin=RP_ORIGIN, rp_id="errors.example.com"),
        database=DatabaseSettings(path=str(path), pool_size=2, disk_free_bytes_min=0),
        rate_limit=RateLimit(auth_per_second=0),
    )
    return replace(base, **sections)


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


@pytest.fixture
def server(seed: Seed) -> Iterator[Server]:
    made = Server(seed, settings_for(seed.path))
    yield made
    made.database.close()
