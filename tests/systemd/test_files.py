"""Checks of the units and scripts without running them, and of the wheel that contains them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import BloopServer, event, until
from tests.systemd.machine import copy_sources
from tests.systemd.tree import ROOT, Unavailable, ensure
from workers.command import NAMES
from workers.supervisor import STOP_S

UNITS = ROOT / "systemd"
SERVICES = sorted(UNITS.glob("bloop-*.service"))
PROCESSES = sorted(set(NAMES) - {"supervisor"})


class Unit(configparser.RawConfigParser):
    """A unit file; a key that is given more than once keeps its last value."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",), interpolation=None)
        self.optionxform = str  # type: ignore[assignment, method-assign]
        self.read(path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    sources = copy_sources(folder / "source")
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(sources)], check=True, timeout=120
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def seconds(text: str) -> float:
    amount, unit = re.fullmatch(r"(\d+)(min|s|ms|)", text).groups()  # type: ignore[union-attr]
    return int(amount) * {"min": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}[unit]


def test_every_process_has_a_unit_and_the_target_starts_them_all():
    target = (UNITS / "bloop.target").read_text()

    assert [path.stem.removeprefix("bloop-") for path in SERVICES] == PROCESSES
    for path in SERVICES:
        assert path.name in target
        assert Unit(path)["Unit"]["PartOf"] == "bloop.target"
        assert Unit(path)["Service"]["ExecStart"].split()[1:] == [path.stem.removeprefix("bloop-")]


def test_the_writer_starts_first_and_stops_last():
    after = {path.name: Unit(path)["Unit"].get("After", "").split() for path in SERVICES}

    assert after["bloop-writer.service"] == []
    for name in ("alerts", "retention", "dashboard", "ingest"):
        assert "bloop-writer.service" in after[f"bloop-{name}.service"]
    assert {"bloop-alerts.service", "bloop-retention.service"} <= set(after["bloop-dashboard.service"])
    assert "bloop-dashboard.service" in after["bloop-ingest.service"]


def test_units_get_the_time_to_stop_that_the_supervisor_gives():
    for path in SERVICES:
        allowed_s = seconds(Unit(path)["Service"]["TimeoutStopSec"])
        assert allowed_s >= STOP_S[path.stem.removeprefix("bloop-")]


def test_a_unit_that_cannot_start_with_its_settings_is_not_restarted():
    common = Unit(UNITS / "bloop-.service.d" / "10-common.conf")["Service"]

    assert (common["Restart"], common["RestartPreventExitStatus"]) == ("always", "78")
    assert all(Unit(path)["Unit"]["StartLimitIntervalSec"] == "0" for path in SERVICES)
    assert all("WatchdogSec" in Unit(path)["Service"] for path in SERVICES)


def test_memory_limits_stop_a_process_before_a_small_machine_is_full():
    for path in SERVICES:
        service = Unit(path)["Service"]
        high, most = (int(service[key].removesuffix("M")) for key in ("MemoryHigh", "MemoryMax"))
        assert high < most <= 400


def test_scripts_pass_sh_and_shellcheck():
    scripts = [str(path) for path in sorted(UNITS.glob("*.sh"))]
    assert len(scripts) == 2
    for script in scripts:
        subprocess.run(["sh", "-n", script], check=True)
    try:
        ensure()
    except Unavailable as reason:
        print(f"shellcheck does not check the scripts: {reason}")
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_wheel_contains_everything_to_install_and_run(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        scripts = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()

    shared = {name.partition(".data/data/share/bloop/")[2] for name in names if ".data/data/share/bloop/" in name}
    assert shared == {"requirements.txt", *(f"systemd/{p.relative_to(UNITS)}" for p in UNITS.rglob("*") if p.is_file())}
    for folder in ("bloop", "workers", "templates"):
        ours = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file()}
        ours = {name for name in ours if "__pycache__" not in name}
        assert ours <= set(names)
    assert "gunicorn.conf.py" in names
    assert "bloop = bloop.cli.main:main" in scripts
    assert "bloop-worker = workers.command:main" in scripts


@pytest.fixture
def unpacked(wheel: Path, tmp_path: Path) -> Iterator[BloopServer]:
    """A bloop that runs from the unpacked wheel, not from this checkout."""
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    server = BloopServer(tmp_path / "data")
    server.env["PYTHONPATH"] = str(folder)
    server.command = [sys.executable, "-P", "-m", "bloop.cli.main", "up"]
    yield server
    server.remove_traces()


def test_the_unpacked_wheel_runs(unpacked: BloopServer):
    where = [sys.executable, "-P", "-c", "import bloop, workers; print(bloop.__file__, workers.__file__)"]
    imported = subprocess.run(where, env=unpacked.env, capture_output=True, text=True, check=True).stdout
    assert str(ROOT) not in imported
    unpacked.start()

    sent, page = unpacked.send(event("from-the-wheel")), unpacked.request("GET", "/auth/login")

    assert sent.json == {"status": "accepted"}
    assert page.status == 200
    until(lambda: unpacked.stored_ids() == ["from-the-wheel"], "the event to be stored")
