"""Dictionaries: text that both sides know, so that the compressed rest of an event need not repeat it.

An event is too small to be compressed by itself: with a dictionary of stack lines it is 0.2 of its size, without one
0.6 (benchmarks/profile_records.py).

DICTIONARY-1  A dictionary's id is the hash of its content, so an id means the same bytes for ever and everywhere.
DICTIONARY-2  Unpacking is bounded by the length that the record states.
DICTIONARY-3  Any thread may use a dictionary: each has its own compressor, because zstd's keep state.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from importlib import resources

import zstandard

from bloop.base.errors import UnreadableRecord

LEVEL = 1  # 2.2 µs an event; level 3 takes 1.5 times as long for 3 % less
CONTENT_BYTES_MAX = 64 * 1024
SHIPPED_FILE = "stacks-1.zdict"

_ID_BYTES = 4


def dictionary_id(content: bytes) -> int:
    """32 bits of its SHA-256 (DICTIONARY-1), never 0, which means none."""
    return int.from_bytes(hashlib.sha256(content).digest()[:_ID_BYTES], "big") or 1


class Dictionary:
    """One dictionary, ready to pack and unpack. About 200 KB of memory in a process that packs with it."""

    def __init__(self, content: bytes) -> None:
        assert 0 < len(content) <= CONTENT_BYTES_MAX, "a dictionary has a bound"
        self.content = content
        self.id = dictionary_id(content)
        self._zdict = zstandard.ZstdCompressionDict(content)
        # Length, checksum and dictionary are known from elsewhere: the frame is nothing but its blocks.
        self._parameters = zstandard.ZstdCompressionParameters.from_level(
            LEVEL,
            min_match=5,  # these two make events 3 % shorter than the level's own settings, in the same time
            hash_log=13,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=False,
            write_checksum=False,
            write_dict_id=False,
        )
        self._of_thread = threading.local()

    def pack(self, plain: bytes) -> bytes:
        """`plain` compressed; longer than it was when nothing repeats."""
        packer: zstandard.ZstdCompressor | None = getattr(self._of_thread, "packer", None)
        if packer is None:
            packer = zstandard.ZstdCompressor(dict_data=self._zdict, compression_params=self._parameters)
            self._of_thread.packer = packer
        return packer.compress(plain)

    def unpack(self, packed: bytes, bytes_max: int) -> bytes:
        """The input of `pack`, which was no longer than `bytes_max` (DICTIONARY-2).

        Raises:
            UnreadableRecord: it is not that.
        """
        unpacker: zstandard.ZstdDecompressor | None = getattr(self._of_thread, "unpacker", None)
        if unpacker is None:
            unpacker = zstandard.ZstdDecompressor(dict_data=self._zdict, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
            self._of_thread.unpacker = unpacker
        try:
            return unpacker.decompress(packed, max_output_size=bytes_max)
        except zstandard.ZstdError as error:
            raise UnreadableRecord(f"event does not unpack: {error}") from error


class _Current:
    """The dictionary that this process packs with."""

    dictionary: Dictionary | None = None


def current() -> Dictionary:
    """The dictionary that records are packed with in this process: the shipped one, unless `use` said otherwise."""
    return _Current.dictionary or shipped()


def use(dictionary: Dictionary) -> None:
    """Pack with this one from now on. Its row is committed: a writer that does not find it cannot store the events."""
    _Current.dictionary = dictionary


@cache
def shipped() -> Dictionary:
    """The dictionary every installation begins with, made by benchmarks/dictionary_text.py."""
    return Dictionary(resources.files("bloop.records").joinpath(SHIPPED_FILE).read_bytes())
