"""The Python SDK as it is published, unchanged, against a running bloop: plain events and batches, with only its key.

It imports as `bloop`, like the server, so it lives in a folder of its own and runs in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.harness import BloopServer, clean_environment
from tests.waiting import until

REQUIREMENT = "bloop-sdk==0.3.0 --hash=sha256:bf6a895b07aea1a92323b5ece64b90a302fdccacd1a6d8657a45963e9fe57bdd"

PROGRAM = """
import sys
import bloop
assert bloop.__file__.startswith(sys.argv[3]), bloop.__file__
from bloop import BloopClient

endpoint, key = sys.argv[1], sys.argv[2]
with BloopClient(endpoint, key, flush_interval=3600) as one:
    one.capture("ValueError", "order 4711 has no address", stack="at checkout (shop.py:10)", route_or_procedure="/pay")
with BloopClient(endpoint, key, flush_interval=3600, environment="staging", release="2.0.0") as many:
    for number in range(100):
        many.capture("ValueError", f"order {number} has no address", stack="at checkout (shop.py:99)",
                     route_or_procedure="/pay")
    for number in range(7):
        many.capture("KeyError", "missing", source="api", metadata={"number": number})
"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdk")
    (folder / "requirements.txt").write_text(REQUIREMENT)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
    ]
    flags = ["--no-deps", "--require-hashes", "--target", str(folder / "lib"), "-r", str(folder / "requirements.txt")]
    subprocess.run([*pip, *flags], check=True, timeout=120)
    return folder / "lib"


@pytest.mark.parametrize("project", ["default", "mobile"])
def test_published_python_sdk_works_with_nothing_but_the_project_key(
    shared_server: BloopServer, sdk: Path, project: str
):
    server = shared_server
    key = server.secret if project == "default" else server.cli("project", "create", project).stdout.strip()
    token = server.token(project)

    command = [sys.executable, "-P", "-c", PROGRAM, f"http://127.0.0.1:{server.port}", key, str(sdk)]
    done = subprocess.run(
        command, env=clean_environment() | {"PYTHONPATH": str(sdk)}, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    rows = until(lambda: total(server, token) == 108 and server.errors(token), "108 events in the list")
    issues = {(row["error_type"], row["environment"], row["release"], row["total_count"]) for row in rows}
    assert issues == {
        ("ValueError", "production", "unknown", 1),
        ("ValueError", "staging", "2.0.0", 100),
        ("KeyError", "staging", "2.0.0", 7),
    }
    grouped = {row["fingerprint"] for row in rows if row["error_type"] == "ValueError"}
    assert len(grouped) == 1, "numbers and line numbers do not split a group"


def total(server: BloopServer, token: str) -> int:
    return sum(row["total_count"] for row in server.errors(token))
