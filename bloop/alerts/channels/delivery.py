"""What a channel needs for one attempt: outbound connections, the message key, the settings, the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bloop.base.config import Settings
from bloop.outbound.http import HttpAnswer, post
from bloop.outbound.sockets import Outbound

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Delivery:
    settings: Settings
    out: Outbound
    key: str  # a UUID, the same in every attempt, so that receivers recognise a repeat
    now_ms: Callable[[], int]

    def now_s(self) -> float:
        return self.now_ms() / 1000

    def post(self, url: str, body: bytes, headers: Mapping[str, str], content_type: str = JSON) -> HttpAnswer:
        """Raises: OutboundRefused, Unreachable."""
        return post(self.out, url, body, {**headers, "Content-Type": content_type, "Idempotency-Key": self.key})

    def post_json(self, url: str, value: Any) -> HttpAnswer:
        """Raises: OutboundRefused, Unreachable."""
        return self.post(url, orjson.dumps(value), {})


def json_object(answer: HttpAnswer) -> dict[str, Any]:
    """The object in an answer's body; {} when there is none."""
    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
