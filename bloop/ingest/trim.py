"""Cutting an event to size, for projects that would rather have a shortened event than none.

TRIM-1  Only fields that are too long change: a text loses its tail, a stack its middle (both the error that was thrown
    and the cause that stands last are kept), metadata parts of its largest values.
TRIM-2  What is left fits, so an event that is trimmed and then refused is refused for something else.
TRIM-3  Every field that changed is named in what the event lists as cut; the text says so as well where it was cut.
TRIM-4  The fingerprint a client chose is never cut: two issues would become one.
"""

from __future__ import annotations

from typing import Any

import orjson

from bloop.ingest import limits as bounds
from bloop.ingest.limits import Limits

PATHS_MAX = 20
PATH_CHARS_MAX = 200
DEPTH_MAX = 8  # of metadata that is shortened piece by piece; what lies deeper is left out as a whole

_MARK = "…"
_MARK_BYTES = len(_MARK.encode())
_LEAST_BYTES = 16  # a piece of metadata that would have to be shorter than this is left out
_UNWRITABLE = 1 << 40  # bytes: more than any bound
_TEXTS = {
    "environment": bounds.ENVIRONMENT_BYTES_MAX,
    "release": bounds.RELEASE_BYTES_MAX,
    "error_type": bounds.ERROR_TYPE_BYTES_MAX,
    "route_or_procedure": bounds.ROUTE_BYTES_MAX,
    "screen": bounds.SCREEN_BYTES_MAX,
    "request_id": bounds.LABEL_BYTES_MAX,
    "user_id_hash": bounds.LABEL_BYTES_MAX,
    "device_id_hash": bounds.LABEL_BYTES_MAX,
    "app_version": bounds.LABEL_BYTES_MAX,
    "build_number": bounds.LABEL_BYTES_MAX,
}


def trim(data: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], list[str]]:
    """A copy of a decoded event whose fields fit, and the paths of what was cut: `stack`, `metadata.request.body`."""
    trimmed, cut = dict(data), []
    for name, bytes_max in ({"message": limits.message_bytes_max} | _TEXTS).items():
        value = data.get(name)
        if isinstance(value, str) and _size(value) > bytes_max:
            trimmed[name] = cut_tail(value, bytes_max)
            cut.append(name)
    stack = data.get("stack")
    if isinstance(stack, str) and _size(stack) > limits.stack_bytes_max:
        trimmed["stack"] = cut_middle(stack, limits.stack_bytes_max)
        cut.append("stack")
    if "metadata" in data:
        trimmed["metadata"] = _fit(_object_of(data["metadata"]), limits.metadata_bytes_max, "metadata", cut, 0)
    return trimmed, cut[:PATHS_MAX]


def cut_tail(text: str, bytes_max: int) -> str:
    """The start of `text`, with an ellipsis at its end, in at most `bytes_max` bytes."""
    return _start(text, max(bytes_max - _MARK_BYTES, 0)) + (_MARK if bytes_max >= _MARK_BYTES else "")


def cut_middle(text: str, bytes_max: int) -> str:
    """The start and the end of a stack in whole lines, and between them how many are missing."""
    lines = text.split("\n")
    mark = f"    ... {len(lines)} lines cut ..."
    room = (bytes_max - len(mark) - 2) // 2
    head, tail = _lines_within(lines, room), _lines_within(lines[::-1], room)[::-1]
    if not head or not tail:  # a line that is longer than half of all there may be
        half = max((bytes_max - _MARK_BYTES) // 2, 0)
        return _start(text, half) + (_MARK if bytes_max >= _MARK_BYTES else "") + _end(text, half)
    return "\n".join([*head, f"    ... {len(lines) - len(head) - len(tail)} lines cut ...", *tail])


def _lines_within(lines: list[str], bytes_max: int) -> list[str]:
    for count, line in enumerate(lines):
        bytes_max -= _size(line) + 1
        if bytes_max < 0:
            return lines[:count]
    return lines


def _fit(value: Any, bytes_max: int, path: str, cut: list[str], depth: int) -> Any:
    """`value` as JSON of at most `bytes_max` bytes; appends the paths of what was cut."""
    if _json_size(value) <= bytes_max:
        return value
    if isinstance(value, dict) and depth < DEPTH_MAX:
        return _fit_object(value, bytes_max, path, cut, depth)
    cut.append(path[:PATH_CHARS_MAX])
    if bytes_max < _LEAST_BYTES:
        return None
    if isinstance(value, list):
        return _first_items(value, bytes_max)
    return _fit_text(value, bytes_max) if isinstance(value, str) else None


def _fit_object(value: dict[str, Any], bytes_max: int, path: str, cut: list[str], depth: int) -> dict[str, Any]:
    """All values up to some size stay whole; the larger ones share what room is left."""
    sizes = {key: _json_size(item) for key, item in value.items()}
    smallest_first = sorted(value, key=sizes.__getitem__)
    room = bytes_max - 1  # two braces, and one comma fewer than there are keys
    kept: list[str] = []
    for key in smallest_first:
        room -= _json_size(key) + 2  # a colon and a comma
        if room < (len(kept) + 1) * min(sizes[key], _LEAST_BYTES):
            room += _json_size(key) + 2
            break
        kept.append(key)
    if len(kept) < len(value):  # too many keys: the largest values are left out
        cut.append(path[:PATH_CHARS_MAX])
    fitted: dict[str, Any] = {}
    for left, key in zip(range(len(kept), 0, -1), kept, strict=True):
        fitted[key] = _fit(value[key], min(room // left, sizes[key]), f"{path}.{key}", cut, depth + 1)
        room -= _json_size(fitted[key])
    return {key: fitted[key] for key in value if key in fitted}


def _first_items(value: list[Any], bytes_max: int) -> list[Any]:
    room = bytes_max - 2
    for count, item in enumerate(value):
        room -= _json_size(item) + 1
        if room < -1:  # the last one needs no comma
            return value[:count]
    return value


def _fit_text(text: str, bytes_max: int) -> str:
    """Escapes make JSON longer than its text, so it is cut again until it fits."""
    while (size := _json_size(text)) > bytes_max:
        shown = text.removesuffix(_MARK)
        room = min(_size(shown) - 1, _size(shown) - (size - bytes_max) // 2, bytes_max - 2)
        if room <= _MARK_BYTES:
            return ""
        text = cut_tail(shown, room)
    return text


def _object_of(metadata: Any) -> Any:
    """One SDK encodes its metadata twice."""
    if isinstance(metadata, str) and metadata.lstrip().startswith("{"):
        try:
            return orjson.loads(metadata)
        except orjson.JSONDecodeError:
            return metadata
    return metadata


def _json_size(value: Any) -> int:
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError:  # nested too deeply to be written at all
        return _UNWRITABLE


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _start(text: str, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode("utf-8", "ignore")


def _end(text: str, bytes_max: int) -> str:
    return text.encode()[-bytes_max:].decode("utf-8", "ignore") if bytes_max else ""
