"""SENDING-1 to SENDING-3 of workers/sending.py: real rows and real threads, receivers that are functions."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw
import pytest

from bloop.alerts.channels import Result
from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.retries import TRIES_MAX, wait_ms
from bloop.alerts.deliveries.store import DeliveryTarget
from bloop.alerts.firing import store
from bloop.alerts.firing.read import DueDelivery
from bloop.alerts.firing.store import FiringFields
from bloop.base import clock, config
from bloop.base.reasons import Reason
from tests.integration.alerts.world import T0, World
from tests.waiting import until
from workers import alerts, sending
from workers.sending import Sender

SENT = Result("sent", "example.com answered 200", 200)
DOWN = Result("retry", "example.com answered 503", 503)
NO = Result("failed", "example.com answered 404", 404)
WITHIN_S = 10.0

Send = Callable[[DueDelivery], Result]


@pytest.fixture(autouse=True)
def clock_of(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The clock of the world is everybody's."""
    monkeypatch.setattr(clock, "now_ms", lambda: world.now_ms)
    return world


@contextmanager
def sender_of(world: World, send: Send) -> Iterator[Sender]:
    """Ends with nothing on its way: a thread that is left would be another test's trouble."""
    made = Sender(world.db, send, jitter=lambda: 0.0)
    yield made
    made.finish()
    for thread in threading.enumerate():
        if thread.name.startswith("deliver-"):
            thread.join(WITHIN_S)
            assert not thread.is_alive()


def add(world: World, channel_id: int | None, rule_id: int = 1) -> int:
    fields = FiringFields(rule_id, "rule", "new_issue", world.shop, "ab", T0, "{}")
    deliveries.add(
        world.db,
        store.add_firing(world.db, fields),
        rule_id,
        [DeliveryTarget(channel_id, "webhook", "x")],
        world.now_ms,
    )
    return world.db.last_insert_rowid()


def pump(sender: Sender, done: Callable[[], bool], what: str) -> None:
    """Run the job until `done`."""

    def done_or_run() -> bool:
        if done():
            return True
        sender.run()
        return False

    until(done_or_run, what)


def states(world: World) -> list[str]:
    return [row[0] for row in world.rows("SELECT state FROM deliveries ORDER BY id")]


def test_due_deliveries_are_sent_once_and_recorded(world: World) -> None:
    tried: list[int] = []

    def send(due: DueDelivery) -> Result:
        tried.append(due.id)
        return SENT

    made = [add(world, channel) for channel in (1, 2, 1, None)]
    with sender_of(world, send) as sender:
        pump(sender, lambda: set(states(world)) == {"sent"}, "all sent")
        for _ in range(5):
            sender.run()

    assert sorted(tried) == made
    assert world.rows("SELECT DISTINCT attempts, last_status, sent_at_ms FROM deliveries") == [(1, 200, T0)]


def test_a_hanging_receiver_delays_no_other_and_gets_one_message_at_a_time(world: World) -> None:
    release, tried = threading.Event(), []

    def send(due: DueDelivery) -> Result:
        tried.append(due.channel_id)
        if due.channel_id == 1:
            release.wait(WITHIN_S)
        return SENT

    for channel in (1, 1, 1, 2, 3, 2):
        add(world, channel)
    with sender_of(world, send) as sender:
        pump(sender, lambda: states(world).count("sent") == 3, "the others")
        assert tried.count(1) == 1
        assert states(world)[:3] == ["waiting"] * 3
        release.set()
        pump(sender, lambda: set(states(world)) == {"sent"}, "all")


def test_at_most_so_many_attempts_run_at_once(world: World) -> None:
    release, running, most = threading.Event(), threading.Semaphore(0), []

    def send(due: DueDelivery) -> Result:
        running.release()
        release.wait(WITHIN_S)
        return SENT

    for channel in range(1, 31):
        add(world, channel)
    with sender_of(world, send) as sender:
        for _ in range(sending.THREADS_MAX):
            pump(sender, lambda: running.acquire(blocking=False), "a place")
        for _ in range(20):
            sender.run()
        most.append(running.acquire(blocking=False))
        release.set()
        pump(sender, lambda: set(states(world)) == {"sent"}, "all")

    assert most == [False]


def test_every_channel_gets_a_turn_before_any_gets_a_second(world: World) -> None:
    tried: list[int | None] = []

    def send(due: DueDelivery) -> Result:
        tried.append(due.channel_id)
        return DOWN

    for channel in range(1, 21):
        for _ in range(3):
            add(world, channel)
    with sender_of(world, send) as sender:
        pump(sender, lambda: len(tried) >= 40, "two rounds")

    assert set(tried[:20]) == set(range(1, 21))


def test_tries_are_spread_out_and_then_given_up(world: World) -> None:
    tried: list[int] = []

    def send(due: DueDelivery) -> Result:
        tried.append(world.now_ms - T0)
        return DOWN

    add(world, 1)
    with sender_of(world, send) as sender:
        for number in range(1, TRIES_MAX + 1):
            attempts = "SELECT attempts FROM deliveries"
            pump(sender, lambda: world.rows(attempts) == [(number,)], f"try {number}")
            assert number == TRIES_MAX or not sender.troubles()
            world.now_ms = world.rows("SELECT next_try_at_ms FROM deliveries")[0][0]
        pump(sender, lambda: Reason.DELIVERIES_FAILING in sender.troubles(), "the trouble")

    waits = [wait_ms(tries, None, 0.0) or 0 for tries in range(1, TRIES_MAX)]
    assert tried == [0, *itertools.accumulate(waits)]
    assert world.rows("SELECT state, last_error, last_status FROM deliveries") == [
        ("failed", "example.com answered 503", 503)
    ]


def test_a_permanent_refusal_fails_at_once_and_is_reported_until_handled(world: World) -> None:
    answers = [NO, SENT, NO]
    made = add(world, 1)
    with sender_of(world, lambda due: answers.pop(0)) as sender:
        pump(sender, lambda: Reason.DELIVERIES_FAILING in sender.troubles(), "the trouble")
        assert states(world) == ["failed"]

        world.db.execute("UPDATE deliveries SET state = 'waiting', attempts = 0 WHERE id = ?", (made,))
        pump(sender, lambda: states(world) == ["sent"] and not sender.troubles(), "its end by another try")

        add(world, 1)
        pump(sender, lambda: Reason.DELIVERIES_FAILING in sender.troubles(), "another trouble")
        world.db.execute("UPDATE deliveries SET state = 'dismissed' WHERE state = 'failed'")
        pump(sender, lambda: not sender.troubles(), "its end by being dismissed")


def test_deliveries_of_a_disabled_channel_are_dismissed_without_a_problem(world: World) -> None:
    add(world, 1)
    with sender_of(world, lambda due: Result("skipped", "mail is switched off")) as sender:
        pump(sender, lambda: states(world) != ["waiting"], "the end of it")

        assert not sender.troubles()
    assert world.rows("SELECT state, attempts, last_error, last_status FROM deliveries") == [
        ("dismissed", 1, "mail is switched off", None)
    ]


def test_a_receiver_that_asks_for_a_pause_gets_it_for_all_its_messages(world: World) -> None:
    full = Result("retry", "example.com answered 429", 429, 60.0)
    for channel in (1, 1, 2):
        add(world, channel)
    with sender_of(world, lambda due: full if due.channel_id == 1 else SENT) as sender:
        pump(sender, lambda: world.rows("SELECT sum(attempts) FROM deliveries") == [(2,)], "both channels")
        for _ in range(5):
            sender.run()

    assert world.rows("SELECT attempts, next_try_at_ms FROM deliveries ORDER BY id") == [
        (1, T0 + 60_000),
        (0, T0 + 60_000),
        (1, T0),
    ]


def test_an_answer_waits_for_a_locked_database_and_is_not_asked_for_again(world: World) -> None:
    tried: list[int] = []

    def send(due: DueDelivery) -> Result:
        tried.append(due.id)
        return SENT

    add(world, 1)
    world.db.set_busy_timeout(0)
    with sender_of(world, send) as sender:
        sender.run()
        world.seeder.db.execute("BEGIN IMMEDIATE")
        with pytest.raises(apsw.BusyError):
            pump(sender, lambda: False, "the answer")
        for _ in range(3):
            with pytest.raises(apsw.BusyError):
                sender.run()
        world.seeder.db.execute("COMMIT")
        pump(sender, lambda: states(world) == ["sent"], "it to be noted")

    assert len(tried) == 1


def test_a_defect_of_ours_is_a_try_that_came_to_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Result] = []

    def send(due: DueDelivery) -> Result:
        return answers.pop()

    add(world, 1)
    with sender_of(world, send) as sender:
        attempts = "SELECT state, attempts, last_error FROM deliveries"
        pump(sender, lambda: world.rows(attempts)[0][1] == 1, "the try")

    assert world.rows(attempts) == [("waiting", 1, "bloop could not send it: IndexError")]
    assert "failed unexpectedly" in caplog.text


class TestSend:
    def settings(self, world: World, **alerting: str) -> config.Settings:
        environ = {"BLOOP__DATABASE__PATH": str(world.path)}
        environ |= {f"BLOOP__ALERTING__{name}": value for name, value in alerting.items()}
        return config.load(environ=environ, secret_required=False)

    @pytest.mark.parametrize(
        ("channel_id", "detail"),
        [(None, "there is no webhook fallback in the settings any more"), (7, "the channel was deleted")],
    )
    def test_a_deleted_channel_is_a_failure_with_its_reason(
        self, world: World, channel_id: int | None, detail: str
    ) -> None:
        due = DueDelivery(1, channel_id, "webhook", None, "{}", "key", 0, False)

        assert alerts.send(self.settings(world), due) == Result("failed", detail)
