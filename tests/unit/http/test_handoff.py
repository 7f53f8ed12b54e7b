from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop.http.handoff import MESSAGE_BYTES_MAX, HandoffListener, HandoffSender, receive
from bloop.http.refusal import Refused


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "handoff.sock")


@pytest.fixture
def sender(path: str) -> Iterator[HandoffSender]:
    sender = HandoffSender(path)
    yield sender
    sender.close()


@pytest.fixture
def listener(path: str) -> Iterator[HandoffListener]:
    listener = HandoffListener(path)
    yield listener
    listener.close()


@pytest.fixture
def client() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's end and the server's end of one connection."""
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def accepted(listener: HandoffListener) -> socket.socket:
    peer = listener.accept()
    assert peer is not None
    return peer


def test_client_arrives_with_its_bytes_and_works_after_the_sender_forgot_it(sender, listener, client):
    near, far = client

    sender.send(far, b"GET / HTTP/1.1\r\n\r\n")
    far.close()

    with accepted(listener) as peer:
        fd, data = receive(peer)
        assert receive(peer) is None
    assert not os.get_inheritable(fd)
    with socket.socket(fileno=fd) as passed:
        passed.sendall(b"hello")
        assert near.recv(10) == b"hello"
    assert data == b"GET / HTTP/1.1\r\n\r\n"


def test_largest_message_arrives_whole(sender, listener, client):
    data = os.urandom(MESSAGE_BYTES_MAX)

    sender.send(client[1], data)

    with accepted(listener) as peer:
        fd, arrived = receive(peer)
        os.close(fd)
    assert arrived == data


def test_missing_listener_is_a_refusal_not_an_error(sender, client):
    with pytest.raises(Refused) as refusal:
        sender.send(client[1], b"x")

    assert (refusal.value.status, refusal.value.error) == (503, "dashboard is not running")
    assert refusal.value.retry_after_s > 0


def test_stale_path_is_a_refusal_and_is_taken_over(sender, path, client):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as killed:
        killed.bind(path)

    with pytest.raises(Refused):
        sender.send(client[1], b"x")

    listener = HandoffListener(path)
    sender.send(client[1], b"y")
    with accepted(listener) as peer:
        fd, data = receive(peer)
        os.close(fd)
    listener.close()
    assert data == b"y"


def test_sender_finds_the_successor_without_losing_a_client(sender, path, client):
    first = HandoffListener(path)
    sender.send(client[1], b"one")
    with accepted(first) as peer:
        fd, _ = receive(peer)
        os.close(fd)
    first.close()

    second = HandoffListener(path)
    sender.send(client[1], b"two")

    with accepted(second) as peer:
        fd, data = receive(peer)
        os.close(fd)
    second.close()
    assert data == b"two"


def test_queue_is_bounded_and_the_sender_does_not_wait(sender, listener, client):
    sent = 0

    def fill() -> None:
        nonlocal sent
        while True:
            assert sent < 10_000
            sender.send(client[1], b"x" * 10_000)
            sent += 1

    with pytest.raises(Refused) as refusal:
        fill()

    assert refusal.value.error == "dashboard is busy"
    with accepted(listener) as peer:
        for _ in range(sent):
            fd, _data = receive(peer)
            os.close(fd)
        sender.send(client[1], b"room again")


def test_stopping_receiver_stops_senders_first_and_then_empties_its_queue(sender, listener, client):
    for n in range(5):
        sender.send(client[1], b"%d" % n)
    with accepted(listener) as peer:
        peer.shutdown(socket.SHUT_RD)
        listener.close()

        with pytest.raises(Refused) as refusal:
            sender.send(client[1], b"too late")

        arrived = []
        for _ in range(5):
            fd, data = receive(peer)
            os.close(fd)
            arrived.append(data)
        with pytest.raises(EOFError):
            receive(peer)
    assert refusal.value.error == "dashboard is not running"
    assert arrived == [b"0", b"1", b"2", b"3", b"4"]


def test_receiver_notices_that_the_sender_has_gone(sender, listener, client):
    sender.send(client[1], b"x")
    with accepted(listener) as peer:
        fd, _ = receive(peer)
        os.close(fd)
        sender.close()

        with pytest.raises(EOFError):
            receive(peer)


def test_message_without_a_client_is_passed_over(listener, sender, path, client):
    sender.send(client[1], b"x")
    with accepted(listener) as peer:
        assert sender._peer is not None
        sender._peer.send(b"no descriptor")
        sender.send(client[1], b"y")

        received = [receive(peer) for _ in range(2)]

    for fd, _ in received:
        os.close(fd)
    assert [data for _, data in received] == [b"x", b"y"]


def test_path_is_private(listener, path):
    mode = os.stat(path).st_mode

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_newest_listener_owns_the_path_and_an_older_one_leaves_it_alone(path):
    old = HandoffListener(path)
    new = HandoffListener(path)

    old.close()
    assert os.path.exists(path)

    new.close()
    assert not os.path.exists(path)


def test_listener_that_cannot_bind_leaves_nothing_open(tmp_path):
    with pytest.raises(OSError, match="No such file or directory"):
        HandoffListener(str(tmp_path / "missing" / "handoff.sock"))
