"""How a feature takes part in a clean-up: background work in small transactions, which the retention process runs.

The feature registers a `FeatureCleanUp`; the clean-up hands it a `CleanUpRun`. It reads what is due without the write
lock, deletes in `run.step()`, looks at `is_over` often, and yields how long to rest after each step. It may be killed
after any step, so it finds what is left from the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bloop.db.engine import Db


class StepClock(Protocol):
    @property
    def is_over(self) -> bool:
        """Whether it is time to commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanUpRun:
    """`issues_before_ms`: project → the time before which an issue last seen is old; projects whose issues stay are
    missing. `add_deleted` counts rows in the step that deleted them."""

    db: Db
    step: Callable[[], AbstractContextManager[StepClock]]
    rest_s: Callable[[], float]
    add_deleted: Callable[[int, int], None]  # issues, raw events
    issues_before_ms: Mapping[int, int]


class FeatureCleanUp(NamedTuple):
    """`is_waiting`: whether something is to be done before the next scheduled clean-up."""

    is_waiting: Callable[[Db], bool]
    work: Callable[[CleanUpRun], Iterator[float]]
