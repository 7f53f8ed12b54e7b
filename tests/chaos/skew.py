"""bloop with a clock that jumps: `bloop up`, its wall clock read through an offset that another process sets.

Simulated is everything that bloop decides or stores by wall clock: it always reads `bloop.base.clock.now_ms`. Not
simulated is the clock of the kernel (a test should not set that of a shared machine), so neither Gunicorn's own timers
and log lines nor file times. Waiting uses the monotonic clock, which no jump changes.

Run as a file by `command(...)`. It patches the clock before anything else of bloop is imported.
"""

from __future__ import annotations

import mmap
import struct
import sys
from pathlib import Path

OFFSET = struct.Struct("=q")  # ms to be added; eight aligned bytes, so no process reads half of it


def command(offset_file: Path) -> list[str]:
    """The command line of such a bloop; the file is made, with no offset."""
    offset_file.write_bytes(OFFSET.pack(0))
    # -P: no file next to this one may be imported instead of another module.
    return [sys.executable, "-P", str(Path(__file__).resolve()), str(offset_file)]


def jump(offset_file: Path, offset_ms: int) -> None:
    """Set the clock of every process of that bloop this much ahead, or behind."""
    with offset_file.open("r+b") as file:
        file.write(OFFSET.pack(offset_ms))


def main() -> None:
    from bloop.base import clock

    with open(sys.argv.pop(1), "r+b") as file:
        words = memoryview(mmap.mmap(file.fileno(), OFFSET.size)).cast("q")
    real_now_ms = clock.now_ms
    clock.now_ms = lambda: real_now_ms() + words[0]  # forks share the mapping

    from workers import process, supervisor

    sys.exit(process.run("supervisor", lambda settings: supervisor.main(settings, process.parse_flags("supervisor"))))


if __name__ == "__main__":
    main()
