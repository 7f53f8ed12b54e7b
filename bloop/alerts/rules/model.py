"""Alert rules as typed values: what a rule may say, checked once; past this point nobody asks "is it a number?".

R1  A config holds what its type knows and nothing else: a misspelt filter must not silently mean "everything".
R2  Windows are counted in whole minutes, so their seconds are rounded up to those.
R3  A rule's own filters and those of its config hold together. Two that contradict each other match nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from bloop.alerts.firing.windows import Scope
from bloop.base.clock import MINUTE_MS
from bloop.base.errors import InvalidField

WINDOW_SECS_MAX = 86_400  # of any window; alerts/firing/windows.py keeps what a preview of the longest needs
COUNT_MAX = 1_000_000_000
MULTIPLIER_MAX = 10_000.0
MIN_COUNT = 10  # events that a spike has at least, unless it says otherwise
TEXT_LENGTH_MAX = 1024


class RuleType(StrEnum):
    NEW_ISSUE = "new_issue"
    REGRESSION = "regression"
    THRESHOLD = "threshold"
    SPIKE = "spike"


@dataclass(frozen=True, slots=True)
class NewIssue:
    """An issue is seen for the first time; with `environment`, when that first time is there."""

    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Regression:
    """A resolved issue happens again, or a mute ends by itself."""

    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """More than `threshold` events within the window."""

    threshold: int
    window_secs: int
    fingerprint: str | None = None
    route: str | None = None
    environment: str | None = None
    source: str | None = None

    @property
    def minutes(self) -> int:
        return minutes_of(self.window_secs)


@dataclass(frozen=True, slots=True)
class Spike:
    """At least `min_count` events within the compare window, and more than `multiplier` times as many as the baseline
    window just before it had in the same time."""

    multiplier: float
    baseline_window_secs: int
    compare_window_secs: int
    min_count: int = MIN_COUNT
    fingerprint: str | None = None
    route: str | None = None
    environment: str | None = None
    source: str | None = None

    @property
    def minutes(self) -> int:
        return minutes_of(self.compare_window_secs)

    @property
    def baseline_minutes(self) -> int:
        return minutes_of(self.baseline_window_secs)


WindowConfig: TypeAlias = Threshold | Spike
RuleConfig: TypeAlias = NewIssue | Regression | WindowConfig


class Rule(NamedTuple):
    """A rule as the engine asks it. `from_minute_ms`: minutes before it was last changed are not its business."""

    id: int
    name: str
    project_id: int | None
    config: RuleConfig
    environment_filter: str | None
    source_filter: str | None
    cooldown_ms: int
    after_signal_id: int = 0
    from_minute_ms: int = 0

    @property
    def type(self) -> RuleType:
        return _TYPE_OF[type(self.config)]

    @property
    def scope(self) -> Scope | None:
        """None when its filters contradict each other (R3)."""
        config = self.config
        own = [
            (getattr(config, "environment", None), self.environment_filter),
            (getattr(config, "source", None), self.source_filter),
        ]
        if any(a is not None and b is not None and a != b for a, b in own):
            return None
        environment, source = (a if a is not None else b for a, b in own)
        fingerprint, route = getattr(config, "fingerprint", None), getattr(config, "route", None)
        return Scope(self.project_id, fingerprint, route, environment, source)


def minutes_of(secs: int) -> int:
    """Whole minutes that hold so many seconds (R2)."""
    return -(-secs * 1000 // MINUTE_MS)


def as_dict(config: RuleConfig) -> dict[str, Any]:
    """Every field by name, without the type: what is stored, and what `parse_config` takes."""
    return asdict(config)


def parse_config(rule_type: str, given: Mapping[str, Any]) -> RuleConfig:
    """The config of a rule as somebody wrote it; a `type` inside it is passed over.

    Raises:
        InvalidField: names the field, `config.threshold` for one.
    """
    if rule_type not in _PARSERS:
        raise InvalidField("config.type", f"config.type must be one of {', '.join(_PARSERS)}")
    fields = _Fields(given)
    config = _PARSERS[RuleType(rule_type)](fields)
    fields.done()
    return config


class _Fields:
    """Takes the fields of a config one by one; what is left at the end nobody knows (R1)."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._left = {name: value for name, value in given.items() if name != "type" and value is not None}

    def text(self, name: str) -> str | None:
        """Blank text says nothing."""
        value = self._left.pop(name, "")
        if not isinstance(value, str):
            raise _invalid(name, "must be a string")
        value = value.strip()
        if len(value) > TEXT_LENGTH_MAX:
            raise _invalid(name, f"must be at most {TEXT_LENGTH_MAX} characters")
        return value or None

    def count(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self._left.pop(name, default)
        if value is None:
            raise _invalid(name, "is required")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise _invalid(name, f"must be a whole number from {low} to {high}")
        return value

    def factor(self, name: str, low: float, high: float) -> float:
        value = self._left.pop(name, None)
        if value is None:
            raise _invalid(name, "is required")
        if type(value) not in (int, float) or not low <= value <= high:
            raise _invalid(name, f"must be a number from {low:g} to {high:g}")
        return float(value)

    def done(self) -> None:
        if self._left:
            raise _invalid(min(self._left), "is not known for this type of rule")


def _invalid(name: str, reason: str) -> InvalidField:
    return InvalidField(f"config.{name}", f"config.{name} {reason}")


def _new_issue(fields: _Fields) -> NewIssue:
    return NewIssue(environment=fields.text("environment"))


def _regression(fields: _Fields) -> Regression:
    return Regression(environment=fields.text("environment"))


def _threshold(fields: _Fields) -> Threshold:
    return Threshold(
        threshold=fields.count("threshold", 0, COUNT_MAX),
        window_secs=fields.count("window_secs", 1, WINDOW_SECS_MAX),
        **_narrowed(fields),
    )


def _spike(fields: _Fields) -> Spike:
    return Spike(
        multiplier=fields.factor("multiplier", 1, MULTIPLIER_MAX),
        baseline_window_secs=fields.count("baseline_window_secs", 1, WINDOW_SECS_MAX),
        compare_window_secs=fields.count("compare_window_secs", 1, WINDOW_SECS_MAX),
        min_count=fields.count("min_count", 1, COUNT_MAX, MIN_COUNT),
        **_narrowed(fields),
    )


def _narrowed(fields: _Fields) -> dict[str, str | None]:
    """Sources are stored in lower case."""
    source = fields.text("source")
    texts = {name: fields.text(name) for name in ("fingerprint", "route", "environment")}
    return {**texts, "source": source.lower() if source else None}


_PARSERS: dict[RuleType, Callable[[_Fields], RuleConfig]] = {
    RuleType.NEW_ISSUE: _new_issue,
    RuleType.REGRESSION: _regression,
    RuleType.THRESHOLD: _threshold,
    RuleType.SPIKE: _spike,
}
_TYPE_OF: dict[type, RuleType] = {
    NewIssue: RuleType.NEW_ISSUE,
    Regression: RuleType.REGRESSION,
    Threshold: RuleType.THRESHOLD,
    Spike: RuleType.SPIKE,
}
