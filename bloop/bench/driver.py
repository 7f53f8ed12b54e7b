"""Sends pre-rendered requests over keep-alive connections and measures the answers; one process, one thread.

DRIVER-1  Open loop: request k is due at a fixed time, independent of the server, and its latency counts from then. A
    server that stalls makes every request due during the stall late, and all of them show (no coordinated omission).
DRIVER-2  Closed loop: every connection sends its next request as soon as the last one is answered: the ceiling, not a
    load.
DRIVER-3  One request in flight per connection. A broken connection, or no answer within ANSWER_WITHIN_S, ends the run
    with an error: a partial measurement is discarded.
DRIVER-4  The generator shares the machine with the measured server, so a request costs it one `sendmsg`, one `recv` and
    a few comparisons. Sockets block, but a request always fits into the send buffer, so a send never waits.
"""

from __future__ import annotations

import ctypes
import math
import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from bloop.bench.rendering import Request

ANSWER_WITHIN_S = 30.0
SEND_BUFFER_BYTES = 2 * 1024 * 1024
RECEIVE_BYTES = 65_536
TIMER_SLACK_NS = 1000  # the kernel's default wakes sleepers up to 50 µs late
_PR_SET_TIMERSLACK = 29


class LoadError(Exception):
    """The run is invalid: a connection broke or an answer did not come."""


@dataclass(slots=True)
class Answers:
    """The answers, counted. Arrays are in order of answers; `index` is the position in the list of requests."""

    accepted: int = 0  # events
    dropped: int = 0  # events that the server answered `dropped`
    invalid: int = 0  # events refused inside a batch
    refused: dict[int, int] = field(default_factory=dict)  # requests by status, other than 200
    answered: int = 0  # requests
    latency_s: array[float] = field(default_factory=lambda: array("d"))
    answered_at: array[float] = field(default_factory=lambda: array("d"))  # time.monotonic()
    index: array[int] = field(default_factory=lambda: array("L"))
    started_at: float = math.nan  # time.monotonic(), as is the end
    ended_at: float = math.nan
    cpu_s: float = 0.0


class Driver:
    """`connections` sockets to one server."""

    def __init__(self, host: str, port: int, connections: int) -> None:
        self._sockets = [_connect(host, port) for _ in range(connections)]
        self._by_fd = {s.fileno(): s for s in self._sockets}
        self._partial: dict[int, bytes] = {}
        self._stopped = False
        self._accepted_tail = b"\0"  # the end of an answer that accepted everything, once one was seen
        self._accepted_events = 0
        self._poll = select.epoll()
        for fd in self._by_fd:
            self._poll.register(fd, select.EPOLLIN)
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, TIMER_SLACK_NS)

    def close(self) -> None:
        self._poll.close()
        for connection in self._sockets:
            connection.close()

    def closed_loop(self, requests: Sequence[Request], start_at: float, duration_s: float) -> Answers:
        """Send as fast as answers come (DRIVER-2), until `duration_s` is over or the requests are used up."""
        clock, poll, by_fd = time.monotonic, self._poll.poll, self._by_fd
        answers = Answers()
        latency, tail = answers.latency_s.append, self._accepted_tail
        pending = iter(requests)
        sent_at: dict[int, float] = {}
        _sleep_until(start_at)
        until = start_at + duration_s
        cpu, answers.started_at = time.process_time(), clock()
        for fd, connection in by_fd.items():
            request = next(pending, None)
            if request is not None:
                connection.sendmsg(request)
                sent_at[fd] = clock()
        while sent_at:
            for fd, _ in poll(ANSWER_WITHIN_S) or _no_answer():
                data = by_fd[fd].recv(RECEIVE_BYTES)
                if data.endswith(tail) and fd not in self._partial:
                    answers.accepted += self._accepted_events
                elif not self._read(fd, data, answers):
                    continue
                else:
                    tail = self._accepted_tail
                now = clock()
                latency(now - sent_at.pop(fd))
                if now < until and (request := next(pending, None)) is not None:
                    by_fd[fd].sendmsg(request)
                    sent_at[fd] = now
        answers.ended_at, answers.cpu_s = clock(), time.process_time() - cpu
        answers.answered = len(answers.latency_s)
        return answers

    def stop(self, *_: object) -> None:
        """End the open loop: send nothing more, wait for requests in flight. A signal handler."""
        self._stopped = True

    def open_loop(self, requests: Sequence[Request], start_at: float, due_s: Sequence[float]) -> Answers:
        """Send request k at `start_at + due_s[k]` (DRIVER-1)."""
        clock = time.monotonic
        answers = Answers()
        idle = deque(self._by_fd)
        due_at: dict[int, float] = {}
        index_of: dict[int, int] = {}
        following, end = 0, len(requests)
        _sleep_until(start_at)
        cpu, answers.started_at = time.process_time(), clock()
        while following < end or due_at:
            now = clock()
            while following < end and idle and start_at + due_s[following] <= now:
                fd = idle.popleft()
                self._by_fd[fd].sendmsg(requests[following])
                due_at[fd], index_of[fd] = start_at + due_s[following], following
                following += 1
            timeout_s = ANSWER_WITHIN_S
            if self._stopped:
                end = following
            elif following < end and idle:
                timeout_s = start_at + due_s[following] - clock()
            if following >= end and not due_at:
                break
            for fd in self._wait(timeout_s):
                data = self._by_fd[fd].recv(RECEIVE_BYTES)
                if not self._read(fd, data, answers):
                    continue
                now = clock()
                answers.latency_s.append(now - due_at.pop(fd))
                answers.answered_at.append(now)
                answers.index.append(index_of[fd])
                idle.append(fd)
        answers.ended_at, answers.cpu_s = clock(), time.process_time() - cpu
        answers.answered = len(answers.latency_s)
        return answers

    def _wait(self, timeout_s: float) -> list[int]:
        """Descriptors with data. `epoll` rounds time-outs up to milliseconds; `select` on its descriptor does not."""
        if timeout_s > 0 and not select.select([self._poll], [], [], timeout_s)[0] and timeout_s >= ANSWER_WITHIN_S:
            _no_answer()
        return [fd for fd, _ in self._poll.poll(0)]

    def _read(self, fd: int, data: bytes, answers: Answers) -> bool:
        """Add bytes of an answer; True when it is complete and counted."""
        if data.endswith(self._accepted_tail) and fd not in self._partial:
            answers.accepted += self._accepted_events
            return True
        if not data:
            raise LoadError("the server closed a connection during the run")
        data = self._partial.pop(fd, b"") + data
        parsed = parse_answer(data)
        if parsed is None:
            self._partial[fd] = data
            return False
        status, body = parsed
        if status != 200:
            answers.refused[status] = answers.refused.get(status, 0) + 1
            return True
        accepted, dropped, invalid = count_events(body)
        answers.accepted += accepted
        answers.dropped += dropped
        answers.invalid += invalid
        if accepted and not dropped and not invalid:
            self._accepted_tail, self._accepted_events = b"\r\n\r\n" + body, accepted
        return True


def parse_answer(data: bytes) -> tuple[int, bytes] | None:
    """Status and body of one whole HTTP/1.1 answer with a Content-Length; None while bytes are missing."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return None
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ", 2)[1])
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = int(headers["content-length"])
    if len(body) > length:
        raise LoadError(f"{len(body) - length} bytes follow an answer without a request")
    return (status, body) if len(body) == length else None


def count_events(body: bytes) -> tuple[int, int, int]:
    """(accepted, dropped, invalid) events of the body of a 200."""
    answer = orjson.loads(body)
    if "status" in answer:
        return (1, 0, 0) if answer["status"] == "accepted" else (0, 1, 0)
    return answer["accepted"], answer["dropped"], len(answer["errors"])


def _connect(host: str, port: int) -> socket.socket:
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    connection.connect((host, port))
    return connection


def _sleep_until(at: float) -> None:
    left_s = at - time.monotonic()
    if left_s > 0:
        time.sleep(left_s)


def _no_answer() -> list[tuple[int, int]]:
    raise LoadError(f"no answer for {ANSWER_WITHIN_S:.0f} s")
