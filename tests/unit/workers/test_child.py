"""Starting, ending and waiting between starts, with functions of the test in place of bloop's own processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.waiting import until
from workers import child, process
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


# The supervisor has one thread. The test runner may have more; what these children do is safe all the same.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

Start = Callable[..., Child]


@pytest.fixture
def started() -> Iterator[Start]:
    """Starts children whose life is a function of the test; ends them with it."""
    children: list[Child] = []

    def start(main: Callable[[], int], closes: Sequence[int] = ()) -> Child:
        children.append(Child("test", main, lambda: closes))
        children[-1].start()
        return children[-1]

    yield start
    for one in children:
        one.send(signal.SIGKILL)
        until(lambda one=one: not one.running or one.reap(), "the child to end")


def wait_for_a_signal() -> int:
    signal.pause()
    return 0


def ended(one: Child) -> Child:
    until(one.reap, "the end")
    return one


def test_what_main_returns_is_the_exit_code(started: Start):
    one = ended(started(lambda: 78))

    assert one.exit_code == 78
    assert one.ending == "ended with code 78"


def test_bug_in_main_is_a_traceback_and_a_failure(started: Start, capfd: pytest.CaptureFixture[str]):
    one = ended(started(lambda: 1 // 0))

    assert one.exit_code == process.EXIT_FAILED
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize(("raised", "code"), [(SystemExit(), 0), (SystemExit(4), 4), (SystemExit("why"), 1)])
def test_exit_from_deep_inside_is_an_exit_of_the_child_only(started: Start, raised: SystemExit, code: int):
    def main() -> int:
        raise raised

    assert ended(started(main)).exit_code == code


def test_death_is_told_once_and_asks_for_another_start(started: Start):
    one = started(wait_for_a_signal)
    assert not one.reap()
    one.send(signal.SIGKILL)

    ended(one)

    assert one.exit_code == -signal.SIGKILL
    assert one.ending == "was killed by SIGKILL"
    assert one.start_at is not None
    assert not one.running
    assert not one.reap()


def test_child_has_a_session_of_its_own(started: Start):
    one = started(wait_for_a_signal)

    until(lambda: os.getsid(one.pid) == one.pid, "its session")


def test_child_writes_to_stderr_and_reads_nothing(started: Start, capfd: pytest.CaptureFixture[str]):
    def main() -> int:
        os.write(1, b"said\n")
        return len(os.read(0, 1))

    assert ended(started(main)).exit_code == 0
    assert capfd.readouterr() == ("", "said\n")


def test_child_closes_what_it_must_not_hold(started: Start):
    read_fd, write_fd = os.pipe()

    started(wait_for_a_signal, closes=[write_fd])
    os.close(write_fd)

    assert os.read(read_fd, 1) == b"", "the pipe has no writer left"
    os.close(read_fd)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_sent_at_once_ends_the_child_and_not_its_parents_handler(started: Start, signum: int):
    """The parent handles the signal; a child that inherited the handler would swallow it."""
    seen: list[int] = []
    before = signal.signal(signum, lambda number, frame: seen.append(number))
    try:
        one = started(wait_for_a_signal)
        one.send(signum)

        assert ended(one).exit_code == -signum
        assert seen == []
    finally:
        signal.signal(signum, before)


def test_starting_leaves_the_signal_mask_as_it_was(started: Start):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])

    started(wait_for_a_signal)

    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_signal_to_a_child_that_is_not_there_is_nothing():
    one = Child("test", wait_for_a_signal)

    one.send(signal.SIGTERM)

    assert not one.running
