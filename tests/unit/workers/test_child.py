"""Starting, ending and waiting between starts, with small real processes in place of bloop's own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import until
from workers import child
from workers.child import Backoff, Child


class TestBackoff:
    def test_doubles_from_the_first_to_the_longest_wait(self):
        backoff = Backoff(jitter=lambda: 0.0)

        waits = [backoff.next_s(lived_s=1) for _ in range(10)]

        assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]

    def test_starts_over_after_a_steady_life(self):
        backoff = Backoff(jitter=lambda: 0.0)
        for _ in range(5):
            backoff.next_s(lived_s=1)

        assert backoff.next_s(lived_s=child.STEADY_AFTER_S) == 0.2
        assert backoff.next_s(lived_s=1) == 0.4

    def test_jitter_shortens_by_a_quarter_at_most(self):
        assert Backoff(jitter=lambda: 1.0).next_s(1) == pytest.approx(0.15)

    def test_ten_thousand_deaths_do_not_overflow(self):
        backoff = Backoff(jitter=lambda: 0.0)

        assert [backoff.next_s(lived_s=0) for _ in range(10_000)][-1] == child.BACKOFF_MAX_S


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    """A child whose module is `workers.fake`: it exits with the code it is told, or waits for a signal."""
    package = tmp_path / "workers"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "fake.py").write_text(
        "import signal, sys\n"
        f"open({str(tmp_path / 'argv')!r}, 'w').write(' '.join(sys.argv[1:]))\n"
        "if '--exit' in sys.argv: sys.exit(int(sys.argv[-1]))\n"
        "signal.pause()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running = Child("fake", ["--flag"], [])
    yield running
    running.send(signal.SIGKILL)
    until(lambda: not running.running or running.reap(), "the child to end")


def test_child_is_told_its_parent(fake: Child, tmp_path: Path):
    fake.start()

    said = until(lambda: (tmp_path / "argv").exists() and (tmp_path / "argv").read_text(), "the child's arguments")

    assert said == f"--parent {os.getpid()} --flag"


def test_child_has_a_session_of_its_own(fake: Child):
    fake.start()

    assert os.getsid(fake.pid) == fake.pid


def test_death_is_told_once_and_asks_for_another_start(fake: Child):
    fake.start()
    assert not fake.reap()
    fake.send(signal.SIGKILL)

    until(fake.reap, "the death")

    assert fake.exit_code == -signal.SIGKILL
    assert fake.ending == "was killed by SIGKILL"
    assert fake.start_at is not None
    assert not fake.running
    assert not fake.reap()


def test_exit_code_is_kept(tmp_path: Path, fake: Child):
    leaving = Child("fake", ["--exit", "78"], [])
    leaving.start()

    until(leaving.reap, "the end")

    assert leaving.exit_code == 78
    assert leaving.ending == "ended with code 78"


def test_signal_to_a_child_that_is_not_there_is_nothing(fake: Child):
    fake.send(signal.SIGTERM)

    assert not fake.running
    assert fake.pid == 0


def test_folder_of_the_operator_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder `workers` where the operator stands has nothing to do with ours."""
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "__init__.py").touch()
    (tmp_path / "workers" / "planted.py").write_text("import sys; sys.exit(3)")
    monkeypatch.chdir(tmp_path)
    planted = Child("planted", [], [])

    planted.start()
    until(planted.reap, "the end")

    assert planted.exit_code == 1  # not found, rather than run
