"""Language-neutral test data as JSON, read by the server's tests and by those of every SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def load(name: str) -> list[dict[str, Any]]:
    """The cases of `<name>.json`; each has a `name` that says what it shows."""
    cases: list[dict[str, Any]] = json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))
    return cases


def case_id(case: object) -> str | None:
    """For pytest's `ids=`."""
    return case["name"] if isinstance(case, dict) else None
