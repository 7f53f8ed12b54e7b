"""All sections together, and what follows from them and from the machine: paths, names, sizes."""

from __future__ import annotations

import os
from dataclasses import Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import xxhash

from bloop.base.config.sections import (
    Alerting,
    Analytics,
    Auth,
    Backup,
    Database,
    Ingest,
    LlmTracing,
    Pipeline,
    ProjectLimits,
    RateLimit,
    Retention,
    Ring,
    Server,
    Smtp,
    keys_of,
)
from bloop.base.machine import Machine, measure
from bloop.base.tuning import EXTRA_LANES, RequestedTuning, Tuning, tuning

NO_FILE = "defaults"  # Settings.source when there is no file
EVENT_REST_BYTES_MAX = 8192  # of a record: all but message, stack and metadata, by the bounds of ingest/limits.py


@dataclass(frozen=True, slots=True)
class Settings:
    """Every section of `config.toml`. Derived values are properties, so there is one place that knows how."""

    server: Server = field(default_factory=Server)
    database: Database = field(default_factory=Database)
    ingest: Ingest = field(default_factory=Ingest)
    pipeline: Pipeline = field(default_factory=Pipeline)
    retention: Retention = field(default_factory=Retention)
    backup: Backup = field(default_factory=Backup)
    auth: Auth = field(default_factory=Auth)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    limits: ProjectLimits = field(default_factory=ProjectLimits)
    alerting: Alerting = field(default_factory=Alerting)
    smtp: Smtp = field(default_factory=Smtp)
    analytics: Analytics = field(default_factory=Analytics)
    llm_tracing: LlmTracing = field(default_factory=LlmTracing)
    ring: Ring = field(default_factory=Ring)
    source: str = NO_FILE  # the file the settings came from
    given: frozenset[str] = frozenset()  # `section.key` of what file or environment say, be it the default
    machine: Machine = field(default_factory=measure)

    def is_set(self, key: str) -> bool:
        """Whether somebody chose the value of `section.key`."""
        section, _, name = key.partition(".")
        ours = getattr(self, section)
        return key in self.given or getattr(ours, name) != getattr(type(ours)(), name)

    @property
    def database_path(self) -> Path:
        return _resolved(self.database.path)

    @property
    def ring_name(self) -> str:
        """Name of the shared segment; `/bloop-` and a hash of the database path unless configured."""
        if self.ring.name:
            return "/" + self.ring.name.lstrip("/")
        return f"/bloop-{xxhash.xxh3_64_hexdigest(os.fsencode(self.database_path))}"

    @property
    def run_dir(self) -> Path:
        return _resolved(self.server.run_dir) if self.server.run_dir else self.database_path.parent / "run"

    @property
    def backup_dir(self) -> Path:
        return _resolved(self.backup.directory) if self.backup.directory else self.database_path.parent / "backups"

    @property
    def spill_folder(self) -> Path:
        """Where records wait that found the ring full; `-spill` beside the database file unless configured."""
        if self.ingest.spill_dir:
            return _resolved(self.ingest.spill_dir)
        return self.database_path.with_name(self.database_path.name + "-spill")

    @property
    def handoff_path(self) -> Path:
        """Unix socket over which ingest workers pass connections that are not ingest to the dashboard."""
        return self.run_dir / "handoff.sock"

    @property
    def dashboard_path(self) -> Path:
        """Unix socket of the dashboard's own HTTP listener, for a reverse proxy that routes by path."""
        return self.run_dir / "dashboard.sock"

    @property
    def tuning(self) -> Tuning:
        """What is chosen for this machine where nothing is set."""

        def asked(section: str, key: str) -> int:
            return int(getattr(getattr(self, section), key)) if self.is_set(f"{section}.{key}") else 0

        records, threads = asked("ingest", "channel_capacity"), asked("server", "threads")
        readers = asked("database", "pool_size")
        return tuning(
            self.machine, RequestedTuning(self.server.workers, records, threads, readers, self.event_bytes_max)
        )

    @property
    def event_bytes_max(self) -> int:
        """The largest record an event can become, by the limits in force."""
        ours = self.ingest
        return ours.max_message_bytes + ours.max_stack_bytes + ours.max_metadata_bytes + EVENT_REST_BYTES_MAX

    @property
    def ingest_workers(self) -> int:
        return self.tuning.ingest_workers

    @property
    def lane_bytes(self) -> int:
        return self.tuning.lane_kib * 1024

    @property
    def lane_count(self) -> int:
        """A lane per ingest worker and one for the dashboard, plus one for the moment old and new workers overlap."""
        return self.ingest_workers + EXTRA_LANES

    @property
    def https(self) -> bool:
        return self.auth.rp_origin.startswith("https://")


# Section → its class, which is also what makes it where nothing is set.
SECTIONS: dict[str, Any] = {f.name: f.default_factory for f in fields(Settings) if is_dataclass(f.default_factory)}


def describe(settings: Settings) -> list[tuple[str, Any, str]]:
    """Every setting as (`section.key`, value, doc), secrets hidden: for people, never for programs."""
    return [
        (f"{section}.{key}", _shown(getattr(getattr(settings, section), f.name), f), f.metadata["doc"])
        for section, kind in SECTIONS.items()
        for key, f in keys_of(kind).items()
    ]


def _shown(value: Any, f: Field[Any]) -> Any:
    return value if not (f.metadata["secret"] and value) else f"({len(value)} characters, hidden)"


def _resolved(path: str) -> Path:
    return Path(path).expanduser().resolve()
