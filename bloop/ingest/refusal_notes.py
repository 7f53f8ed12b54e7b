"""Notes about refused requests, from the ingest workers to the page that shows the latest of them.

A note goes through the ring like an event does, so nothing here waits. Notes are samples: the ledger counts every
refusal, these show what some of them looked like.

NOTES-1  At most PER_SECOND notes per worker and outcome: a flood of bad requests costs a dictionary look-up each.
NOTES-2  A note says nothing secret or personal: the first characters of a key, the network of a public address, the
    length of the body but not the body.
NOTES-3  A note that finds no room is forgotten.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from bloop.base.client_address import ClientAddresses, parse_address
from bloop.base.outcomes import Outcome
from bloop.records.record import Kind, Rejection, Sink, encode_rejection

PER_SECOND = 5
DETAIL_CHARS_MAX = 200
USER_AGENT_CHARS_MAX = 120
OWN_KEY_START = "bloop_"
KEY_CHARS_MAX = 12  # of a key bloop made: six of them random
FOREIGN_KEY_CHARS_MAX = 4  # of anything else, perhaps a self-made secret

_PREFIX_BITS = {4: 24, 6: 48}  # what belongs to a provider or a company rather than to a person


class Rejections:
    """One per worker. Threads may share it: at worst a note too many is made."""

    def __init__(self, sink: Sink, addresses: ClientAddresses) -> None:
        self._sink, self._addresses = sink, addresses
        self._second: dict[Outcome, tuple[int, int]] = {}  # outcome → (second, notes made in it)

    def note(
        self, project_id: int, outcome: Outcome, detail: str, claimed: str, env: Mapping[str, Any], now_ms: int
    ) -> None:
        """Push a note about a refused request, unless this second has enough of its kind (NOTES-1)."""
        second, made = self._second.get(outcome, (0, 0))
        if second != now_ms // 1000:
            second, made = now_ms // 1000, 0
        if made >= PER_SECOND:
            return
        self._second[outcome] = (second, made + 1)
        rejection = Rejection(
            project_id=project_id,
            rejected_at_ms=now_ms,
            outcome=outcome,
            detail=_text(detail, DETAIL_CHARS_MAX),
            key_prefix=key_prefix(claimed),
            size_bytes=_length(env.get("CONTENT_LENGTH", "")),
            client=network_of(self._addresses.of(env)),
            user_agent=_text(env.get("HTTP_USER_AGENT", ""), USER_AGENT_CHARS_MAX),
        )
        self._sink.push(Kind.NOTE, encode_rejection(rejection))


def key_prefix(key: str) -> str:
    """Enough of a key to recognise it by: `bloop_3f81a2…`."""
    shown = _text(key, KEY_CHARS_MAX if key.startswith(OWN_KEY_START) else FOREIGN_KEY_CHARS_MAX)
    return f"{shown}…" if len(key) > len(shown) else shown


def network_of(address: str) -> str:
    """The network of an address: `203.0.113.0/24`, `2001:db8:7::/48`. Private and special addresses stay whole."""
    parsed = parse_address(address)
    if parsed is None:
        return ""
    if not parsed.is_global:
        return str(parsed)
    return str(ipaddress.ip_network((int(parsed), _PREFIX_BITS[parsed.version]), strict=False))


def _text(text: str, chars_max: int) -> str:
    """Text that can be encoded, whatever a header or a JSON body held."""
    return text[:chars_max].encode("utf-8", "replace").decode()


def _length(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
