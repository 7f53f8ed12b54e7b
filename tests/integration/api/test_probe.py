"""GET /v1/probe/{id}: answered by the bloop in whose run folder the doctor left the file, and by no other."""

from __future__ import annotations

import pytest

from bloop.health.probe import probe_path, probing
from tests.integration.api.conftest import Server


def test_probe_is_answered_while_its_file_is_there(server: Server):
    run_dir = server.settings.run_dir
    run_dir.mkdir(parents=True, exist_ok=True)

    with probing(run_dir) as probe_id:
        asked = server.call("GET", f"/v1/probe/{probe_id}", extras={"REMOTE_ADDR": "203.0.113.9"})
        left = server.call("GET", f"/v1/probe/{'0' * 32}")
    afterwards = server.call("GET", f"/v1/probe/{probe_id}")

    assert (asked.status_code, asked.json) == (200, {"client": "203.0.113.0/24"})
    assert (left.status_code, afterwards.status_code) == (404, 404)
    assert not probe_path(run_dir, probe_id).exists()


@pytest.mark.parametrize("probe_id", ["x", "..", "%2e%2e", "A" * 32, "0" * 31, "0" * 33, "0" * 32 + "%0a"])
def test_nothing_but_an_id_reaches_the_folder(server: Server, probe_id: str):
    run_dir = server.settings.run_dir
    run_dir.mkdir(parents=True, exist_ok=True)

    assert server.call("GET", f"/v1/probe/{probe_id}").status_code == 404
