"""A Debian for the tests to boot, and the wheels bloop needs there: made once, kept outside the checkout.

`python -m tests.systemd.tree` makes them, which takes about a minute; a second run waits for the first. As root it
installs missing tools from Debian. Everything is made next to its place and moved there when it is complete, so an
interrupted run leaves nothing that looks finished.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.systemd.previous import ROOT, NoPrevious, text_of

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bloop-tests"

SUITE, PYTHON = "bookworm", "3.11"  # Debian 12
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv"
TOOLS = {"systemd-nspawn": "systemd-container", "debootstrap": "debootstrap", "shellcheck": "shellcheck"}
PINS = ROOT / "requirements" / "runtime.txt"
GLIBC = ("2_5", "2_17", "2_28", "2_34")  # platforms whose wheels run there
TIMEOUT_S = 600


class Unavailable(Exception):
    """This machine cannot do it; the text is the reason, in one line."""


def ensure() -> tuple[Path, Path]:
    """Make the tree and the folder of wheels if needed; return their paths.

    Raises:
        Unavailable: with the reason.
    """
    if os.geteuid() != 0:
        raise Unavailable("only root can boot a container")
    with _locked():
        for tool, package in TOOLS.items():
            if shutil.which(tool) is None:
                _install(package)
        return _tree(), _wheels()


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(package: str) -> None:
    options = ["-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    for command in (["install", *options, package], ["update", "-qq"], ["install", *options, package]):
        done = _run("apt-get", *command)
        if done.returncode == 0 and command[0] == "install":
            return
    raise Unavailable(f"cannot install {package}: {_last_line(done)}")


def _tree() -> Path:
    folder = CACHE / f"{SUITE}-{_hash(PACKAGES)}"
    if not folder.exists():
        with _made_beside(folder) as aside:
            _check_run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(aside))
            shutil.rmtree(aside / "var" / "cache" / "apt", ignore_errors=True)
    return folder


def _wheels() -> Path:
    """The wheels of this checkout and of the commit before it; mostly the same."""
    pins = {PINS.read_text(): None}
    with contextlib.suppress(NoPrevious):
        pins[text_of(str(PINS.relative_to(ROOT)))] = None
    folder = CACHE / f"wheels-{_hash(PYTHON, *pins)}"
    if not folder.exists():
        machine = platform.machine()
        platforms = [f"--platform=manylinux_{version}_{machine}" for version in GLIBC]
        platforms += [f"--platform=manylinux{version}_{machine}" for version in ("1", "2014")]
        abis = [f"--abi={abi}" for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")]
        selection = ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp", *platforms, *abis]
        with _made_beside(folder) as aside:
            pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
            for text in pins:
                with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
                    file.write(text)
                    file.flush()
                    _check_run(
                        *pip, "download", "--no-deps", "--require-hashes", *selection, "-r", file.name, "-d", str(aside)
                    )
    return folder


@contextlib.contextmanager
def _made_beside(place: Path) -> Iterator[Path]:
    """A folder to fill, moved to `place` if that succeeds; older versions of it are removed then."""
    aside = place.with_name(f"{place.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        for old in CACHE.glob(f"{place.name.partition('-')[0]}-*"):
            if old != aside:
                shutil.rmtree(old)
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check_run(*command: str) -> None:
    done = _run(*command)
    if done.returncode != 0:
        raise Unavailable(f"{Path(command[0]).name} failed: {_last_line(done)}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return next(reversed((done.stdout + done.stderr).strip().splitlines()), f"code {done.returncode}")


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


if __name__ == "__main__":
    try:
        print(*ensure(), sep="\n")
    except Unavailable as error:
        sys.exit(str(error))
