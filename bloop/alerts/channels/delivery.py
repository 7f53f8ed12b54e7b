"""What a channel needs for one attempt: outbound connections, the message key, the settings, the time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from bloop.alerts.channels.results import excerpt_of
from bloop.base.config import Settings
from bloop.outbound.http import HttpAnswer, post
from bloop.outbound.sockets import Outbound

JSON = "application/json"
SECRET_CHARS_MIN = 8  # shorter texts are words: taking them out would make answers unreadable

_OPEN = frozenset(("to", "chat_id", "thread_id", "template", "content_type"))  # no secrets
_SEPARATORS = re.compile(r"[/?&=\s]")
_ORIGIN = re.compile(r"^https?://[^/?]*")


@dataclass(frozen=True, slots=True)
class Delivery:
    settings: Settings
    out: Outbound
    key: str  # a UUID, the same in every attempt, so that receivers recognise a repeat
    now_ms: Callable[[], int]
    secrets: frozenset[str] = frozenset()  # texts of the config that no answer may repeat (RESULT-3)

    def now_s(self) -> float:
        return self.now_ms() / 1000

    def post(self, url: str, body: bytes, headers: Mapping[str, str], content_type: str = JSON) -> HttpAnswer:
        """Raises: OutboundRefused, Unreachable."""
        answer = post(self.out, url, body, {**headers, "Content-Type": content_type, "Idempotency-Key": self.key})
        if not answer.may_be_quoted:
            return answer
        return replace(answer, excerpt=excerpt_of(answer.body.decode("utf-8", "replace"), self.secrets))

    def post_json(self, url: str, value: Any) -> HttpAnswer:
        """Raises: OutboundRefused, Unreachable."""
        return self.post(url, orjson.dumps(value), {})


def secrets_in(config: Mapping[str, Any]) -> frozenset[str]:
    """The texts of a config that an answer may not repeat: values, and what a URL has behind its host."""
    if not isinstance(config, Mapping):  # CHANNEL-2: it did not come from `check`
        return frozenset()
    texts = {text for name, value in config.items() if name not in _OPEN for text in _leaves(value)}
    parts = {part for text in texts for part in _SEPARATORS.split(_ORIGIN.sub("", text))}
    return frozenset(text for text in texts | parts if len(text) >= SECRET_CHARS_MIN)


def _leaves(value: Any) -> list[str]:
    return [*map(str, value.values())] if isinstance(value, Mapping) else [str(value)]


def json_object(answer: HttpAnswer) -> dict[str, Any]:
    """The object in an answer's body; {} when there is none."""
    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
