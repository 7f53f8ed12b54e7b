"""Sizes on the disk are read, not computed."""

from __future__ import annotations

from bloop.retention import disk
from bloop.retention.disk import PAGE_BYTES
from tests.seed import Seed


def test_sizes_are_those_of_the_database(seed: Seed) -> None:
    seed.project("shop")

    seen = disk.sizes(seed.db, seed.path)

    assert seen.database_bytes == seed.value("PRAGMA page_count") * PAGE_BYTES
    assert seen.wal_bytes == seed.path.with_name("bloop.db-wal").stat().st_size
    assert seen.disk_free_bytes is not None
