"""`/system`: the parts of bloop with their present values, and the remedies of problems. Banners link there."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator

import falcon

from bloop import __version__
from bloop.base.errors import BloopError
from bloop.db import errors as db_errors
from bloop.db.checkpoint import log_path
from bloop.db.connection import engine_version
from bloop.health.api import CONNECTION_WAIT_S, read_vitals
from bloop.health.checks import SystemValues
from bloop.health.files import disk_bytes, file_bytes
from bloop.health.model import Vitals, list_reasons
from bloop.health.pages import system_page
from bloop.health.problems import list_problems, make_banners
from bloop.health.read import SystemRows, check_database, read_system_rows
from bloop.site.contexts import Banner
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.principal import principal_of


class System:
    """GET /system"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            shell = self._deps.shell(db, principal)
        problems, vitals = _current_problems(self._deps)
        facts = tuple(_installation(self._deps, is_admin=principal.is_admin))
        page = system_page(shell, problems, _read_values(self._deps, vitals), facts, is_admin=principal.is_admin)
        send_page(self._deps, req, resp, page)


def current_banners(deps: Deps) -> tuple[Banner, ...]:
    """The banners of existing problems, worst first."""
    return make_banners(*_current_problems(deps))


def _current_problems(deps: Deps) -> tuple[list[str], Vitals]:
    vitals = read_vitals(deps)
    minimum = deps.settings.database.disk_free_bytes_min
    return list_problems(list_reasons(vitals, now_ms=deps.now_ms(), disk_free_bytes_min=minimum), vitals), vitals


def _read_values(deps: Deps, vitals: Vitals) -> SystemValues:
    path, rows_and_time = deps.settings.database_path, _read_rows(deps)
    return SystemValues(
        now_ms=deps.now_ms(),
        vitals=vitals,
        rows=rows_and_time[0] if rows_and_time else None,
        database_ms=rows_and_time[1] if rows_and_time else None,
        ring=deps.ring_stat(),
        database_bytes=file_bytes(path),
        wal_bytes=file_bytes(log_path(path)),
        disk_bytes=disk_bytes(path.parent),
        backups_enabled=deps.settings.backup.enabled,
    )


def _read_rows(deps: Deps) -> tuple[SystemRows, float] | None:
    """The rows, and the ms that the database took to answer; None when it does not respond."""
    started_s = time.perf_counter()
    try:
        with deps.database.reader(wait_s=CONNECTION_WAIT_S) as db:
            check_database(db)
            took_ms = (time.perf_counter() - started_s) * 1000
            return read_system_rows(db, deps.now_ms()), took_ms
    except (BloopError, db_errors.Error):
        return None


def _installation(deps: Deps, *, is_admin: bool) -> Iterator[tuple[str, str]]:
    """Names and values; paths and hosts only for admins."""
    settings = deps.settings
    yield "Version", f"bloop {__version__}, Python {platform.python_version()}, SQLite {engine_version()}"
    yield "Address", settings.auth.rp_origin
    if is_admin:
        yield "Database", str(settings.database_path)
        yield "Settings", settings.source or "environment"
        smtp = settings.smtp
        yield "Email", f"{smtp.host}:{smtp.port}, from {smtp.from_}" if smtp.enabled else "Off: set [smtp]"
        proxies = ", ".join(settings.server.trusted_proxies)
        yield "Trusted proxies", proxies or "None"
