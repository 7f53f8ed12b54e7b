"""The bytes of one event, from the ring to its row, in which they stay as they are.

    start     43 B   a mark, project, received at, timestamp, fingerprint, user key, length of the dims
    dims             release, environment, source, route: a MessagePack array
    codec     10 B   version, flags, lengths, dictionary
    identity         the fingerprint's text, unless it is the start's number in sixteen hex digits
    search           what is searched and filtered, never compressed: a MessagePack array
    rest             everything else: a MessagePack array, compressed where that makes it shorter

All integers are little-endian; fingerprint and user key are signed, as SQLite's are. A row has columns for what comes
before the codec, and a body, which begins with it.

EVENT-RECORD-1  What `encode` wrote, `decode` gives back equal, in this release and in every later one: the codec names
    its version, arrays and tables of names are only ever appended to, and a version or a dictionary that this code does
    not know is an UnreadableRecord.
EVENT-RECORD-2  The writer stores, counts and groups an event by its head and its dims; only the first event of a new
    issue is decoded. Equal dims are equal bytes.
EVENT-RECORD-3  The fingerprint's number only finds candidates: clients choose fingerprints, and can craft two texts
    with one number. Texts are compared before an event joins an issue. Sixteen lower-case hex digits are their own
    number.
EVENT-RECORD-4  Hashes of metadata say where to look. A hit is checked against the event.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec
import orjson
import xxhash

from bloop.base.errors import UnreadableRecord
from bloop.records.dictionary import Dictionary
from bloop.records.event import Event, Parts

FINGERPRINT_BY_CLIENT = "client"
# What made the fingerprint, by the number that stands for it in the codec's flags. Append only, as the three below.
ALGORITHMS = ("", FINGERPRINT_BY_CLIENT, "v1")

# Names so common that a number stands for them: 20 bytes less for an event.
ENVIRONMENTS = ("production", "staging", "development", "test", "prod", "dev", "local", "preview", "qa", "testing")
SOURCES = (
    *("api", "ios", "android", "python", "ruby", "rust", "javascript", "node", "browser", "java", "kotlin", "swift"),
    *("go", "php", "csharp", "dotnet", "react", "react-native", "flutter", "dart", "web", "server", "backend"),
)
LEVELS = ("fatal", "error", "warning", "info", "debug")

VERSION = 1
IS_PACKED = 1  # flag: the rest is compressed with the codec's dictionary
HAS_TEXT = 2  # flag: `identity` is there: two bytes of length, and the fingerprint as text
ALGORITHM_AT = 2  # the next four bits are the index of what made the fingerprint
VERSION_IS_RELEASE = 64  # flag: the app's version is the release; no need to unpack the rest for it
HAS_NO_VERSION = 128  # flag: the app's version is not known; with neither flag the rest says
METADATA_HASHES_MAX = 16
METADATA_HASH_BYTES = 3  # of XXH32: one event in a million too many
NO_USER = 0
_HASHES_AT = 5  # in the array of what is searched

START = struct.Struct("<BqqqqqH")
CODEC = struct.Struct("<BBHHI")
REST_UNIT_BYTES = 64  # of the length that two bytes hold: 4 MiB
TEXT_BYTES = struct.Struct("<H")
_DIMS_BYTES = struct.Struct("<H")  # the end of START
MARK = 0xC1  # the one byte that no MessagePack begins with, as records of other kinds do

_T = TypeVar("_T")

_HEX_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_HEX_CHARS_MIN = 16  # shorter ids are not worth a look
_MASK = 2**64 - 1
_ALGORITHM_MASK = 0xF


class RecordStart(NamedTuple):
    """The fields that the writer counts by, in the order of their bytes; then come the dims."""

    mark: int
    project_id: int
    received_at_ms: int
    timestamp_ms: int  # the client's clock
    fingerprint: int  # `fingerprint_number`
    user_key: int  # NO_USER: neither a user nor a device is known
    dims_bytes: int


class EventCodec(NamedTuple):
    """How a body is to be read, in the order of its bytes."""

    version: int
    flags: int
    search_bytes: int
    rest_units: int  # of REST_UNIT_BYTES, which the unpacked rest is not longer than
    dictionary_id: int  # 0: none


class Dims(NamedTuple):
    """The dimensions that events are counted by."""

    release: str
    environment: str
    source: str
    route: str | None


class Traits(NamedTuple):
    """Fields in which the events of an issue differ and that no counter keeps."""

    source: str
    level: str
    http_status: int | None
    app_version: str | None


class Tagged(Protocol):
    """An event, or a row of one, as far as its tags are concerned."""

    @property
    def metadata(self) -> str | None: ...
    @property
    def parts(self) -> Parts | None: ...


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


class SearchFields(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is searched of an event, as it is stored: names as numbers, ids as `stored_id` gives them."""

    level: str | int  # index of LEVELS
    http_status: int | None
    request_id: Any  # text, bytes (see `stored_id`) or nothing: msgspec takes no union of text and bytes
    user_id_hash: Any
    device_id_hash: Any
    metadata_hashes: bytes = b""
    event_id: Any = None


class _SearchStart(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first fields of `SearchFields`; reading passes over the others."""

    level: str | int
    http_status: int | None


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

_ZEROS, _ONE = bytes(METADATA_HASH_BYTES), b"\1".rjust(METADATA_HASH_BYTES, b"\0")
_SEARCHED = frozenset({str, int, float, bool})  # types of metadata that `key=value` finds
_xxh32 = xxhash.xxh32_digest
_xxh3_128 = xxhash.xxh3_128_intdigest
_pack = msgspec.msgpack.Encoder().encode
_read_dims = msgspec.msgpack.Decoder(_Dims).decode
_read_search = msgspec.msgpack.Decoder(SearchFields).decode
_read_search_start = msgspec.msgpack.Decoder(_SearchStart).decode
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
    identity, flags = b"", _algorithm_number[algorithm] << ALGORITHM_AT
    if is_number(fingerprint):
        number = _signed(int(fingerprint, 16))
    else:
        text = fingerprint.encode()
        identity, flags, number = TEXT_BYTES.pack(len(text)) + text, flags | HAS_TEXT, _hashed(text)
    if event.app_version is None:
        flags |= HAS_NO_VERSION
    elif event.app_version == event.release:
        flags |= VERSION_IS_RELEASE
    search = _encode_search(event)
    plain = _encode_rest(event)
    packed, dictionary_id, units = dictionary.pack(plain), dictionary.id, -(-len(plain) // REST_UNIT_BYTES)
    if len(packed) < len(plain):
        flags |= IS_PACKED
    else:
        packed, dictionary_id, units = plain, 0, 0
    start = START.pack(
        MARK,
        project_id,
        received_at_ms,
        event.timestamp_ms,
        number,
        user_key(event.user_id_hash, event.device_id_hash),
        len(dims),
    )
    codec = CODEC.pack(VERSION, flags, len(search), units, dictionary_id)
    return b"".join((start, dims, codec, identity, search, packed))


def read_start(payload: bytes) -> RecordStart:
    """The fixed part of a record.

    Raises:
        UnreadableRecord: it is not the record of an event.
    """
    try:
        start = RecordStart._make(START.unpack_from(payload))
    except struct.error as error:
        raise UnreadableRecord("record of an event is cut short") from error
    if start.mark != MARK:
        raise UnreadableRecord("this is not the record of an event")
    return start


def read_codec(data: bytes, at: int = 0) -> EventCodec:
    """How the body that begins at `at` is to be read; the lengths in it fit `data`.

    Raises:
        UnreadableRecord: it is no body, or of a codec that came later.
    """
    try:
        codec = EventCodec._make(CODEC.unpack_from(data, at))
    except struct.error as error:
        raise UnreadableRecord("event is cut short") from error
    if codec.version != VERSION:
        raise UnreadableRecord(f"event of codec {codec.version} is not known to this version")
    if at + CODEC.size + codec.search_bytes > len(data):
        raise UnreadableRecord("event is cut short")
    return codec


def read_heads(payload: bytes) -> tuple[tuple[int, ...], int, int, int]:
    """The fields of the RecordStart, flags and dictionary of the codec, and where the body begins.

    Both heads at once, for a writer that reads tens of thousands a second.

    Raises:
        UnreadableRecord: as `read_start` and `read_codec` do.
    """
    try:
        start = START.unpack_from(payload)
        body_at = START.size + start[-1]
        version, flags, search_bytes, _, dictionary_id = CODEC.unpack_from(payload, body_at)
    except struct.error as error:
        raise UnreadableRecord("record of an event is cut short") from error
    if start[0] != MARK or version != VERSION or body_at + CODEC.size + search_bytes > len(payload):
        read_codec(payload, START.size + read_start(payload).dims_bytes)  # says which
    return start, flags, dictionary_id, body_at


def identity_of(data: bytes, at: int = 0) -> bytes:
    """The fingerprint's text, of a body that has one and begins at `at`."""
    first = at + CODEC.size + TEXT_BYTES.size
    return data[first : first + TEXT_BYTES.unpack_from(data, at + CODEC.size)[0]]


def decode(payload: bytes, dictionary_of: DictionaryOf) -> EventRecord:
    """The record back.

    Raises:
        UnreadableRecord: it is not what `encode` of this or an earlier release wrote, or its dictionary is missing.
    """
    start = read_start(payload)
    body_at = START.size + start.dims_bytes
    codec, body = read_codec(payload, body_at), payload[body_at:]
    try:
        text = identity_of(body).decode() if codec.flags & HAS_TEXT else number_text(start.fingerprint)
    except (UnicodeDecodeError, struct.error) as error:
        raise UnreadableRecord(f"fingerprint of an event does not decode: {error}") from error
    event = decode_body(body, payload[START.size : body_at], start.timestamp_ms, dictionary_of)
    return EventRecord(start.project_id, start.received_at_ms, text, algorithm_name(codec), event)


def decode_body(body: bytes, dims: bytes, timestamp_ms: int, dictionary_of: DictionaryOf) -> Event:
    """The event of a row.

    Raises:
        UnreadableRecord: as for `decode`.
    """
    codec = read_codec(body)
    search_at = _search_at(body, codec)
    rest_at = search_at + codec.search_bytes
    place = decode_dims(dims)
    search = _decoded(_read_search, body[search_at:rest_at])
    rest = _decoded(_read_rest, _unpacked(body[rest_at:], codec, dictionary_of))
    return Event(
        timestamp_ms,
        place.source,
        place.environment,
        place.release,
        rest.error_type,
        rest.message,
        rest.stack,
        place.route,
        rest.screen,
        search.http_status,
        shown_id(search.request_id),
        shown_id(search.user_id_hash),
        shown_id(search.device_id_hash),
        place.release if rest.app_version == 0 else rest.app_version,
        rest.build_number,
        rest.metadata,
        _named(LEVELS, search.level),
        shown_id(search.event_id),
        rest.parts,
    )


def traits(body: bytes, place: Dims, dictionary_of: DictionaryOf) -> Traits:
    """The fields in which events of an issue differ; most events need not be unpacked for them.

    Raises:
        UnreadableRecord: as for `decode`.
    """
    codec = read_codec(body)
    search_at = _search_at(body, codec)
    rest_at = search_at + codec.search_bytes
    search = _decoded(_read_search_start, body[search_at:rest_at])
    if codec.flags & VERSION_IS_RELEASE:
        version = place.release
    elif codec.flags & HAS_NO_VERSION:
        version = None
    else:
        rest = _decoded(_read_rest, _unpacked(body[rest_at:], codec, dictionary_of))
        version = place.release if rest.app_version == 0 else rest.app_version
    return Traits(place.source, _named(LEVELS, search.level), search.http_status, version)


def with_dims(payload: bytes) -> bytes:
    """The body of a record, its dims before it: what a row holds whose dims have no row of their own."""
    return payload[START.size - _DIMS_BYTES.size :]


def split_dims(stored: bytes) -> tuple[bytes, bytes]:
    """Dims and body of what `with_dims` gave.

    Raises:
        UnreadableRecord: it is cut short.
    """
    try:
        (dims_bytes,) = _DIMS_BYTES.unpack_from(stored)
    except struct.error as error:
        raise UnreadableRecord("event is cut short") from error
    body_at = _DIMS_BYTES.size + dims_bytes
    return stored[_DIMS_BYTES.size : body_at], stored[body_at:]


def request_id_of(body: bytes) -> str | None:
    """The client's own name for the request that failed, of a row.

    Raises:
        UnreadableRecord: as for `decode`.
    """
    return shown_id(search_of(body).request_id)


def user_key_of(body: bytes) -> int:
    """The user key of a row.

    Raises:
        UnreadableRecord: as for `decode`.
    """
    search = search_of(body)
    return user_key(shown_id(search.user_id_hash), shown_id(search.device_id_hash))


def encode_dims(release: str, environment: str, source: str, route: str | None) -> bytes:
    return _pack((release, _environment_number(environment, environment), _source_number(source, source), route))


def decode_dims(dims: bytes) -> Dims:
    """Raises: UnreadableRecord."""
    read = _decoded(_read_dims, dims)
    return Dims(read.release, _named(ENVIRONMENTS, read.environment), _named(SOURCES, read.source), read.route)


def algorithm_name(codec: EventCodec) -> str:
    """Raises: UnreadableRecord: a later release made the fingerprint."""
    return _named(ALGORITHMS, codec.flags >> ALGORITHM_AT & _ALGORITHM_MASK)


def number_text(number: int) -> str:
    """The fingerprint that is this number itself."""
    return f"{number & _MASK:016x}"


def fingerprint_number(fingerprint: str) -> int:
    """The 64 bits a fingerprint is looked up by (EVENT-RECORD-3), signed."""
    return _signed(int(fingerprint, 16)) if is_number(fingerprint) else _hashed(fingerprint.encode())


def is_number(fingerprint: str) -> bool:
    """Whether the text is how `number_text` writes a number, so that the number says it all."""
    return _HEX_FINGERPRINT.fullmatch(fingerprint) is not None


def user_key(user_id_hash: str | None, device_id_hash: str | None) -> int:
    """64 bits that stand for the person, or for the device when no user is signed in; NO_USER when neither is known.

    The upper half of an XXH3-128, which is what was stored before as 16 bytes: people stay the same people. Among a
    million users of one issue two are taken for one with a probability of 3 in 100 million.
    """
    if user_id_hash is not None:
        digest = _xxh3_128(user_id_hash.encode())
    elif device_id_hash is not None:
        digest = _xxh3_128(b"device:" + device_id_hash.encode())
    else:
        return NO_USER
    return _signed(digest >> 64) or 1


def level_name(level: str | int) -> str:
    """The level of `SearchFields`. Raises: UnreadableRecord."""
    return _named(LEVELS, level)


def tags_of(event: Tagged) -> dict[str, list[str]]:
    """What `key=value` finds in an event: its tags and what stands at the top of its metadata, as text by key. Keys
    whose values are neither text, number nor truth have none."""
    found: dict[str, list[str]] = {}
    for key, value in _pairs(event):
        texts = found.setdefault(key, [])
        values = value if type(value) is list else [value]
        texts += [_line(key, element)[len(key) + 1 :] for element in values if type(element) in _SEARCHED]
    return found


def id_hash(value: str | bytes) -> bytes:
    """The hash to search a stored id by (EVENT-RECORD-4), never only zeros."""
    return _xxh32(value.encode() if isinstance(value, str) else value)[:METADATA_HASH_BYTES].replace(_ZEROS, _ONE)


def metadata_hash(key: str, value: str) -> bytes:
    """The hash to search `key=value` by (EVENT-RECORD-4)."""
    return _xxh32(f"{key}={value}".encode())[:METADATA_HASH_BYTES]


def _encode_search(event: Event) -> bytes:
    level, request_id, user_id = event.level, event.request_id, event.user_id_hash
    device_id, event_id = event.device_id_hash, event.event_id
    values: tuple[object, ...] = (
        _level_number(level, level),
        event.http_status,
        None if request_id is None else stored_id(request_id),
        None if user_id is None else stored_id(user_id),
        None if device_id is None else stored_id(device_id),
    )
    if event.metadata is not None or event.parts is not None:
        values = (*values, _metadata_hashes(event))
    if event_id is not None:
        values = (*values, stored_id(event_id)) if len(values) > _HASHES_AT else (*values, b"", stored_id(event_id))
    return _pack(values)


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


def _unpacked(rest: bytes, codec: EventCodec, dictionary_of: DictionaryOf) -> bytes:
    if not codec.flags & IS_PACKED:
        return rest
    dictionary = dictionary_of(codec.dictionary_id)
    if dictionary is None:
        raise UnreadableRecord(f"dictionary {codec.dictionary_id} of an event is missing")
    return dictionary.unpack(rest, codec.rest_units * REST_UNIT_BYTES)


def _search_at(body: bytes, codec: EventCodec) -> int:
    return CODEC.size + (TEXT_BYTES.size + len(identity_of(body)) if codec.flags & HAS_TEXT else 0)


def search_of(body: bytes) -> SearchFields:
    """What is searched of a row, without unpacking the rest.

    Raises:
        UnreadableRecord: as for `decode`.
    """
    try:
        version, flags, search_bytes, _, _ = CODEC.unpack_from(body)
    except struct.error as error:
        raise UnreadableRecord("event is cut short") from error
    if version != VERSION or CODEC.size + search_bytes > len(body):
        read_codec(body)  # says which
    at = CODEC.size if not flags & HAS_TEXT else CODEC.size + TEXT_BYTES.size + len(identity_of(body))
    return _decoded(_read_search, body[at : at + search_bytes])


def _metadata_hashes(event: Event) -> bytes:
    """Of tags, then of what stands at the top of the metadata: text, numbers and truth, also one by one in a list."""
    lines: list[str] = []
    for key, value in _pairs(event):
        kind = type(value)
        if kind is list:
            lines += [_line(key, element) for element in value if type(element) in _SEARCHED][:METADATA_HASHES_MAX]
        elif kind in _SEARCHED:
            lines.append(_line(key, value) if kind is bool else f"{key}={value}")
        if len(lines) >= METADATA_HASHES_MAX:  # an event with fewer hashes has no others
            break
    return b"".join([_xxh32(line.encode())[:METADATA_HASH_BYTES] for line in lines[:METADATA_HASHES_MAX]])


def _pairs(event: Tagged) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    if event.parts is not None and event.parts.tags:
        pairs += event.parts.tags.items()
    if event.metadata is not None and event.metadata.startswith("{"):
        pairs += _pairs_of(event.metadata)
    return pairs


def _pairs_of(metadata: str) -> Any:
    try:
        return orjson.loads(metadata).items()
    except orjson.JSONDecodeError:  # an old record's, maybe: there is nothing to look for
        return ()


def _line(key: str, value: object) -> str:
    return f"{key}={str(value).lower()}" if type(value) is bool else f"{key}={value}"


def stored_id(text: str) -> str | bytes:
    """An id as it is stored: the bytes that `text` spells in lower-case hex, as most hashes and ids are sent; else
    `text`."""
    if len(text) < _HEX_CHARS_MIN or not text.isalnum():
        return text  # without the cost of an exception
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return text
    return data if data.hex() == text else text


def shown_id(value: object) -> str | None:
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


def _hashed(text: bytes) -> int:
    return _signed(xxhash.xxh3_64_intdigest(text))


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
