"""Programs that tests run beside bloop: nginx, Caddy and promtool, unpacked by `make tools` from Debian's packages.

Where there is no apt-get there are no such packages, and the files that need one are not collected (tests/conftest.py).
Anywhere else a program that is missing is a failure: it could not be fetched, or nobody tried.
"""

from __future__ import annotations

import shutil
from pathlib import Path

TOOLS = Path(__file__).parents[1] / ".venv/tools/usr"
CAN_BE_FETCHED = shutil.which("apt-get") is not None
NEEDED_BY = ("acceptance/test_proxies.py", "integration/test_promtool.py")


def tool(path: str) -> str:
    """The program at this path below /usr."""
    found = TOOLS / path
    assert found.exists(), f"{found.name} was not fetched: `make tools` does that, and says what is in its way"
    return str(found)
