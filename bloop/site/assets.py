"""Stylesheet, scripts and icons: read once, served from memory under a name that carries their hash.

The hash makes a URL's content immutable, so browsers keep it for a year and never ask again; a changed file is a new
URL. Each asset is held as it is and gzipped, whichever the client takes.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
HASH_CHARS = 12
GZIP_BYTES_MIN = 512  # below this the header costs more than the packing saves

_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `gzipped` is None when packing does not make it smaller."""

    url: str
    content_type: str
    body: bytes
    gzipped: bytes | None


class Assets(Mapping[str, Asset]):
    """Assets by the file name in their URL, `app.0123456789ab.css`; `url` finds it by the plain name."""

    def __init__(self, folder: Path = TEMPLATES / "assets") -> None:
        self._by_hashed: dict[str, Asset] = {}
        self._urls: dict[str, str] = {}
        for file in sorted(folder.iterdir()):
            if file.suffix in _CONTENT_TYPES:
                self._add(file.name, _load(file))

    def _add(self, name: str, asset: Asset) -> None:
        self._by_hashed[asset.url.rpartition("/")[2]] = asset
        self._urls[name] = asset.url

    def url(self, name: str) -> str:
        """`app.css` → `/assets/app.0123456789ab.css`; an unknown name is a mistake in a template."""
        return self._urls[name]

    def __getitem__(self, hashed_name: str) -> Asset:
        return self._by_hashed[hashed_name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_hashed)

    def __len__(self) -> int:
        return len(self._by_hashed)


def _load(file: Path) -> Asset:
    body = file.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:HASH_CHARS]
    packed = gzip.compress(body, 9, mtime=0)
    return Asset(
        url=f"/assets/{file.stem}.{digest}{file.suffix}",
        content_type=_CONTENT_TYPES[file.suffix],
        body=body,
        gzipped=packed if len(packed) < len(body) and len(body) >= GZIP_BYTES_MIN else None,
    )
