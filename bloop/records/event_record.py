"""The bytes of one event, from the ring to its row, in which they stay as they are.

    head      57 B   project, received at, timestamp, fingerprint, user key; codec, lengths, dictionary
    dims             release, environment, source, route: a MessagePack array
    identity         the fingerprint's text, unless it is the head's number in sixteen hex digits
    search           what is searched and filtered, never compressed: a MessagePack array
    rest             everything else: a MessagePack array, compressed where that makes it shorter

All integers are little-endian; fingerprint and user key are signed, as SQLite's are. The body of a row is what follows
the five numbers at the start: those have columns of their own, or are told from the rest.

V1  What `encode` wrote, `decode` gives back equal, in this release and in every later one: the codec's version is in
    the head, arrays and tables of names are only ever appended to, and a version or a dictionary that this code does
    not know is an UnreadableRecord.
V2  The writer stores, counts and groups an event by its head and its dims; only the first event of a new issue is
    decoded. Equal dims are equal bytes.
V3  The fingerprint's number only finds candidates: clients choose fingerprints, and can craft two texts with one
    number. Texts are compared before an event joins an issue. Sixteen lower-case hex digits are their own number.
V4  Hashes of metadata say where to look. A hit is checked against the event.
"""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
import orjson
import xxhash

from bloop.base.errors import UnreadableRecord
from bloop.records.dictionary import Dictionary
from bloop.records.event import Event, Parts

FINGERPRINT_BY_CLIENT = "client"
# What made the fingerprint, by the number that stands for it in the head. Append only, as the three below.
ALGORITHMS = ("", FINGERPRINT_BY_CLIENT, "v1")

# Names so common that a number stands for them: 20 bytes less for an event.
ENVIRONMENTS = ("production", "staging", "development", "test", "prod", "dev", "local", "preview", "qa", "testing")
SOURCES = (
    *("api", "ios", "android", "python", "ruby", "rust", "javascript", "node", "browser", "java", "kotlin", "swift"),
    *("go", "php", "csharp", "dotnet", "react", "react-native", "flutter", "dart", "web", "server", "backend"),
)
LEVELS = ("fatal", "error", "warning", "info", "debug")

VERSION = 1
IS_PACKED = 1  # flag: the rest is compressed with the head's dictionary
HAS_TEXT = 2  # flag: the fingerprint is the text in `identity`
METADATA_HASHES_MAX = 16
METADATA_HASH_BYTES = 4
NO_USER = 0

HEAD = struct.Struct("<qqqqqBBBHHHII")
BODY_AT = 40  # bytes

_T = TypeVar("_T")

_HEX_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_HEX_CHARS_MIN = 16  # shorter ids are not worth a look
_MASK = 2**64 - 1


class Head(NamedTuple):
    """The fixed part, in the order of its bytes."""

    project_id: int
    received_at_ms: int
    timestamp_ms: int  # the client's clock
    fingerprint: int  # `fingerprint_number`
    user_key: int  # NO_USER: neither a user nor a device is known
    version: int
    flags: int
    algorithm: int  # index of ALGORITHMS
    dims_bytes: int
    identity_bytes: int
    search_bytes: int
    rest_bytes: int  # before it was compressed
    dictionary_id: int  # 0: none


class Dims(NamedTuple):
    """What events are counted by."""

    release: str
    environment: str
    source: str
    route: str | None


class EventRecord(NamedTuple):
    """An event that was answered `accepted`, whole."""

    project_id: int
    received_at_ms: int
    fingerprint: str
    algorithm: str  # which code made the fingerprint: one of ALGORITHMS
    event: Event


class _Dims(msgspec.Struct, array_like=True, frozen=True, gc=False):
    release: str
    environment: str | int  # index of ENVIRONMENTS
    source: str | int  # index of SOURCES
    route: str | None


class _Search(msgspec.Struct, array_like=True, frozen=True, gc=False):
    level: str | int  # index of LEVELS
    http_status: int | None
    request_id: Any  # text, bytes (see `_shorter`) or nothing: msgspec takes no union of text and bytes
    user_id_hash: Any
    device_id_hash: Any
    event_id: Any = None
    metadata_hashes: bytes = b""


class _Rest(msgspec.Struct, array_like=True, frozen=True, gc=False):
    error_type: str
    message: str
    stack: str | None
    screen: str | None
    app_version: str | Literal[0] | None  # 0: the release
    build_number: str | None
    metadata: str | None
    parts: Parts | None = None


DictionaryOf = Callable[[int], Dictionary | None]  # by its id; None when there is none

_xxh32 = xxhash.xxh32_digest
_pack = msgspec.msgpack.Encoder().encode
_read_dims = msgspec.msgpack.Decoder(_Dims).decode
_read_search = msgspec.msgpack.Decoder(_Search).decode
_read_rest = msgspec.msgpack.Decoder(_Rest).decode
_algorithm_number = {name: number for number, name in enumerate(ALGORITHMS)}
_environment_number = {name: number for number, name in enumerate(ENVIRONMENTS)}.get
_source_number = {name: number for number, name in enumerate(SOURCES)}.get
_level_number = {name: number for number, name in enumerate(LEVELS)}.get


def encode(
    project_id: int, received_at_ms: int, fingerprint: str, algorithm: str, event: Event, dictionary: Dictionary
) -> bytes:
    """The record of `event`, packed with `dictionary`. `algorithm` is one of ALGORITHMS."""
    dims = encode_dims(event.release, event.environment, event.source, event.route)
    identity, flags = b"", 0
    if _HEX_FINGERPRINT.fullmatch(fingerprint) is None:
        identity, flags = fingerprint.encode(), HAS_TEXT
    search = _encode_search(event)
    plain = _encode_rest(event)
    packed, dictionary_id = dictionary.pack(plain), dictionary.id
    if len(packed) < len(plain):
        flags |= IS_PACKED
    else:
        packed, dictionary_id = plain, 0
    head = HEAD.pack(
        project_id,
        received_at_ms,
        event.timestamp_ms,
        fingerprint_number(fingerprint),
        user_key(event.user_id_hash, event.device_id_hash),
        VERSION,
        flags,
        _algorithm_number[algorithm],
        len(dims),
        len(identity),
        len(search),
        len(plain),
        dictionary_id,
    )
    return b"".join((head, dims, identity, search, packed))


def read_head(payload: bytes) -> Head:
    """The fixed part, of a version this code knows; the lengths in it fit the record.

    Raises:
        UnreadableRecord: it is not the record of an event, or of a codec that came later.
    """
    try:
        head = Head._make(HEAD.unpack_from(payload))
    except struct.error as error:
        raise UnreadableRecord("record of an event is cut short") from error
    if head.version != VERSION:
        raise UnreadableRecord(f"event of codec {head.version} is not known to this version")
    if HEAD.size + head.dims_bytes + head.identity_bytes + head.search_bytes > len(payload):
        raise UnreadableRecord("record of an event is cut short")
    return head


def decode(payload: bytes, dictionary_of: DictionaryOf) -> EventRecord:
    """The record back.

    Raises:
        UnreadableRecord: it is not what `encode` of this or an earlier release wrote, or its dictionary is missing.
    """
    head = read_head(payload)
    event = _decode_event(payload, head, HEAD.size, dictionary_of)
    return EventRecord(
        head.project_id, head.received_at_ms, fingerprint_text(head, payload), algorithm_name(head), event
    )


def decode_body(body: bytes, timestamp_ms: int, dictionary_of: DictionaryOf) -> Event:
    """The event of a row, whose `body` is its record from BODY_AT on.

    Raises:
        UnreadableRecord: as for `decode`.
    """
    return _decode_event(body, _body_head(body, timestamp_ms), HEAD.size - BODY_AT, dictionary_of)


def body_parts(body: bytes) -> tuple[bytes, int]:
    """The dims and the user key of a row: what its counters need.

    Raises:
        UnreadableRecord: as for `decode`.
    """
    head = _body_head(body, 0)
    start = HEAD.size - BODY_AT
    search_at = start + head.dims_bytes + head.identity_bytes
    search = _decoded(_read_search, body[search_at : search_at + head.search_bytes])
    key = user_key(_longer(search.user_id_hash), _longer(search.device_id_hash))
    return body[start : start + head.dims_bytes], key


def encode_dims(release: str, environment: str, source: str, route: str | None) -> bytes:
    return _pack((release, _environment_number(environment, environment), _source_number(source, source), route))


def decode_dims(dims: bytes) -> Dims:
    """Raises: UnreadableRecord."""
    read = _decoded(_read_dims, dims)
    return Dims(read.release, _named(ENVIRONMENTS, read.environment), _named(SOURCES, read.source), read.route)


def algorithm_name(head: Head) -> str:
    """Raises: UnreadableRecord: a later release made the fingerprint."""
    return _named(ALGORITHMS, head.algorithm)


def fingerprint_text(head: Head, payload: bytes) -> str:
    """The fingerprint as clients and pages know it (V3)."""
    if not head.flags & HAS_TEXT:
        return f"{head.fingerprint & _MASK:016x}"
    start = HEAD.size + head.dims_bytes
    try:
        return payload[start : start + head.identity_bytes].decode()
    except UnicodeDecodeError as error:
        raise UnreadableRecord(f"fingerprint of an event does not decode: {error}") from error


def fingerprint_number(fingerprint: str) -> int:
    """The 64 bits a fingerprint is looked up by (V3), signed."""
    if _HEX_FINGERPRINT.fullmatch(fingerprint) is not None:
        return _signed(int(fingerprint, 16))
    return _signed(xxhash.xxh3_64_intdigest(fingerprint.encode()))


def user_key(user_id_hash: str | None, device_id_hash: str | None) -> int:
    """64 bits that stand for the person, or for the device when nobody is signed in; NO_USER when neither is known.

    The upper half of an XXH3-128, which is what was stored before as 16 bytes: people stay the same people. Among a
    million users of one issue two are taken for one with a probability of 3 in 100 million.
    """
    if user_id_hash is not None:
        digest = xxhash.xxh3_128_intdigest(user_id_hash.encode())
    elif device_id_hash is not None:
        digest = xxhash.xxh3_128_intdigest(b"device:" + device_id_hash.encode())
    else:
        return NO_USER
    return _signed(digest >> 64) or 1


def metadata_hash(key: str, value: str) -> bytes:
    """What `key=value` is looked for by (V4). Four bytes find one event in a thousand million too many."""
    return _xxh32(f"{key}={value}".encode())


def _encode_search(event: Event) -> bytes:
    level, request_id, user_id = event.level, event.request_id, event.user_id_hash
    device_id, event_id = event.device_id_hash, event.event_id
    found: tuple[object, ...] = (
        _level_number(level, level),
        event.http_status,
        None if request_id is None else _shorter(request_id),
        None if user_id is None else _shorter(user_id),
        None if device_id is None else _shorter(device_id),
    )
    if event.metadata is not None or event.parts is not None:
        found = (*found, None if event_id is None else _shorter(event_id), _metadata_hashes(event))
    elif event_id is not None:
        found = (*found, _shorter(event_id))
    return _pack(found)


def _encode_rest(event: Event) -> bytes:
    version = event.app_version
    rest = (
        event.error_type,
        event.message,
        event.stack,
        event.screen,
        0 if version == event.release else version,
        event.build_number,
        event.metadata,
    )
    return _pack(rest if event.parts is None else (*rest, event.parts))


def _body_head(body: bytes, timestamp_ms: int) -> Head:
    return read_head(b"\0" * BODY_AT + body)._replace(timestamp_ms=timestamp_ms)


def _decode_event(data: bytes, head: Head, dims_at: int, dictionary_of: DictionaryOf) -> Event:
    """`data` is a record, or the body of a row; its dims begin at `dims_at`."""
    identity_at = dims_at + head.dims_bytes
    search_at = identity_at + head.identity_bytes
    rest_at = search_at + head.search_bytes
    plain = data[rest_at:]
    if head.flags & IS_PACKED:
        dictionary = dictionary_of(head.dictionary_id)
        if dictionary is None:
            raise UnreadableRecord(f"dictionary {head.dictionary_id} of an event is missing")
        plain = dictionary.unpack(plain, head.rest_bytes)
    dims = decode_dims(data[dims_at:identity_at])
    search = _decoded(_read_search, data[search_at:rest_at])
    rest = _decoded(_read_rest, plain)
    return Event(
        head.timestamp_ms,
        dims.source,
        dims.environment,
        dims.release,
        rest.error_type,
        rest.message,
        rest.stack,
        dims.route,
        rest.screen,
        search.http_status,
        _longer(search.request_id),
        _longer(search.user_id_hash),
        _longer(search.device_id_hash),
        dims.release if rest.app_version == 0 else rest.app_version,
        rest.build_number,
        rest.metadata,
        _named(LEVELS, search.level),
        _longer(search.event_id),
        rest.parts,
    )


def _metadata_hashes(event: Event) -> bytes:
    """Of tags, then of what stands at the top of the metadata: text, numbers and truth, also one by one in a list."""
    pairs: list[tuple[str, object]] = []
    if event.parts is not None and event.parts.tags:
        pairs += event.parts.tags.items()
    if event.metadata is not None and event.metadata.startswith("{"):
        with contextlib.suppress(orjson.JSONDecodeError):  # an old record's, maybe: there is nothing to look for
            pairs += orjson.loads(event.metadata).items()
    lines: list[str] = []
    for key, value in pairs[:METADATA_HASHES_MAX]:
        for element in value if type(value) is list else (value,):
            kind = type(element)
            if kind is str or kind is int or kind is float:
                lines.append(f"{key}={element}")
            elif kind is bool:
                lines.append(f"{key}=true" if element else f"{key}=false")
    return b"".join([_xxh32(line.encode()) for line in lines[:METADATA_HASHES_MAX]])


def _shorter(text: str) -> str | bytes:
    """The bytes that `text` spells in lower-case hex, as most hashes and ids are sent; else `text`."""
    if len(text) < _HEX_CHARS_MIN:
        return text
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return text
    return data if data.hex() == text else text


def _longer(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    raise UnreadableRecord("an id in an event is neither text nor bytes")


def _named(names: Sequence[str], value: str | int) -> str:
    if isinstance(value, str):
        return value
    if 0 <= value < len(names):
        return names[value]
    raise UnreadableRecord(f"name {value} in an event is not known to this version")


def _decoded(read: Callable[[bytes], _T], data: bytes) -> _T:
    try:
        return read(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"event does not decode: {error}") from error


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
