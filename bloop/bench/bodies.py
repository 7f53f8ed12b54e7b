"""Event bodies of several sizes: the corpus, smaller, larger, in other scripts, and all of these in turn."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from bloop.bench.corpus import ISSUES, Corpus

LARGE_METADATA_BYTES = 3000  # below `ingest.max_metadata_bytes` with its keys
LARGE_STACK_BYTES = 5000  # on top of the corpus' own, together below `ingest.max_stack_bytes`

_FRAME = "    at handle (/srv/app/node_modules/framework/lib/layer.js:95:5)\\n"  # as JSON has it
_FOREIGN = "注文の処理に失敗しました · заказ не найден · تعذّر الدفع · 🛒🔥 "


class Body(StrEnum):
    TYPICAL = "typical"  # 0.6 to 2.5 KB, with a stack, in four languages
    SMALL = "small"  # 0.2 KB, no stack
    LARGE = "large"  # 10 KB: a deep stack and much metadata
    FOREIGN = "foreign"  # message and metadata in other scripts, as UTF-8
    MIXED = "mixed"  # each of these in turn


class Bodies(Protocol):
    def event(self, n: int) -> tuple[bytes, ...]:
        """The JSON of event `n`, in pieces."""
        ...


def bodies(body: Body, run: str, timestamp_ms: int, issues: int = ISSUES) -> Bodies:
    """The events of a run. Typical ones are of `issues` issues, the others of a few dozen."""
    corpus = Corpus(run, issues=issues, timestamp_ms=timestamp_ms)
    kinds: dict[Body, Bodies] = {
        Body.TYPICAL: corpus,
        Body.SMALL: _Small(run, timestamp_ms),
        Body.LARGE: _Large(corpus),
        Body.FOREIGN: _Foreign(run, timestamp_ms),
    }
    return kinds.get(body) or _Mixed(tuple(kinds.values()))


class _Small:
    def __init__(self, run: str, timestamp_ms: int) -> None:
        self._run, self._timestamp_ms = run, timestamp_ms

    def event(self, n: int) -> tuple[bytes, ...]:
        text = (
            f'{{"timestamp":{self._timestamp_ms + (n >> 3)},"source":"api","environment":"production",'
            f'"release":"4.0.0","error_type":"Timeout{n % 40}","message":"no answer within {n % 900} ms",'
            f'"request_id":"{self._run}-{n}"}}'
        )
        return (text.encode(),)


class _Foreign:
    def __init__(self, run: str, timestamp_ms: int) -> None:
        self._run, self._timestamp_ms = run, timestamp_ms

    def event(self, n: int) -> tuple[bytes, ...]:
        text = (
            f'{{"timestamp":{self._timestamp_ms + (n >> 3)},"source":"android","environment":"production",'
            f'"release":"4.0.0","error_type":"ОшибкаОплаты{n % 40}","message":"{_FOREIGN}{n}",'
            f'"metadata":{{"имя":"Ærøskøbing","注":"{_FOREIGN * 4}"}},"request_id":"{self._run}-{n}"}}'
        )
        return (text.encode(),)


class _Large:
    """The event of the corpus with longer metadata and stack; the added bytes are one shared object."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._stack = (_FRAME * (LARGE_STACK_BYTES // len(_FRAME))).encode()
        self._metadata = b'"metadata":{"state":"' + b"x" * LARGE_METADATA_BYTES + b'",'

    def event(self, n: int) -> tuple[bytes, ...]:
        own, shared = self._corpus.event(n)
        return own.replace(b'"metadata":{', self._metadata, 1), self._stack, shared


class _Mixed:
    def __init__(self, kinds: tuple[Bodies, ...]) -> None:
        self._kinds = kinds

    def event(self, n: int) -> tuple[bytes, ...]:
        return self._kinds[n % len(self._kinds)].event(n)
