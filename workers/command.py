"""`bloop-worker NAME [--config PATH]`: `python -m workers.NAME`, for units of systemd.

A script names the interpreter of its installation by full path. So a process that was started through a link keeps
reading the files of its own version when the link moves to the next one.
"""

from __future__ import annotations

import runpy
import sys

NAMES = ("writer", "ingest", "dashboard", "alerts", "retention", "supervisor")
EXIT_MISUSE = 2


def main() -> int:
    """Become the process named by the first argument; it gets the other arguments."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in NAMES:
        print(f"usage: bloop-worker {'|'.join(NAMES)} [--config PATH]", file=sys.stderr)
        return EXIT_MISUSE
    del sys.argv[1]
    runpy.run_module(f"workers.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
