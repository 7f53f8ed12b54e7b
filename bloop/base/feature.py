"""What the list of features (bloop/features.py) says of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Feature:
    """Values are names, `module:object`, so that whoever needs one thing of a feature imports that thing only."""

    name: str  # of its room
    routes: str = ""  # mount(routes, deps): adds its API and its pages
    hooks: Mapping[str, str] = field(default_factory=dict)  # what the kit of pages calls, a field of `Hooks` each
    commands: Mapping[str, str] = field(default_factory=dict)  # of `bloop`, by name
