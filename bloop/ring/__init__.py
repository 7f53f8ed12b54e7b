"""The shared-memory ring between the processes that take records in and the one that stores them.

Knows bytes and positions, never events. `layout` holds the numbered promises; `Segment` makes and opens a ring,
`Producer` writes one lane of it, `Consumer` reads them all.
"""

from bloop.ring.consumer import Cell, Consumer
from bloop.ring.lane_reader import Batch
from bloop.ring.layout import payload_bytes_max
from bloop.ring.producer import Producer
from bloop.ring.segment import LaneStat, RingStat, Segment, WriterState

__all__ = [
    "Batch",
    "Cell",
    "Consumer",
    "LaneStat",
    "Producer",
    "RingStat",
    "Segment",
    "WriterState",
    "payload_bytes_max",
]
