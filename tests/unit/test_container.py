"""The container files against the repository: what they copy exists, what they promise is what bloop does."""

from __future__ import annotations

import fnmatch
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bloop.base.config import Server, Settings
from bloop.cli.main import main
from bloop.health.api import Health
from workers.supervisor import STOP_S

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
DOCKERS_SHM = "64m"  # unless the service says otherwise


@pytest.fixture
def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


@pytest.fixture
def service() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["bloop"]
    return found


def copied(instructions: list[tuple[str, str]]) -> list[str]:
    """Paths taken from the repository."""
    lines = [shlex.split(rest) for word, rest in instructions if word == "COPY"]
    return [source for words in lines if not words[0].startswith("--from") for source in words[:-1]]


def test_everything_that_is_copied_exists_and_is_let_in(instructions: list[tuple[str, str]]) -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]

    for source in copied(instructions):
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(allowed, f"{source.rstrip('/')}*") for allowed in let_in), source


def test_what_the_package_is_built_from_is_copied(instructions: list[tuple[str, str]]) -> None:
    wheel = re.findall(r'^packages = \[(.*)\]|^"(.+)" = ".+"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    names = [
        name for packages, included in wheel for name in ([included] if included else re.findall(r'"(\w+)"', packages))
    ]

    assert len(names) >= 3
    assert set(names) <= set(copied(instructions))


def test_it_starts_a_command_bloop_has_and_answers_where_it_says(instructions: list[tuple[str, str]]) -> None:
    said = dict(instructions)
    command = yaml.safe_load(said["CMD"])

    assert yaml.safe_load(said["ENTRYPOINT"]) == ["bloop"]
    assert isinstance(main, click.Group)
    options = {option for parameter in main.commands[command[0]].params for option in parameter.opts}
    assert "--data" in options
    assert int(said["EXPOSE"]) == Server().port
    assert f"127.0.0.1:{Server().port}/health" in said["HEALTHCHECK"]
    assert callable(Health.on_get)
    assert said["VOLUME"] == command[-1] == said["WORKDIR"]
    assert said["USER"] == "bloop"


def test_compose_leaves_room_for_the_ring_and_time_to_drain_it(service: dict[str, Any]) -> None:
    settings = Settings(server=Server(workers=4))

    assert int(service.get("shm_size", DOCKERS_SHM).rstrip("m")) * MIB >= 2 * settings.lane_count * settings.lane_bytes
    assert int(service["stop_grace_period"].rstrip("s")) >= STOP_S["writer"] + STOP_S["ingest"]
    assert [port.rpartition(":")[2] for port in service["ports"]] == [str(Server().port)]
