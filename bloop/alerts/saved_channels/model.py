"""Names of channels. Pure.

CHANNEL-NAME-1  A saved channel has a name, unique among those of its project or those for all projects. A channel that
    the API made by attaching a config to a rule has none: it is shown by its label and goes with its last rule.
"""

from __future__ import annotations

from collections.abc import Container

from bloop.alerts.rules.words import channel_label
from bloop.base.errors import InvalidField

NAME_LENGTH_MAX = 100


def default_name(channel_type: str, target: str, taken: Container[str]) -> str:
    """`Slack hooks.slack.com`, with the next free number where that is taken."""
    label = channel_label(channel_type, target)[: NAME_LENGTH_MAX - 6].strip()
    name, number = label, 1
    while name in taken:
        number += 1
        name = f"{label} {number}"
    return name


def validated_name(name: str) -> str:
    """The name as stored: trimmed.

    Raises:
        InvalidField: it is empty, too long, or has a line break.
    """
    name = name.strip()
    if not name:
        raise InvalidField("name", "name is required")
    if len(name) > NAME_LENGTH_MAX:
        raise InvalidField("name", f"name must be at most {NAME_LENGTH_MAX} characters")
    if not name.isprintable():
        raise InvalidField("name", "name must be one line of text")
    return name
