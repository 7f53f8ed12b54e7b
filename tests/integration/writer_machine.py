"""One database and its processes, for tests of a writer that starts with waiting records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bloop.base import config
from bloop.base.outcomes import REFUSALS, Category, Outcome
from bloop.db import connection, migrate
from bloop.features import make_kinds
from bloop.projects import store as projects
from bloop.records.event import Event
from bloop.records.record import EVENT_FORM, encode_event
from bloop.ring import Producer, Segment, Spill
from tests.noise import noise
from tests.stored import request_ids
from tests.unit.ring.support import abandon
from workers import rings
from workers.process import StopFlag
from workers.writer import Writer

T0 = 1_760_000_400_000
PROJECT = 1
STACK = noise(1800)


class Machine:
    """One database, producers that are killed, writers that start and stop, and memory that is lost."""

    def __init__(self, folder: Path, name: str, **variables: str) -> None:
        self.variables = {
            "BLOOP__DATABASE__PATH": str(folder / "bloop.db"),
            "BLOOP__DATABASE__DISK_FREE_BYTES_MIN": "0",
            "BLOOP__RING__NAME": name,
            "BLOOP__SERVER__WORKERS": "1",
            "BLOOP__INGEST__CHANNEL_CAPACITY": "512",
            **variables,
        }
        self.sent: list[str] = []
        migrate.migrate(self.settings.database_path, T0)
        with closing(connection.open_writer(self.settings.database_path)) as db:
            projects.ensure_default_project(db, "s" * 40, T0)

    @property
    def settings(self) -> config.Settings:
        return config.load(None, self.variables, secret_required=False)

    def take_in(self, n: int) -> None:
        """Push `n` events like a worker that answers `accepted`, and is then killed."""
        settings = self.settings
        spilling = Spill(settings.spill_folder, settings.ingest.spill_bytes_max, 0)
        with closing(Segment.attach(settings.ring_name)) as segment:
            producer = Producer.claim(segment, spilling)
            for _ in range(n):
                self.sent.append(f"id-{len(self.sent)}")
                producer.count(PROJECT, Category.EVENT, Outcome.RECEIVED)
                assert producer.push(EVENT_FORM, encode_event(PROJECT, T0, "aa", "v1", event(self.sent[-1])))
            abandon(producer)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        settings = self.settings
        with ExitStack() as handles:
            db = connection.open_writer(settings.database_path)
            handles.callback(db.close)
            yield Writer(settings, db, rings.open_ring(settings, db, make_kinds, handles))

    def write_and_stop(self) -> None:
        """Run a writer that is asked to stop from the start: it stores what waits."""
        with self.writer() as writer:
            assert writer.run(stopping())

    def restart(self) -> None:
        """Restart the machine: shared memory is lost."""
        assert Segment.unlink(self.settings.ring_name)

    def read(self, sql: str) -> list[tuple]:
        with closing(connection.open_reader(self.settings.database_path)) as db:
            return db.execute(sql).fetchall()

    @property
    def stored(self) -> list[str]:
        with closing(connection.open_reader(self.settings.database_path)) as db:
            return [str(name) for name in request_ids(db)]

    @property
    def ledger(self) -> dict[int, int]:
        return dict(self.read("SELECT outcome, count FROM ledger_totals"))

    def assert_balanced(self) -> None:
        ledger = self.ledger
        assert ledger[Outcome.RECEIVED] == sum(ledger.get(outcome, 0) for outcome in (Outcome.STORED, *REFUSALS))
        assert ledger[Outcome.STORED] == len(self.stored)


def event(request_id: str) -> Event:
    fields = dict.fromkeys(Event.__struct_fields__) | {
        "timestamp_ms": T0,
        "source": "api",
        "environment": "production",
        "release": "1.0.0",
        "error_type": "TypeError",
        "message": "boom",
        "stack": STACK,
        "request_id": request_id,
        "level": "error",
    }
    return Event(**fields)


def stopping() -> StopFlag:
    stop = StopFlag()
    stop.signum = 15
    return stop
