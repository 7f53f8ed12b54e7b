"""`bloop bench` takes credentials from files and the environment, never from its command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bloop.bench.cli import bench


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The places that would have been measured."""
    made: list[Any] = []
    monkeypatch.setattr("bloop.bench.run.run", lambda options, where, report, *, is_json: made.append(where))
    return made


def run(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(bench, ["--url", "http://localhost:1", *arguments], env=variables)


def test_credentials_come_from_files(calls: list[Any], tmp_path: Path) -> None:
    for name in ("key", "secret", "token"):
        (tmp_path / name).write_text(f"the-{name}\n")

    run(*(part for name in ("key", "secret", "token") for part in (f"--{name}-file", str(tmp_path / name))))

    assert [(where.key, where.secret, where.token) for where in calls] == [("the-key", "the-secret", "the-token")]


def test_credentials_come_from_the_environment(calls: list[Any]) -> None:
    run(BLOOP_BENCH_KEY="the-key", BLOOP_BENCH_SECRET="the-secret", BLOOP_BENCH_TOKEN="the-token")

    assert [(where.key, where.secret, where.token) for where in calls] == [("the-key", "the-secret", "the-token")]


@pytest.mark.parametrize("option", ["--key", "--secret", "--token"])
def test_no_option_takes_a_credential_itself(option: str, calls: list[Any]) -> None:
    done = run(option, "geheim")

    assert done.exit_code == 2
    assert "No such option" in done.output
    assert calls == []


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), (b"\xff", "not text"), (b"\n", "is empty")])
def test_file_without_a_credential_is_refused_in_one_line(
    content: bytes | None, said: str, calls: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)

    done = run("--key-file", str(file))

    assert done.exit_code == 2
    assert said in done.output.splitlines()[-1]
    assert calls == []
