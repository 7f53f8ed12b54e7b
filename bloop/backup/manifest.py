"""The format of a backup: a packed copy of the database, and beside it a manifest that describes its content.

    bloop-20260117-030000.db.zst    the database, zstd (`zstd -d` unpacks it; SQLite opens the result)
    bloop-20260117-030000.json      its manifest

MANIFEST-1  A backup exists once its manifest exists, and the manifest is the last file to appear (create.py).
MANIFEST-2  A manifest is readable JSON with a checksum over all of itself and exactly one valid form: changing any
    byte, white space included, makes it invalid. It guards against accidents, not against users who may write to the
    folder: they could rewrite both files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from bloop.base.errors import BackupError

FORMAT = 1
DATA_SUFFIX, MANIFEST_SUFFIX = ".db.zst", ".json"
MANIFEST_BYTES_MAX = 256 * 1024
_PREFIX = "bloop-"


class Cause(StrEnum):
    """Why a backup was made."""

    SCHEDULE = "schedule"
    ASKED = "asked"  # in the dashboard or by the API
    COMMAND = "command"


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: int
    cause: Cause
    created_at_ms: int  # the copy is of this moment
    duration_ms: int
    sha256: str  # of the packed file
    file_bytes: int
    database_bytes: int
    database_id: str  # the same for all backups of one installation
    schema_version: int
    migrations: dict[str, str]  # version → SHA-256
    rows: dict[str, int]  # of the main tables
    integrity: str  # result of SQLite's integrity check of the copy
    bloop_version: str
    sqlite_version: str


def render(manifest: Manifest) -> bytes:
    """The manifest in its only valid form (MANIFEST-2)."""
    fields = msgspec.to_builtins(manifest)
    checksum = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    return json.dumps({"manifest_sha256": checksum, **fields}, indent=2).encode() + b"\n"


def parse(raw: bytes) -> Manifest:
    """Parse a manifest. Raises: BackupError when a byte is wrong (MANIFEST-2), or a later bloop wrote it."""
    try:
        fields = json.loads(raw)
        made_by_format = fields.pop("format")
        del fields["manifest_sha256"]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise BackupError("the manifest is damaged") from None
    if isinstance(made_by_format, int) and made_by_format > FORMAT:
        raise BackupError(f"the manifest has format {made_by_format}, this bloop knows {FORMAT}: upgrade bloop")
    try:
        manifest = msgspec.convert({"format": made_by_format, **fields}, Manifest)
    except msgspec.ValidationError:
        raise BackupError("the manifest is damaged") from None
    if render(manifest) != raw:
        raise BackupError("the manifest is damaged")
    return manifest


def read(data: Path) -> Manifest:
    """The manifest of the backup whose packed file is `data`.

    Raises:
        BackupError: it is missing or damaged.
    """
    path = manifest_path(data)
    try:
        with path.open("rb") as file:
            raw = file.read(MANIFEST_BYTES_MAX + 1)
    except FileNotFoundError:
        raise BackupError(f"{data.name} has no manifest: {path.name} is missing") from None
    if len(raw) > MANIFEST_BYTES_MAX:
        raise BackupError(f"{path.name} is too large for a manifest")
    try:
        return parse(raw)
    except BackupError as error:
        raise BackupError(f"{path.name}: {error}") from None


def manifest_path(data: Path) -> Path:
    """The path of the manifest of `data`. Raises: BackupError when `data` is not named like a backup."""
    if not data.name.endswith(DATA_SUFFIX):
        raise BackupError(f"{data.name} is not a backup: the name must end in {DATA_SUFFIX}")
    return data.with_name(data.name.removesuffix(DATA_SUFFIX) + MANIFEST_SUFFIX)


def data_path(manifest: Path) -> Path:
    return manifest.with_name(manifest.name.removesuffix(MANIFEST_SUFFIX) + DATA_SUFFIX)


def is_manifest_name(name: str) -> bool:
    return name.startswith(_PREFIX) and name.endswith(MANIFEST_SUFFIX)


def new_name(created_at_ms: int, taken: Iterable[str]) -> str:
    """A name for the packed file of a backup made at `created_at_ms` that is not in `taken`. Pure."""
    stem = _PREFIX + datetime.fromtimestamp(created_at_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S")
    taken, name, number = set(taken), stem + DATA_SUFFIX, 2
    while name in taken:
        name, number = f"{stem}-{number}{DATA_SUFFIX}", number + 1
    return name
