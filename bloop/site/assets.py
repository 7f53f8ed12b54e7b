"""Stylesheets, scripts, fonts and icons: read once, served from memory under names that include their hash.

The hash makes a URL's content immutable, so browsers keep it for a year and never ask again; a changed file is a new
URL. Each asset is held plain and gzipped, for either kind of client.

ASSET-1  Files of a folder named in BUNDLES are served as one, in the order of their names there: a first visit makes
    few requests, and each file still is about one thing.
ASSET-2  A stylesheet names another asset as `url("asset:geist.woff2")`; it is served with that asset's URL.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
HASH_CHARS = 12
GZIP_BYTES_MIN = 512  # below this gzip saves nothing
BUNDLES = {
    "kit.css": ("kit/tokens.css", "kit/base.css", "kit/frame.css", "kit/controls.css", "kit/components.css"),
    "frame.js": ("frame/app.js", "frame/complete.js", "frame/keys.js", "frame/palette.js", "frame/toasts.js"),
}

_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED = frozenset({".woff2"})
_REFERENCE = re.compile(r'url\("asset:([^"]+)"\)')


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `gzipped` is None when gzip does not make it smaller."""

    url: str
    content_type: str
    body: bytes
    gzipped: bytes | None


class Assets(Mapping[str, Asset]):
    """Assets by the file name in their URL, `kit.0123456789ab.css`; `url` finds it by the plain name."""

    def __init__(self, folder: Path = TEMPLATES / "assets") -> None:
        self._by_hashed: dict[str, Asset] = {}
        self._urls: dict[str, str] = {}
        files = [file for file in [*folder.iterdir(), *folder.glob("fonts/*")] if file.suffix in _CONTENT_TYPES]
        for file in sorted(files, key=lambda file: (file.suffix == ".css", file.name)):  # stylesheets name the others
            self._add(file.name, file.read_bytes())
        for name, parts in BUNDLES.items():
            if all((folder / part).is_file() for part in parts):
                self._add(name, _bundle(folder / part for part in parts))

    def _add(self, name: str, body: bytes) -> None:
        stem, _, extension = name.rpartition(".")
        suffix = f".{extension}"
        if suffix == ".css":
            body = _REFERENCE.sub(lambda found: f'url("{self._urls[found[1]]}")', body.decode()).encode()
        asset = _make(stem, suffix, body)
        self._by_hashed[asset.url.rpartition("/")[2]] = asset
        self._urls[name] = asset.url

    def url(self, name: str) -> str:
        """`kit.css` → `/assets/kit.0123456789ab.css`; an unknown name is a bug in a template."""
        return self._urls[name]

    def __getitem__(self, hashed_name: str) -> Asset:
        return self._by_hashed[hashed_name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_hashed)

    def __len__(self) -> int:
        return len(self._by_hashed)


def _bundle(files: Iterator[Path]) -> bytes:
    """The files as one. A script keeps its names to itself: each is a block, and the whole is a module."""
    texts = [(file.suffix, file.read_text(encoding="utf-8")) for file in files]
    return "".join(f"{{\n{text}}}\n" if suffix == ".js" else text for suffix, text in texts).encode()


def _make(stem: str, suffix: str, body: bytes) -> Asset:
    digest = hashlib.sha256(body).hexdigest()[:HASH_CHARS]
    worth = len(body) >= GZIP_BYTES_MIN and suffix not in _COMPRESSED
    gzipped_body = gzip.compress(body, 9, mtime=0) if worth else body
    return Asset(
        url=f"/assets/{stem}.{digest}{suffix}",
        content_type=_CONTENT_TYPES[suffix],
        body=body,
        gzipped=gzipped_body if len(gzipped_body) < len(body) else None,
    )
