"""Events that are too long, for projects that would rather have them shortened."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.outcomes import Outcome
from bloop.ingest.dialects.native import parse_single
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.keys import ProjectKey, ProjectKeys
from bloop.ingest.limits import Limits
from bloop.ingest.parsed import RejectAll
from bloop.ingest.trim import PATHS_MAX, cut_middle, cut_tail, trim
from bloop.records.event import Event
from tests.unit.ingest.ingest import KEY, NOW_MS, OTHER_ID, OTHER_KEY, PROJECT_ID, Ingest, encode, event

LIMITS = Limits(is_trimming=True)


def trimmed(**fields: Any) -> Event:
    (accepted,) = parse_single(encode(event(**fields)), LIMITS, NOW_MS, {})
    value: Event = accepted.value
    return value


def cut_of(made: Event) -> list[str] | None:
    return made.parts.cut if made.parts is not None else None


def test_message_loses_its_end():
    made = trimmed(message="SQLSTATE[42000] " + "(0,'x')," * 400)

    assert made.message.startswith("SQLSTATE[42000] (0,'x'),")
    assert made.message.endswith("…")
    assert len(made.message.encode()) == 2048
    assert cut_of(made) == ["message"]


def test_stack_loses_its_middle_and_keeps_the_cause_at_its_end():
    lines = ["jakarta.servlet.ServletException: Request processing failed"]
    lines += [f"\tat org.springframework.web.Filter{n}.doFilter(Filter.java:{n})" for n in range(250)]
    lines += ["Caused by: java.sql.SQLException: too many connections", "\tat com.acme.Orders.save(Orders.java:42)"]

    made = trimmed(stack="\n".join(lines))

    kept = (made.stack or "").split("\n")
    assert kept[:2] == lines[:2]
    assert kept[-2:] == lines[-2:]
    (mark,) = (line for line in kept if "lines cut" in line)
    assert mark == f"    ... {len(lines) - len(kept) + 1} lines cut ..."
    assert [line for line in kept if line != mark] == [line for line in lines if line in kept]
    assert 7800 < len((made.stack or "").encode()) <= 8192
    assert cut_of(made) == ["stack"]


def test_stack_of_one_endless_line_keeps_its_ends():
    made = trimmed(stack="start " + "é" * 9000 + " end")

    assert made.stack is not None
    assert made.stack.startswith("start é")
    assert made.stack.endswith("é end")
    assert "…" in made.stack
    assert len(made.stack.encode()) <= 8192


def test_metadata_loses_its_largest_values_and_keeps_the_others_whole():
    small = {f"k{n}": n for n in range(20)}
    made = trimmed(metadata=small | {"request": {"id": "r-1", "body": "b" * 5000}, "html": "<" * 3000, "user": "ada"})

    assert made.metadata is not None
    kept = json.loads(made.metadata)
    assert {key: kept[key] for key in small} == small
    assert (kept["user"], kept["request"]["id"]) == ("ada", "r-1")
    assert kept["request"]["body"].startswith("bbbb")
    assert kept["request"]["body"].endswith("…")
    assert kept["html"].endswith("…")
    assert [*kept] == [*small, "request", "html", "user"]
    assert 3900 < len(made.metadata.encode()) <= 4096
    assert cut_of(made) == ["metadata.html", "metadata.request.body"]


@pytest.mark.parametrize(
    ("metadata", "cut"),
    [
        ("x" * 5000, ["metadata"]),
        ([*range(3000)], ["metadata"]),
        ({f"key-{n}": "v" for n in range(2000)}, ["metadata"]),
        ({"k": [*range(3000)]}, ["metadata.k"]),
        ('{"k":"' + "v" * 5000 + '"}', ["metadata.k"]),
        ({"id": 2**70, "k": "\x01" * 5000}, ["metadata.k"]),
    ],
    ids=["text", "list", "keys", "list in an object", "sent as text", "escapes beside a large integer"],
)
def test_metadata_of_every_shape_fits(metadata: Any, cut: list[str]):
    made = trimmed(metadata=metadata)

    assert cut_of(made) == cut
    assert made.metadata is not None
    assert len(made.metadata.encode()) <= 4096
    if isinstance(metadata, dict) and "id" in metadata:
        assert f'"id":{2**70}' in made.metadata


def test_key_that_alone_is_too_long_is_left_out():
    made = trimmed(metadata={"k" * 5000: 1})

    assert (made.metadata, cut_of(made)) == (None, ["metadata"])


def test_names_are_cut_and_fingerprints_are_not():
    made = trimmed(release="r" * 300, route_or_procedure="/é" * 600, user_id_hash="u" * 257)

    assert len(made.release.encode()) == 256
    assert len((made.route or "").encode()) <= 1024
    assert cut_of(made) == ["release", "route_or_procedure", "user_id_hash"]
    refused = parse_single(encode(event(message="m" * 3000, fingerprint="f" * 257)), LIMITS, NOW_MS, {})
    assert refused == RejectAll(Outcome.INVALID, "fingerprint", "fingerprint exceeds 256 characters")


def test_event_that_fits_is_left_alone_and_lists_nothing():
    assert trimmed(stack="s" * 8192, message="m" * 2048).parts is None


def test_trimmed_event_may_still_be_refused_for_something_else():
    refused = parse_single(encode(event(message="m" * 3000, http_status=-1)), LIMITS, NOW_MS, {})

    assert refused == RejectAll(
        Outcome.INVALID, "http_status", "http_status must be an integer from 0 to 65535 or null"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=40,
)


@given(json_values, st.integers(2, 300), st.integers(1, 3))
def test_whatever_is_trimmed_fits(metadata: Any, bytes_max: int, copies: int):
    limits = Limits(metadata_bytes_max=bytes_max, is_trimming=True)
    data = event(metadata={str(n): metadata for n in range(copies)})

    cut_data, cut = trim(data, limits)

    if len(orjson.dumps(data["metadata"])) <= bytes_max:
        assert (cut_data, cut) == (data, [])
    else:
        assert cut
        assert len(cut) <= PATHS_MAX
        assert len(orjson.dumps(cut_data["metadata"])) <= bytes_max
    parse_event(cut_data, limits, NOW_MS)


@given(st.text(max_size=400), st.integers(16, 300))
def test_cut_text_is_never_longer_than_allowed(text: str, bytes_max: int):
    text += "x" * bytes_max

    assert len(cut_tail(text, bytes_max).encode()) <= bytes_max
    assert len(cut_middle(text, bytes_max).encode()) <= bytes_max
    assert len(cut_middle(text.replace("x", "\n"), bytes_max).encode()) <= bytes_max


def test_each_project_chooses_for_itself_from_its_next_request_on():
    rows, generation = [ProjectKey(PROJECT_ID, KEY), ProjectKey(OTHER_ID, OTHER_KEY, is_trimming=True)], [1]
    ingest = Ingest(keys=ProjectKeys(lambda: rows, lambda: generation[0], "", lambda: None))
    body = encode(event(message="m" * 3000))

    assert ingest.send(body).json == {"error": "message exceeds 2048 bytes", "path": "message"}
    assert ingest.send(body, key=OTHER_KEY).json == {"status": "accepted"}
    rows[0], generation[0] = ProjectKey(PROJECT_ID, KEY, is_trimming=True), 2
    assert ingest.send(body).json == {"status": "accepted"}
    batch = ingest.send(encode({"events": [event(), event(stack="s\n" * 9000)]}), "/v1/ingest/batch")
    assert batch.json == {"accepted": 2, "dropped": 0, "errors": []}

    stored = [record.event for record in ingest.sink.records]
    assert [cut_of(made) for made in stored] == [["message"], ["message"], None, ["stack"]]
    assert ingest.sink.balance() == 0


def test_body_above_its_limit_stays_refused():
    ingest = Ingest(limits=LIMITS)

    assert ingest.send(encode(event(message="m" * 40_000))).json == {"error": "body exceeds 32768 bytes"}
