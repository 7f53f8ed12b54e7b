"""`bloop bench` as users run it: on a temporary bloop, and on a running one. No test checks a figure."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner

from bloop.bench.rows import stored_of_run
from bloop.bench.session import WARM_UP_RUN
from bloop.cli.main import main
from tests.acceptance.harness import BloopServer

Make = Callable[..., BloopServer]


@pytest.fixture
def folder() -> Iterator[Path]:
    """On a disk and with a short name: a bloop in it has Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        yield Path(name)


def test_a_temporary_bloop_is_measured_and_removed(make_server: Make, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    load = ("--seconds", "2", "--rate", "300", "--batch", "5", "--body", "mixed", "--readers", "1")
    places = ("--dir", str(folder), "--report", str(page))
    server = make_server()
    server.folder.mkdir(parents=True)

    result = json.loads(server.cli("bench", "steady", *load, *places, "--json").stdout)

    (step,) = result["steps"]
    assert (step["sent"], step["accepted"], step["dropped"]) == (600, 600, 0)
    assert step["visible"]["count"] == step["latency"]["count"] == 120
    assert result["passed"]
    assert result["accounts"]["ledger"] == {"received": 600, "stored": 600}
    assert sum(second["answered"] for second in result["timeline"]) == 600
    assert sum(second["stored"] or 0 for second in result["timeline"]) == 600
    assert {"writer", "ingest worker", "supervisor"} <= set(result["memory_mib"])
    assert result["reads"]["failed"] == 0
    assert "Every event that was accepted is stored" in page.read_text()
    assert list(folder.iterdir()) == []


def test_a_running_bloop_is_measured_from_outside_and_compared_by_token(server: BloopServer) -> None:
    secret, token = server.folder / "bench-secret", server.folder / "bench-token"
    secret.write_text(server.secret + "\n")
    token.write_text(server.token() + "\n")
    address = ("--url", f"http://127.0.0.1:{server.port}", "--secret-file", str(secret), "--token-file", str(token))

    done = server.cli("bench", "--seconds", "1", "--rate", "200", *address)

    assert "200 events sent, 200 accepted, 0 dropped, 0 invalid, 0 requests refused, 200 stored" in done.stdout
    assert "accepted = stored" in done.stdout


def test_an_event_that_is_not_stored_fails_the_bench(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_is_missing(db: apsw.Connection, run: str, after_id: int) -> tuple[int, int]:
        rows, distinct = stored_of_run(db, run, after_id)
        return (rows, distinct) if run == WARM_UP_RUN else (rows - 1, distinct - 1)

    monkeypatch.setattr("bloop.bench.measure.stored_of_run", one_is_missing)

    done = CliRunner().invoke(main, ["bench", "--seconds", "1", "--rate", "100", "--dir", str(folder)])

    assert done.exit_code == 1
    assert "100 accepted, 99 rows" in done.output
