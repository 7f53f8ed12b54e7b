"""The retention process ends the mutes whose time has come."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bloop.base import clock
from bloop.base.config import Database, Settings
from bloop.db import connection
from bloop.issues.status.audit import Actor
from bloop.issues.status.model import Status
from bloop.issues.status.mutes import Mute
from bloop.issues.status.store import change_status
from tests.seed import Seed
from workers.retention import MUTES_EVERY_S, make_jobs


def test_its_mutes_job_ends_due_mutes_and_runs_again_soon(tmp_path: Path) -> None:
    path = tmp_path / "bloop.db"
    seed = Seed(path)
    project, now_ms = seed.project("shop"), clock.now_ms()
    for name, until_ms in (("over", now_ms - 1), ("not yet", now_ms + 600_000)):
        issue_id = seed.issue(project, name)
        mute = Mute(until_ms=until_ms)
        change_status(seed.db, [issue_id], Status.MUTED, actor=Actor("u1", "api"), now_ms=now_ms - 60_000, mute=mute)

    with contextlib.closing(connection.open_control(path)) as db:
        jobs = {job.name: job for job in make_jobs(Settings(database=Database(path=str(path))), db, lambda: False)}
        assert jobs["mutes"].run() == MUTES_EVERY_S

    assert dict(seed.rows("SELECT fingerprint, status FROM issues")) == {"over": "unresolved", "not yet": "muted"}
    assert seed.rows("SELECT kind FROM signals ORDER BY id")[-1] == ("issue.unmuted",)
    seed.close()
