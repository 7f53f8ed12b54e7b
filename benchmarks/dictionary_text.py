"""The text that the shipped dictionary is trained on, and the training: `python -m benchmarks dictionary FILE`.

Stacks as well-known frameworks print them, in nine languages, with invented names of an application's own code:
dictionary_text.json. None of it comes from the benchmark's corpus (bloop/bench/corpus.py), whose events must meet a
dictionary made elsewhere; the frames that every application of a framework prints are in both.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bloop.records.dictionary import Dictionary
from bloop.records.training import train_on

SAMPLES = 12_000
SEED = 20_260_401

_TEXT = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_WORDS, _VERBS, _AREAS, _ROOTS, _KEYS = (_TEXT[name].split() for name in ("words", "verbs", "areas", "roots", "keys"))
_SUFFIXES = _TEXT["suffixes"]  # of messages: what they are about
_LANGUAGES = list(_TEXT["languages"].values())


class _Names(NamedTuple):
    """Invented names of one sample: an application has its own few."""

    words: list[str]
    verbs: list[str]
    areas: list[str]
    root: str  # the folder it runs from


_pack: Callable[[object], bytes] = msgspec.msgpack.encode


def samples(count: int = SAMPLES) -> list[bytes]:
    """What the rest of an event's record looks like (bloop/records/event_record.py), before it is compressed."""
    rng = random.Random(SEED)
    return [_sample(rng, _LANGUAGES[number % len(_LANGUAGES)]) for number in range(count)]


def made() -> Dictionary:
    """The dictionary that is shipped. The same code and the same zstd make the same bytes."""
    dictionary = train_on(samples())
    assert dictionary is not None, "this is text enough"
    return dictionary


def _sample(rng: random.Random, language: dict[str, Any]) -> bytes:
    names = _Names(rng.sample(_WORDS, 3), rng.sample(_VERBS, 4), rng.sample(_AREAS, 2), rng.choice(_ROOTS))
    error_type = rng.choice(language["types"].split())
    message = _filled(rng, names, rng.choice(language["messages"]) + rng.choice(_SUFFIXES), 0)
    own = [rng.choice(language["own"]) for _ in range(rng.randint(1, 5))]
    foreign = [rng.choice(language["foreign"]) for _ in range(rng.randint(2, 10))]
    frames = [*foreign, *own] if language["own_last"] else [*own, *foreign]
    stack = language["head"].format(t=error_type, m=message)
    stack += "".join(_filled(rng, names, frame, number) for number, frame in enumerate(frames))
    version = f"{rng.randint(0, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}"
    metadata = ",".join(f'"{key}":{_value(rng, names)}' for key in rng.sample(_KEYS, rng.randint(1, 5)))
    screen = rng.choice(names.words).capitalize() + rng.choice(("View", "Screen", "Fragment", "Activity", "Page"))
    fields = (error_type, message, stack, rng.choice((None, screen)), version, None, f"{{{metadata}}}")
    return _pack(fields)


def _value(rng: random.Random, names: _Names) -> str:
    word, number = rng.choice(names.words), rng.randint(0, 99_999)
    return rng.choice(("true", "false", "null", f'"{word}"', f'["{word}"]', str(number), f'"{_uuid(rng)}"'))


def _filled(rng: random.Random, names: _Names, text: str, number: int) -> str:
    word, verb, area = rng.choice(names.words), rng.choice(names.verbs), rng.choice(names.areas)
    return text.format(
        w=word,
        W=word.capitalize(),
        v=verb,
        V=verb.capitalize(),
        a=area,
        A=area.capitalize(),
        l=rng.randint(5, 999),
        c=rng.randint(1, 60),
        n=rng.randint(1_000, 99_999),
        x=f"{rng.getrandbits(24):06x}",
        i=number,
        k=rng.randint(1, 9_999_999),
        u=_uuid(rng),
        h=f"{rng.getrandbits(64):016x}",
        p=f"{rng.choice((10, 172, 192))}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
        r=names.root,
        t="",
        m="",
    )


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
