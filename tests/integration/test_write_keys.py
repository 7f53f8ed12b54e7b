"""A write-only key on its way from the database into an ingest worker's cache, and out of it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bloop.base.errors import UnknownKey
from bloop.db import connection
from bloop.projects.write_keys.store import WriteKeyKind, create_write_key, revoke_write_key
from bloop.ring import Segment
from tests.integration.writer_machine import PROJECT, T0, Machine
from workers import serving


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, f"bloop-test-write-keys-{os.getpid()}")
    machine.write_and_stop()
    yield machine
    Segment.unlink(machine.settings.ring_name)


def test_a_key_works_from_the_next_generation_on_and_is_refused_from_the_one_of_its_revocation(machine: Machine):
    settings = machine.settings
    with (
        closing(Segment.attach(settings.ring_name)) as segment,
        closing(connection.open_control(settings.database_path)) as db,
    ):
        keys = serving.make_keys(settings, segment)
        with connection.immediate(db):
            key_id, key = create_write_key(db, PROJECT, WriteKeyKind.CAPTURE, now_ms=T0)
        segment.bump_generation()

        assert keys.authenticate_write_key("capture", key) == keys.find_write_key("capture", key) == PROJECT
        with pytest.raises(UnknownKey):
            keys.authenticate_write_key("dsn", key)

        with connection.immediate(db):
            revoke_write_key(db, PROJECT, key_id, now_ms=T0 + 1)
        segment.bump_generation()

        with pytest.raises(UnknownKey):
            keys.authenticate_write_key("capture", key)
        assert keys.find_write_key("capture", key) == PROJECT, "refusals are booked to the project it belonged to"
