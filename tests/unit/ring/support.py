"""Helpers of the ring's tests: unique names, proof that nothing is left behind, and kills."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from bloop.ring import Producer, Segment, layout, mapping

SHM = "/dev/shm"
RING_CODE = os.path.dirname(layout.__file__)


@contextmanager
def fresh_ring_name() -> Iterator[str]:
    """A name for one test; afterwards no shared memory, semaphore, mapping or descriptor of it may be left."""
    name = f"/bloop-test-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        yield name
        assert [m.name for m in mapping._open if m.name == name] == [], "a handle was not closed"
    finally:
        Segment.unlink(name)
    assert [entry for entry in os.listdir(SHM) if name[1:] in entry] == []


class Killed(BaseException):
    """Stands in for SIGKILL inside one process: nothing in the ring catches it."""


def run_until_killed(function: Callable[..., Any], *args: Any, instruction: int) -> bool:
    """Call a function and kill it before the ring's n-th bytecode instruction in it; True when it got that far."""
    remaining = instruction

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal remaining
        if RING_CODE not in frame.f_code.co_filename:  # another object's finalizer, run by the garbage collector
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            remaining -= 1
            if remaining < 0:
                raise Killed
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*args)
    except Killed:
        return True
    finally:
        sys.settrace(before)
    return False


def abandon(producer: Producer) -> None:
    """What the kernel does for a killed producer: its lock is free, nothing else happens."""
    shared, lane = producer._mapping, producer.lane
    assert shared is not None
    producer.disown()
    shared.release_claim(layout.LOCK_LANE_0 + lane)


def overwrite(segment: Segment, lane: int, position: int, data: bytes) -> None:
    """Damage the area of a lane, as a stray write would."""
    shared = segment.shared()
    at = shared.geometry.area(lane) + position % segment.lane_bytes
    shared.area[at : at + len(data)] = data
