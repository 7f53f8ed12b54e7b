from __future__ import annotations

from collections.abc import Iterator

import pytest

from bloop.ring import Consumer, Producer, Segment
from tests.unit.ring.support import fresh_ring_name


@pytest.fixture
def name() -> Iterator[str]:
    with fresh_ring_name() as name:
        yield name


@pytest.fixture
def segment(name: str) -> Iterator[Segment]:
    """Two small lanes, so that a few records wrap or fill them."""
    segment = Segment.create(name, lane_count=2, lane_bytes=1024)
    yield segment
    segment.close()


@pytest.fixture
def producer(segment: Segment) -> Iterator[Producer]:
    producer = Producer.claim(segment)
    yield producer
    producer.close()


@pytest.fixture
def consumer(segment: Segment) -> Iterator[Consumer]:
    consumer = Consumer.claim(segment)
    yield consumer
    consumer.close()
