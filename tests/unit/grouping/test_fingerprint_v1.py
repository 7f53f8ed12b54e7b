from __future__ import annotations

import pytest

from bloop.grouping.fingerprint_v1 import ALGORITHM, compute, culprit
from bloop.grouping.normalize import normalize_message, top_frame
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from tests import vectors
from tests.unit.ingest.ingest import NOW_MS, event

CASES = vectors.load("fingerprints")


@pytest.mark.parametrize("case", CASES, ids=vectors.case_id)
def test_golden_fingerprints_hold(case):
    assert normalize_message(case["message"]) == case["normalized"]
    assert top_frame(case["stack"], case["error_type"]) == case["top"]
    assert (
        compute(case["source"], case["error_type"], case["route"], case["message"], case["stack"])
        == case["fingerprint"]
    )


def test_result_is_sixteen_lower_case_hex_digits_zeros_kept():
    fingerprints = {compute("api", "E", None, f"{'x' * n}", None) for n in range(300)}

    assert len(fingerprints) == 300
    assert all(len(f) == 16 and set(f) <= set("0123456789abcdef") for f in fingerprints)
    assert any(f.startswith("0") for f in fingerprints)


def test_null_and_empty_route_or_stack_are_the_same():
    assert compute("api", "E", None, "m", None) == compute("api", "E", "", "m", "")


@pytest.mark.parametrize(
    "change",
    [{"source": "ios"}, {"error_type": "F"}, {"route": "/b"}, {"message": "n"}, {"stack": "at other (x.js:1)"}],
)
def test_each_ingredient_counts(change):
    base = {"source": "api", "error_type": "E", "route": "/a", "message": "m", "stack": "at f (x.js:1)"}

    assert compute(**base) != compute(**{**base, **change})


def test_other_address_and_port_is_the_same_issue():
    def at(host: str) -> str:
        return compute("api", "ConnError", None, f"Connection refused at {host}", None)

    assert at("10.0.0.1:5432") == at("192.168.1.2:3306")


def test_algorithm_has_a_name():
    assert ALGORITHM == "v1"


def test_culprit_is_the_frame_the_fingerprint_saw():
    parsed, _ = parse_event(event(stack="TypeError: boom\n  at load (/app/a.js:1:2)"), Limits(), NOW_MS)

    assert culprit(parsed) == "at load (/app/a.js)"


def test_culprit_of_an_event_without_stack_is_none():
    parsed, _ = parse_event(event(), Limits(), NOW_MS)

    assert culprit(parsed) is None
