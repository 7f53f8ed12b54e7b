"""What a record of an event costs to make and to read, and how long it is; with a language that no dictionary has seen.

Times are of events just parsed, as in an ingest worker: a run over events parsed long before measures memory instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bloop.base.clock import now_ms
from bloop.base.json_body import decode_json
from bloop.bench.corpus import Corpus, Language
from bloop.grouping.fingerprint_v1 import ALGORITHM, compute
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.records import event_record
from bloop.records.dictionary import Dictionary, shipped
from bloop.records.event import Event
from bloop.records.event_record import CODEC, START, EventCodec, RecordStart
from bloop.records.training import train

BLOCK = 100  # events that are parsed and then encoded
TRAINED_ON = 4_000

# Elixir: nothing in benchmarks/dictionary_text.py looks like it.
UNSEEN = Language(
    "elixir",
    ("KeyError", "FunctionClauseError", "DBConnection.ConnectionError", "Ecto.NoResultsError"),
    (
        "key :{noun} not found in struct %d of node 10.7.%d.3, ref f1e2d3c4-b5a6-4978-8c9d-%012x",
        "no function clause matching in {verb}_{noun}/2 for %d from 10.6.%d.9, ref 0a1b2c3d-4e5f-4a6b-9c8d-%012x",
    ),
    "",
    "    (shop 0.9.2) lib/shop/{place}/{noun}.ex:{line}: Shop.{noun_}.{verb}_{noun}/2\\n",
    "    (phoenix 1.7.10) lib/phoenix/router.ex:{line}: Phoenix.Router.__call__/5\\n",
    "/{place}/{noun}",
    "",
)


class Sample(NamedTuple):
    """Events of one corpus and what clients sent for them."""

    fingerprints: list[str]
    events: list[Event]
    sent_bytes: int


def sample(count: int, corpus: Corpus, start: int = 0) -> Sample:
    at_ms, limits = now_ms(), Limits()
    fingerprints, events, sent_bytes = [], [], 0
    for n in range(start, start + count):
        body = corpus.body(n)
        sent_bytes += len(body)
        parsed, _ = parse_event(decode_json(body), limits, at_ms)
        fingerprints.append(compute(parsed.source, parsed.error_type, parsed.route, parsed.message, parsed.stack))
        events.append(parsed)
    return Sample(fingerprints, events, sent_bytes)


def _encoded(found: Sample, dictionary: Dictionary) -> list[bytes]:
    return [
        event_record.encode(1, 1, fingerprint, ALGORITHM, event, dictionary)
        for fingerprint, event in zip(found.fingerprints, found.events, strict=True)
    ]


def _us_per_event(work: Callable[[], object], events: int) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) / events * 1e6


def _time(count: int, corpus: Corpus) -> tuple[float, float, float]:
    """µs of CPU for an event: encoded, its head read, decoded."""
    encoding = heads = decoding = 0.0
    for start in range(0, count, BLOCK):
        block = sample(BLOCK, corpus, start)
        records: list[bytes] = []
        encoding += _us_per_event(lambda: records.extend(_encoded(block, shipped())), count)
        heads += _us_per_event(lambda: [_heads(r) for r in records], count)
        decoding += _us_per_event(lambda: [event_record.decode(r, lambda _: shipped()) for r in records], count)
    return encoding, heads, decoding


def _print_size(label: str, found: Sample, dictionary: Dictionary) -> None:
    records: Sequence[bytes] = _encoded(found, dictionary)
    count = len(records)
    starts, codecs = zip(*map(_heads, records), strict=True)
    dims_bytes = sum(start.dims_bytes for start in starts) / count
    body_bytes = sum(map(len, records)) / count - START.size - dims_bytes
    clear_bytes = CODEC.size + sum(codec.search_bytes for codec in codecs) / count
    sent_bytes = found.sent_bytes / count
    print(
        f"{label:44}{sent_bytes:7.0f}{dims_bytes:7.0f}{body_bytes:7.0f}{clear_bytes:7.0f}"
        f"{body_bytes - clear_bytes:8.0f}"
        f"   {body_bytes / sent_bytes:.2f}"
    )


def _heads(record: bytes) -> tuple[RecordStart, EventCodec]:
    start = event_record.read_start(record)
    return start, event_record.read_codec(record, START.size + start.dims_bytes)


def report(count: int) -> None:
    """Print times and sizes."""
    corpus = Corpus(timestamp_ms=now_ms() - 3_600_000)
    encoding, heads, decoding = _time(count, corpus)
    print(f"µs of CPU an event: encode {encoding:.1f}, read the head {heads:.1f}, decode {decoding:.1f}\n")
    print(f"{'bytes an event':44}{'sent':>7}{'dims':>7}{'body':>7}{'clear':>7}{'packed':>8}   body of sent")
    own = train(sample(TRAINED_ON, corpus, count).events)
    assert own is not None, "this is text enough"
    for language, made in (("corpus", corpus), ("unseen language", Corpus(languages=(UNSEEN,)))):
        found = sample(count, made)
        _print_size(f"{language}, shipped dictionary", found, shipped())
        if made is corpus:
            _print_size(f"{language}, dictionary trained on the corpus", found, own)
