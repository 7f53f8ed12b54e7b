"""Making a dictionary out of events: of the lines of their stacks and the keys of their metadata, and nothing else.

TRAINING-1  No message and no value enters a dictionary, which is kept for ever and stands in every backup. A line of a
    stack is taken when it has the shape of a frame; a key, when it looks like a name. Query strings of URLs are cut
    off.
TRAINING-2  Lines and keys that fewer than `EVENTS_MIN` of the events have in common are not taken.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import orjson
import zstandard

from bloop.records.dictionary import CONTENT_BYTES_MAX, Dictionary
from bloop.records.event import Event

EVENTS_MIN = 3
SAMPLES_MIN = 64  # fewer make no dictionary: zstd wants some text for each of its guesses

# How frames begin, or end, in the languages people use. What has another shape may be a line of a message.
_FRAME = re.compile(
    r"""\s*at\ \S.*[:)\]]\S*$                   # JavaScript, Java, Kotlin, .NET
      | \s+File\ "[^"]+",\ line\ \d+,\ in\ \S+$ # Python
      | \s*\d+[:\ ]\s*\S+\s+0x[0-9a-f]+\ .*$    # Swift, Objective-C
      | \s*\d+:\s+(?:0x[0-9a-f]+\ -\ )?\S+$     # Rust
      | \s*(?:from\ )?\S+:\d+:in\ [`'].*'$      # Ruby
      | \s*\S+\.go:\d+(?:\ \+0x[0-9a-f]+)?$     # Go
      | \s*[\w.]+/\S+\(.*\)$                    # Go, the function
      | \s*\#\d+\ \S+\(\d+\):\ \S+$             # PHP
      | \s*\S*@\S+:\d+:\d+$                     # Firefox, Safari
    """,
    re.VERBOSE,
)
_QUERY = re.compile(r"\?[^\s:)]*")
_KEY = re.compile(r"[A-Za-z_][\w.-]{1,39}")


def train(events: Iterable[Event]) -> Dictionary | None:
    """A dictionary for events like these; None when they have too little in common."""
    samples = _common([sample_of(event) for event in events])
    if len(samples) < SAMPLES_MIN:
        return None
    rng = random.Random(len(samples))  # noqa: S311
    return train_on([_noise(rng) + b"\n".join(sample) for sample in samples])


def train_on(samples: Sequence[bytes]) -> Dictionary | None:
    """A dictionary for text like this, which the caller answers for (TRAINING-1)."""
    try:
        trained = zstandard.train_dictionary(CONTENT_BYTES_MAX, list(samples), level=1)
    except zstandard.ZstdError:  # too little text, or all of it the same
        return None
    return Dictionary(trained.as_bytes())


def sample_of(event: Event) -> list[str]:
    """The frames of its stack and the keys of its metadata (TRAINING-1)."""
    lines = [_QUERY.sub("", line) for line in (event.stack or "").splitlines() if _FRAME.fullmatch(line)]
    return [*lines, *(f'"{key}":' for key in _keys_of(event.metadata))]


def _noise(rng: random.Random) -> bytes:
    """Numbers as messages and values have them: zstd learns from samples how frequent each character is."""
    number, octet, short, long = (rng.getrandbits(bits) for bits in (20, 8, 32, 48))
    return f"{number} 10.0.{octet}.1 {short:08x}-{long:012x}\n".encode()


def _keys_of(metadata: str | None) -> list[str]:
    if metadata is None:
        return []
    try:
        value = orjson.loads(metadata)
    except orjson.JSONDecodeError:
        return []
    return [key for key in value if _KEY.fullmatch(key)] if type(value) is dict else []


def _common(samples: list[list[str]]) -> list[list[bytes]]:
    """The samples without the lines that too few others have (TRAINING-2)."""
    counts = Counter(line for sample in samples for line in set(sample))
    kept = ([line.encode() for line in sample if counts[line] >= EVENTS_MIN] for sample in samples)
    return [sample for sample in kept if sample]
