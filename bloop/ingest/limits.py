"""Every bound on what a client may send. All are inclusive and in UTF-8 bytes unless the name says otherwise.

What is too long is refused with the field's name, so that a client never stores less than it sent without knowing,
unless its project chose `oversize = "trim"`: then trim.py cuts the field and the event lists what was cut. Together the
bounds also keep one record of a batch below a single request's size; elements are not measured again.
"""

from __future__ import annotations

from dataclasses import dataclass

from bloop.base.config import Ingest
from bloop.base.errors import FieldTooLarge

SOURCE_CHARS_MAX = 32
ENVIRONMENT_BYTES_MAX = 256
RELEASE_BYTES_MAX = 256
ERROR_TYPE_BYTES_MAX = 512
ROUTE_BYTES_MAX = 1024
SCREEN_BYTES_MAX = 1024
LABEL_BYTES_MAX = 256  # ids, hashes and versions: request_id, user_id_hash, device_id_hash, app_version, build_number
FINGERPRINT_CHARS_MAX = 256

FUTURE_MS_MAX = 60_000  # a device clock further ahead than this is wrong, not early
BATCH_TOLERANCE = 2  # some SDKs buffer 100 events and know nothing of the documented 50


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds an operator may move; the defaults are the documented ones."""

    payload_bytes_max: int = 32768
    stack_bytes_max: int = 8192
    metadata_bytes_max: int = 4096
    message_bytes_max: int = 2048
    batch_events_max: int = 50
    is_trimming: bool = False  # of the event's project: cut what is too long instead of refusing it

    @classmethod
    def of(cls, settings: Ingest) -> Limits:
        return cls(
            payload_bytes_max=settings.max_payload_bytes,
            stack_bytes_max=settings.max_stack_bytes,
            metadata_bytes_max=settings.max_metadata_bytes,
            message_bytes_max=settings.max_message_bytes,
            batch_events_max=settings.max_batch_size,
        )

    @property
    def values_max(self) -> int:
        """JSON values in one event of a batch that is longer than one sent alone may be; those hold fewer anyway."""
        return self.payload_bytes_max // 2

    @property
    def batch_bytes_max(self) -> int:
        """Body of a batch: a full one of the largest events."""
        return self.batch_events_max * self.payload_bytes_max

    @property
    def batch_events_tolerated(self) -> int:
        """Above this a batch is refused as a whole; up to here it is taken although the contract says fewer."""
        return self.batch_events_max * BATCH_TOLERANCE


def check_bytes(path: str, text: str, bytes_max: int) -> None:
    """Raise FieldTooLarge naming `path` when `text` is longer than `bytes_max`."""
    if (len(text) if text.isascii() else len(text.encode())) > bytes_max:
        raise FieldTooLarge(path, f"{path} exceeds {bytes_max} bytes")
