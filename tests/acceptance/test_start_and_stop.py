"""`bloop up` from the outside: its output, its restarts, and that it leaves nothing behind."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import psutil
import pytest

from bloop.base.clock import HOUR_MS
from bloop.base.outcomes import REFUSALS, Outcome
from tests.acceptance.harness import STOP_S, BloopServer, event, sign_in_link
from tests.chaos import disk, skew
from tests.waiting import fastest, lives_on, until
from workers.alerts import PID_FILE

Make = Callable[..., BloopServer]

START_S_MAX = 5.0  # measured 1.2 s alone on two cores
EVENTS = 500
KINDS = ("supervisor", "writer", "ingest", "dashboard", "alerts", "retention")


def send_ids(server: BloopServer, prefix: str, count: int = EVENTS) -> set[str]:
    """`count` events in batches of 50, all answered as accepted."""
    ids = [f"{prefix}-{number}" for number in range(count)]
    for start in range(0, count, 50):
        answer = server.send(*(event(request_id) for request_id in ids[start : start + 50]))
        assert answer.json == {"accepted": 50, "dropped": 0, "errors": []}
    return set(ids)


class TestOneRun:
    """On one server, in this order: each test leaves it usable."""

    @pytest.fixture
    def server(self, shared_server: BloopServer) -> BloopServer:
        return shared_server

    def test_one_port_answers_ingest_api_and_pages(self, server: BloopServer):
        token = server.token()

        accepted = server.send(event("first"))
        health = server.request("GET", "/health")
        page = server.request("GET", "/")

        assert (accepted.status, accepted.json) == (200, {"status": "accepted"})
        assert (health.status, health.json["status"]) == (200, "ok")
        assert page.status in (302, 303)
        (row,) = until(lambda: server.errors(token), "the event in the list")
        assert (row["error_type"], row["total_count"]) == ("TestError", 1)

    def test_event_is_visible_within_a_second(self, server: BloopServer):
        token = server.token()
        number = itertools.count()

        def visible_after_s() -> float:
            name = f"Fast{next(number)}Error"
            server.send(event(error_type=name))
            sent_at = time.monotonic()
            until(lambda: name in {row["error_type"] for row in server.errors(token)}, "the event in the list")
            return time.monotonic() - sent_at

        assert fastest(visible_after_s, 1.0) <= 1.0

    def test_welcome_is_on_stdout_and_the_log_holds_no_key(self, server: BloopServer):
        assert server.secret in server.output
        assert server.output.endswith(f"ready http://127.0.0.1:{server.port}\n")
        assert server.secret not in server.log

    def test_link_in_the_welcome_signs_in_once(self, server: BloopServer):
        link = sign_in_link(server.output)
        path = link[link.index("/auth/login") :]
        assert link.startswith(f"http://localhost:{server.port}/")

        looked = server.request("GET", path)
        token = path.partition("token=")[2]
        origin = {"Origin": f"http://localhost:{server.port}", "Content-Type": "application/x-www-form-urlencoded"}
        used = server.request("POST", "/auth/login", f"token={token}".encode(), origin)
        again = server.request("POST", "/auth/login", f"token={token}".encode(), origin)

        assert looked.status == 200
        assert used.status in (302, 303)
        assert "bloop_session=" in used.headers["set-cookie"]
        assert "bloop_session=" not in again.headers.get("set-cookie", "")

    def test_files_are_for_this_user_only(self, server: BloopServer):
        for path in (server.database_path, server.settings.handoff_path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert stat.S_IMODE(os.stat(f"/dev/shm{server.settings.ring_name}").st_mode) == 0o600
        assert not server.settings.dashboard_path.stat().st_mode & stat.S_IRWXO

    def test_every_process_is_idle_without_work(self, server: BloopServer):
        def cpu_s() -> float:
            return sum(sum(process.cpu_times()[:2]) for process in server.family())

        ids = send_ids(server, "warm", 50)
        until(lambda: ids <= set(server.stored_ids()), "the events to be stored")
        before, started = cpu_s(), time.monotonic()
        assert lives_on(server.pids("supervisor")[0], 2)

        assert (cpu_s() - before) / (time.monotonic() - started) < 0.05

    def test_there_is_no_process_more_than_needed(self, server: BloopServer):
        kinds = ["supervisor", "writer", "ingest", "ingest-worker", "dashboard", "dashboard-worker"]
        kinds += ["alerts", "retention"]

        assert [len(server.pids(kind)) for kind in kinds] == [1, 1, 1, 2, 1, 1, 1, 1]
        assert len(server.family()) == 9


class TestStop:
    def test_ctrl_c_stores_every_accepted_event_and_leaves_nothing(self, server: BloopServer):
        ids = send_ids(server, "last")

        code = server.stop()

        assert code == 0
        assert sorted(server.stored_ids()) == sorted(ids)
        assert server.leftovers() == []

    def test_ledger_balances_after_a_stop(self, server: BloopServer):
        send_ids(server, "good", 50)
        server.send({"no": "event"})
        server.send(event("bad-key"), key="bloop_" + "0" * 64)
        server.stop()

        totals = {outcome: n for (project, outcome), n in server.ledger().items() if project}

        assert totals[Outcome.RECEIVED] == 51
        assert totals[Outcome.STORED] == 50
        assert totals[Outcome.INVALID] == 1
        assert server.ledger()[0, Outcome.UNKNOWN_KEY] == 1
        assert totals[Outcome.RECEIVED] == totals[Outcome.STORED] + sum(totals.get(o, 0) for o in REFUSALS)

    def test_writer_that_just_died_does_not_keep_the_last_records_from_being_stored(self, server: BloopServer):
        for _ in range(3):  # each death is followed by a longer wait
            pid = until(lambda: server.pids("writer"), "a writer")[0]
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: pid not in server.pids("writer"), "its death")
        ids = send_ids(server, "orphaned", 100)

        code = server.stop()

        assert code == 0
        assert sorted(server.stored_ids()) == sorted(ids)
        assert server.leftovers() == []

    def test_sigterm_does_the_same(self, server: BloopServer):
        ids = send_ids(server, "term", 100)
        assert server.process

        server.process.send_signal(signal.SIGTERM)

        assert server.wait_ended() == 0
        assert len(server.stored_ids()) == len(ids)
        assert server.leftovers() == []

    def test_stop_during_the_start_leaves_nothing(self, make_server: Make):
        server = make_server().start(wait=False)
        until(lambda: server.stderr_path.exists() and "started writer" in server.log, "the first child")

        assert server.stop() == 0
        assert server.leftovers() == []

    def test_second_ctrl_c_does_not_wait_and_keeps_unstored_records(self, server: BloopServer):
        (writer,) = server.pids("writer")
        os.kill(writer, signal.SIGSTOP)
        ids = send_ids(server, "kept", 100)
        started = time.monotonic()

        server.interrupt()
        until(lambda: "stopping" in server.log, "the stop to begin")
        server.interrupt()
        server.wait_ended()

        assert time.monotonic() - started < STOP_S / 2
        assert "records wait in the ring" in server.log
        assert os.path.exists(f"/dev/shm{server.settings.ring_name}")
        server.start()
        until(lambda: sorted(server.stored_ids()) == sorted(ids), "the records of the last run")
        server.stop()
        assert server.leftovers() == []

    def test_log_has_one_line_per_event(self, server: BloopServer):
        server.stop()

        for line in server.log.splitlines():
            assert line.split()[1].partition("[")[0] in KINDS, server.log
            assert line.split()[2] == "info", server.log

    def test_quiet_start_prints_neither_key_nor_link(self, make_server: Make):
        server = make_server().start()

        assert "--quiet" in server.command
        assert server.output == f"ready http://127.0.0.1:{server.port}\n"


class TestRestart:
    def test_records_that_could_not_be_stored_wait_for_the_next_start(self, make_server: Make):
        server = make_server()
        server.env["BLOOP__DATABASE__DISK_FREE_BYTES_MIN"] = str(1 << 60)
        server.start()
        ids = send_ids(server, "patient", 100)
        until(lambda: "not storing, records wait in the ring" in server.log, "the writer to notice")

        assert server.stop() == 0
        assert "100 records wait in the ring" in server.log
        server.env["BLOOP__DATABASE__DISK_FREE_BYTES_MIN"] = "0"
        server.start()

        until(lambda: sorted(server.stored_ids()) == sorted(ids), "the records of the last run")
        server.stop()
        assert server.leftovers() == []

    def test_second_start_finds_all_data(self, server: BloopServer):
        token = server.token()
        key = server.cli("project", "create", "Mobile").stdout.strip()
        send_ids(server, "before", 50)
        server.send(event("mobile"), key=key)

        def starts_after_s() -> float:
            server.stop()
            began_at = time.monotonic()
            server.start()
            return time.monotonic() - began_at

        assert fastest(starts_after_s, START_S_MAX) <= START_S_MAX
        (row,) = server.errors(token)
        assert row["total_count"] == 50
        assert server.send(event("after"), key=key).json == {"status": "accepted"}

    def test_a_start_after_a_killed_supervisor_stores_its_records(self, server: BloopServer):
        family = server.family()
        ids = send_ids(server, "killed")

        server.kill_supervisor()
        server.start()

        until(lambda: sorted(server.stored_ids()) == sorted(ids), "the records of the killed run")
        assert not [process for process in family if process.is_running() and process.status() != "zombie"]
        server.stop()
        assert server.leftovers() == []

    def test_clock_set_back_during_a_start_does_not_hold_it_up(self, make_server: Make, tmp_path: Path):
        clock = tmp_path / "clock"
        server = make_server()
        server.command = skew.command(clock)
        server.start()
        server.kill_supervisor()

        with disk.locked(server.database_path, to_readers=True):  # the next writer cannot get past this
            skew.jump(clock, HOUR_MS)
            server.start(wait=False)
            until(lambda: "started writer" in server.log, "a start")
            skew.jump(clock, 0)

        until(lambda: server.status("GET", "/ready") == 200, "bloop to be ready")

    def test_start_beside_a_locked_database_takes_events_meanwhile(self, server: BloopServer):
        server.stop()
        with disk.locked(server.database_path):
            server.start()
            ids = send_ids(server, "meanwhile")

        until(lambda: sorted(server.stored_ids()) == sorted(ids), "the events sent meanwhile")

    def test_a_killed_supervisor_ends_all_its_processes(self, server: BloopServer):
        server.kill_supervisor()

        until(lambda: not server.family(), "every process to end")

    def test_second_bloop_on_the_same_data_is_refused(self, server: BloopServer):
        other = BloopServer(server.folder, BLOOP__DATABASE__PATH=str(server.database_path))
        other.runs = 100

        other.start(wait=False)

        assert other.wait_ended() == 78
        assert f"bloop already runs on this data: process {server.pids('supervisor')[0]}" in other.log
        assert server.request("GET", "/health").status == 200

    def test_two_copies_run_beside_each_other(self, make_server: Make):
        first, second = make_server("a").start(), make_server("b").start()

        first.send(event("of-first"))
        second.send(event("of-second"))

        until(lambda: first.stored_ids() == ["of-first"], "the first copy's event")
        until(lambda: second.stored_ids() == ["of-second"], "the second copy's event")
        assert first.send(event(), key=second.secret).status == 401
        assert first.stop() == second.stop() == 0


class TestChildren:
    @pytest.mark.parametrize(
        "kind", ["writer", "ingest", "ingest-worker", "dashboard", "dashboard-worker", "alerts", "retention"]
    )
    def test_killed_process_is_replaced_and_nothing_is_lost(self, server: BloopServer, kind: str):
        ids = send_ids(server, "before", 100)
        (pid, *_) = server.pids(kind)
        count = len(server.pids(kind))

        os.kill(pid, signal.SIGKILL)

        until(lambda: pid not in server.pids(kind) and len(server.pids(kind)) == count, f"another {kind}")
        until(lambda: server.status("GET", "/ready") == 200, "bloop to be ready again")
        ids |= send_ids(server, "after", 100)
        until(lambda: sorted(server.stored_ids()) == sorted(ids), "every event, once")

    def test_orphans_of_a_killed_server_are_ended(self, server: BloopServer):
        orphans = server.pids("ingest-worker")
        os.kill(server.pids("ingest")[0], signal.SIGKILL)

        until(lambda: not any(psutil.pid_exists(pid) for pid in orphans), "the orphans to end")

    def test_connections_wait_while_the_ingest_server_is_replaced(self, server: BloopServer):
        """The supervisor holds the port: no connection is refused."""
        workers = server.pids("ingest-worker")
        os.kill(server.pids("ingest")[0], signal.SIGKILL)
        until(lambda: not any(psutil.pid_exists(pid) for pid in workers), "the last worker to end")

        answer = server.send(event("patient"))

        assert answer.json == {"status": "accepted"}

    def test_pages_are_refused_and_events_taken_while_the_dashboard_is_down(self, server: BloopServer):
        (dashboard,) = server.pids("dashboard-worker")
        master = psutil.Process(dashboard).parent()
        assert master
        master.suspend()  # so that it does not start another
        os.kill(dashboard, signal.SIGKILL)

        until(lambda: server.status("GET", "/health") == 503, "pages to be refused")
        sent = server.send(event("during"))
        master.resume()

        assert sent.json == {"status": "accepted"}
        until(lambda: server.status("GET", "/health") == 200, "the dashboard again")


class TestRefusals:
    @pytest.mark.parametrize(
        ("variable", "value", "message"),
        [
            ("BLOOP__AUTH__HMAC_SECRET", "short", "bloop: auth.hmac_secret: has 5 characters"),
            ("BLOOP__AUTH__HMAC_SECRET", "change-me-in-production", "bloop: auth.hmac_secret: is a placeholder"),
            ("BLOOP__SERVER__PROT", "1", "bloop: server.prot: unknown setting"),
        ],
    )
    def test_bad_setting_stops_the_start_by_its_name(self, make_server: Make, variable: str, value: str, message: str):
        server = make_server()
        server.env[variable] = value

        server.start(wait=False)

        assert server.wait_ended(5) == 1
        assert server.log.startswith(message)
        assert server.log.count("\n") == 1
        assert server.leftovers() == []

    def test_missing_secret_stops_the_start_by_its_name(self, make_server: Make):
        server = make_server()
        del server.env["BLOOP__AUTH__HMAC_SECRET"]

        server.start(wait=False)

        assert server.wait_ended(5) != 0
        assert server.log.startswith("bloop: auth.hmac_secret: is not set; make one with: openssl rand -hex 32")

    def test_port_that_is_taken_stops_the_start_by_its_name(self, make_server: Make):
        server = make_server()
        with socket.create_server(("127.0.0.1", server.port)):
            server.start(wait=False)

            assert server.wait_ended(5) == 78

        assert f"server.port: cannot listen on 127.0.0.1 port {server.port}: Address already in use" in server.log
        assert server.leftovers() == []

    def test_an_address_of_another_machine_stops_the_start_by_its_name(self, make_server: Make):
        server = make_server(BLOOP__SERVER__HOST="192.0.2.1").start(wait=False)

        assert server.wait_ended(5) == 78
        assert "server.host: cannot listen on 192.0.2.1" in server.log

    def test_a_database_damaged_behind_its_first_page_stops_bloop_with_one_line(self, make_server: Make):
        server = make_server().start()
        server.send(event())
        assert server.stop() == 0
        data = bytearray(server.database_path.read_bytes())
        data[4096:] = os.urandom(len(data) - 4096)  # the header is good
        server.database_path.write_bytes(data)

        server.start(wait=False)

        assert server.wait_ended(10) == 78
        (line,) = [line for line in server.log.splitlines() if "damaged" in line]
        assert f"cannot start: the database {server.database_path} is damaged" in line
        assert "restore a backup with `bloop restore`" in line
        assert "Traceback" not in server.log
        assert "starting it again" not in server.log
        assert server.leftovers() == []

    def test_another_programs_database_stops_bloop_and_stays_as_it_is(self, make_server: Make):
        server = make_server()
        server.folder.mkdir()
        with closing(apsw.Connection(str(server.database_path))) as db:
            db.execute("CREATE TABLE places (url); INSERT INTO places VALUES ('https://example.com')")
        before = server.database_path.read_bytes()

        server.start(wait=False)

        assert server.wait_ended(10) == 78
        assert f"{server.database_path} is the database of another program" in server.log
        assert server.database_path.read_bytes() == before

    def test_a_child_that_cannot_start_stops_bloop_with_its_message(self, make_server: Make):
        server = make_server()
        server.folder.mkdir()
        server.database_path.write_text("this is not a database, not at all, and longer than a header")

        server.start(wait=False)

        assert server.wait_ended(10) == 78
        assert "the writer cannot start; its message is above" in server.log
        assert server.leftovers() == []


@pytest.mark.faults
def test_a_stop_removes_the_remains_of_a_killed_child(server: BloopServer):
    (alerts,) = server.pids("alerts")
    until((server.settings.run_dir / PID_FILE).exists, "the alerts process to claim its place")
    os.kill(alerts, signal.SIGKILL)

    server.stop()

    assert server.leftovers() == []
