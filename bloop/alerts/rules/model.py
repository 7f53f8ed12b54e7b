"""Alert rules as typed values, validated once: later code does not check types again.

RULE-1  A config holds only the fields of its type: a misspelt filter must not silently mean "everything".
RULE-2  Windows are counted in whole minutes; their seconds are rounded up.
RULE-3  A rule's own filters and those of its config both apply. Two that contradict each other match nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, NamedTuple, TypeAlias, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from bloop.alerts.firing.windows import WindowScope
from bloop.base.clock import MINUTE_MS
from bloop.base.errors import InvalidField

WINDOW_SECS_MAX = 86_400  # of any window; retention/policy.py keeps enough for a preview of the longest
COUNT_MAX = 1_000_000_000
MULTIPLIER_MAX = 10_000.0
MIN_COUNT = 10  # default minimum of events in a spike
TEXT_LENGTH_MAX = 1024


class RuleType(StrEnum):
    NEW_ISSUE = "new_issue"
    REGRESSION = "regression"
    THRESHOLD = "threshold"
    SPIKE = "spike"


# The description of each type is the text of its refusal.
Count = Annotated[int, Meta(ge=0, le=COUNT_MAX, description=f"a whole number from 0 to {COUNT_MAX}")]
PositiveCount = Annotated[int, Meta(ge=1, le=COUNT_MAX, description=f"a whole number from 1 to {COUNT_MAX}")]
WindowSecs = Annotated[int, Meta(ge=1, le=WINDOW_SECS_MAX, description=f"a whole number from 1 to {WINDOW_SECS_MAX}")]
Multiplier = Annotated[float, Meta(ge=1, le=MULTIPLIER_MAX, description=f"a number from 1 to {MULTIPLIER_MAX:g}")]
Text = Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)] | None


class NewIssue(Struct, frozen=True):
    """An issue is seen for the first time; with `environment`, if that is in it."""

    type: ClassVar = RuleType.NEW_ISSUE

    environment: Text = None


class Regression(Struct, frozen=True):
    """A resolved issue happens again, or a mute ends automatically; with `fingerprint`, that of one issue."""

    type: ClassVar = RuleType.REGRESSION

    environment: Text = None
    fingerprint: Text = None


class Threshold(Struct, frozen=True):
    """More than `threshold` events within the window."""

    type: ClassVar = RuleType.THRESHOLD

    threshold: Count
    window_secs: WindowSecs
    fingerprint: Text = None
    route: Text = None
    environment: Text = None
    source: Text = None

    @property
    def minutes(self) -> int:
        return minutes_of(self.window_secs)


class Spike(Struct, frozen=True):
    """At least `min_count` events within the compare window, and more than `multiplier` times as many as the baseline
    window just before it had in the same time."""

    type: ClassVar = RuleType.SPIKE

    multiplier: Multiplier
    baseline_window_secs: WindowSecs
    compare_window_secs: WindowSecs
    min_count: PositiveCount = MIN_COUNT
    fingerprint: Text = None
    route: Text = None
    environment: Text = None
    source: Text = None

    @property
    def minutes(self) -> int:
        return minutes_of(self.compare_window_secs)

    @property
    def baseline_minutes(self) -> int:
        return minutes_of(self.baseline_window_secs)


WindowConfig: TypeAlias = Threshold | Spike
RuleConfig: TypeAlias = NewIssue | Regression | WindowConfig

_CONFIGS: dict[str, type[RuleConfig]] = {kind.type: kind for kind in (NewIssue, Regression, Threshold, Spike)}
_TEXTS = frozenset(("fingerprint", "route", "environment", "source"))
_FIELD_AT_FAULT = re.compile(r"at `\$\.(\w+)`$")  # how msgspec ends its messages
_fields = functools.cache(msgspec.structs.fields)  # 100 µs each time


class Rule(NamedTuple):
    """A rule as the engine evaluates it. It ignores minutes before `from_minute_ms`, when it was last changed."""

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
        return self.config.type

    @property
    def scope(self) -> WindowScope | None:
        """None when its filters contradict each other (RULE-3)."""
        config = self.config
        own = [
            (getattr(config, "environment", None), self.environment_filter),
            (getattr(config, "source", None), self.source_filter),
        ]
        if any(a is not None and b is not None and a != b for a, b in own):
            return None
        environment, source = (a if a is not None else b for a, b in own)
        fingerprint, route = getattr(config, "fingerprint", None), getattr(config, "route", None)
        return WindowScope(self.project_id, fingerprint, route, environment, source)


def minutes_of(secs: int) -> int:
    """`secs` in minutes, rounded up (RULE-2)."""
    return -(-secs * 1000 // MINUTE_MS)


def as_dict(config: RuleConfig) -> dict[str, Any]:
    """Every field by name, without the type: as stored and as `parse_config` accepts."""
    return msgspec.structs.asdict(config)


def parse_config(rule_type: str, given: Mapping[str, Any]) -> RuleConfig:
    """Parse the config of a rule as the client sent it; a `type` in it is ignored.

    Raises:
        InvalidField: names the field, `config.threshold` for one.
    """
    kind = _CONFIGS.get(rule_type)
    if kind is None:
        raise InvalidField("config.type", f"config.type must be one of {', '.join(_CONFIGS)}")
    unread = {name: _read(name, value) for name, value in given.items() if name != "type" and value is not None}
    values = {f.name: unread.pop(f.name, None if f.required else f.default) for f in _fields(kind)}
    try:
        config = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _refusal(kind, values, error) from None
    if unread:  # RULE-1
        raise _invalid(min(unread), "is not known for this type of rule")
    return config


def _read(name: str, value: Any) -> Any:
    """Blank text becomes None, sources become lower case, and 5.0 becomes 5."""
    if isinstance(value, str) and name in _TEXTS:
        value = value.strip() or None
        return value.lower() if value and name == "source" else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _refusal(kind: type[RuleConfig], values: Mapping[str, Any], error: msgspec.ValidationError) -> InvalidField:
    """msgspec's refusal in the words of the API."""
    match = _FIELD_AT_FAULT.search(str(error))
    assert match is not None, error
    name = match[1]
    if values[name] is None:
        return _invalid(name, "is required")
    if name not in _TEXTS:
        _, limits = get_args(get_type_hints(kind, include_extras=True)[name])
        return _invalid(name, f"must be {limits.description}")
    is_too_long = isinstance(values[name], str)
    return _invalid(name, f"must be at most {TEXT_LENGTH_MAX} characters" if is_too_long else "must be a string")


def _invalid(name: str, reason: str) -> InvalidField:
    return InvalidField(f"config.{name}", f"config.{name} {reason}")
