"""`bloop status` and `bloop doctor` beside a real bloop, healthy and unhealthy."""

from __future__ import annotations

import json
import resource
from typing import Any

import pytest

from bloop.base.reasons import Reason
from bloop.cli.processes import KINDS
from bloop.cli.status import REMEDIES
from tests.acceptance.harness import BloopServer, event
from tests.waiting import until


def status(server: BloopServer) -> tuple[int, dict[str, Any]]:
    done = server.cli("status", "--json", check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.faults
def test_status_lists_processes_records_and_problems(server: BloopServer):
    server.send(*(event(str(n)) for n in range(3)))
    until(lambda: len(server.stored_ids()) == 3, "the events to be stored")

    code, current = status(server)

    assert (code, current["state"], current["reasons"]) == (0, "well", [])
    assert {process["name"].partition(" ")[0] for process in current["processes"]} == set(KINDS)
    assert {process["pid"] for process in current["processes"]} == {process.pid for process in server.family()}
    assert current["records"]["day"] == {"received": 3, "stored": 3}
    assert "bloop is healthy" in server.cli("status").stdout

    (writer,) = server.pids("writer")
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))  # every write of the writer fails
    server.send(event("late"))
    until(lambda: status(server)[1]["reasons"] == [Reason.WRITER_BUSY], "the failing disk to be reported")
    assert status(server)[0] == 1
    assert REMEDIES[Reason.WRITER_BUSY] in server.cli("status", check=False).stdout
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    until(lambda: status(server)[0] == 0, "recovery")

    server.stop()
    code, current = status(server)
    assert (code, current["state"]) == (2, "down")
    assert current["records"]["day"]["stored"] == 4


def test_doctor_reports_no_problem_on_a_healthy_server(server: BloopServer):
    done = server.cli("doctor", "--json", check=False)

    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert [f for f in findings.values() if f["verdict"] == "wrong"] == []
    assert done.returncode == 0
    assert {"port", "proxy", "live stream", "public address", "schema"} <= findings.keys()
    assert server.secret not in done.stdout


def test_every_reason_has_a_remedy():
    assert set(REMEDIES) == set(Reason)
