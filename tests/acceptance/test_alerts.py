"""From an event to a message at a receiver, with every real process in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from bloop.db import connection
from tests.acceptance.harness import BloopServer, event
from tests.receivers import OK, Receiver, answer
from tests.waiting import until


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver(OK, OK, OK, answer(404))
    yield receiver
    receiver.close()


def sent(server: BloopServer) -> int:
    with closing(connection.open_reader(server.database_path)) as db:
        return int(db.execute("SELECT count(*) FROM deliveries WHERE state = 'sent'").get)


def reasons(server: BloopServer) -> list[str]:
    return list(server.request("GET", "/health").json["reasons"])


def test_new_issues_are_sent_once_and_a_refusal_of_the_receiver_is_reported(
    make_server: Callable[..., BloopServer], receiver: Receiver
) -> None:
    server = make_server(BLOOP_WEBHOOK_URL=receiver.url(), BLOOP__ALERTING__ALLOW_PRIVATE="true").start()
    until(lambda: server.pids("alerts"), "the alerts process")

    server.send(event("a") | {"error_type": "FirstError"})
    until(lambda: sent(server) == 1, "the first alert to be sent and recorded")
    os.kill(server.pids("alerts")[0], signal.SIGKILL)
    server.send(event("b") | {"error_type": "FirstError"}, event("c") | {"error_type": "SecondError"})
    until(lambda: len(receiver.got) == 2, "the second alert, by another process")
    server.send(event("d") | {"error_type": "ThirdError"})
    until(lambda: len(receiver.got) == 3, "the third alert")
    assert "deliveries_failing" not in reasons(server)

    server.send(event("e") | {"error_type": "FourthError"})
    until(lambda: "deliveries_failing" in reasons(server), "the trouble to show")

    bodies = [request.json for request in receiver.got]
    assert [body["error_type"] for body in bodies] == ["FirstError", "SecondError", "ThirdError", "FourthError"]
    assert {body["rule_type"] for body in bodies} == {"new_issue"}
    assert len({body["delivery_id"] for body in bodies}) == 4
    assert server.status("GET", "/ready") == 200, "events are taken and stored"
    assert server.stop() == 0
    assert receiver.url() not in server.log
