"""The shared-memory ring between the ingest workers, which write records, and the writer, which stores them.

It knows bytes and positions, never events. `layout` and `spill` hold the numbered promises; `Segment` makes and opens a
ring, `Producer` writes one lane of it, `Consumer` reads them all.
"""

from bloop.ring.consumer import Cell, Consumer
from bloop.ring.cursor import Batch
from bloop.ring.layout import payload_bytes_max
from bloop.ring.producer import Producer
from bloop.ring.segment import LaneStat, Meters, RingStat, Segment, WriterState
from bloop.ring.spill import Spill
from bloop.ring.spill_reader import Orphan

__all__ = [
    "Batch",
    "Cell",
    "Consumer",
    "LaneStat",
    "Meters",
    "Orphan",
    "Producer",
    "RingStat",
    "Segment",
    "Spill",
    "WriterState",
    "payload_bytes_max",
]
