"""Memory given back to the machine (bloop/base/memory.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bloop.base.memory import GIVE_BACK_EVERY_S, Leftovers, trim

MIB = 1024 * 1024


def own_bytes() -> int:
    """Pages that are this process's alone."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_Dirty:"))


def test_what_is_free_between_what_is_used_goes_back():
    """MEMORY-1"""
    bodies = [bytes(4000) for _ in range(20_000)]  # 80 MB
    kept = bodies[::100]
    del bodies
    left = own_bytes()

    trim()

    assert own_bytes() < left - 40 * MIB
    assert len(kept) == 200


def test_it_is_done_by_the_clock_however_often_it_is_asked_for():
    """MEMORY-1"""
    now_s, done = [100.0], []
    leftovers = Leftovers(monotonic=lambda: now_s[0], trim=lambda: done.append(now_s[0]))

    for now_s[0] in (100.0, 100.0 + GIVE_BACK_EVERY_S, 101.0 + GIVE_BACK_EVERY_S, 999.0, 999.5):
        leftovers.give_back()

    assert done == [100.0 + GIVE_BACK_EVERY_S, 999.0]


THREADS = """
import ctypes, threading
from bloop.base import memory
memory.use_one_heap()
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
found = []
def take():
    found.append(malloc(4000))
for _ in range(4):
    one = threading.Thread(target=take)
    one.start()
    one.join()
heap = next(line for line in open("/proc/self/maps") if "[heap]" in line)
start, end = (int(bound, 16) for bound in heap.split()[0].split("-"))
print(all(start <= address < end for address in found))
"""


def test_threads_share_one_heap():
    ended = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True, timeout=30)

    assert ended.stdout == "True\n"
