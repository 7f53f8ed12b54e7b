from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bloop.base.outcomes import Outcome
from bloop.base.rate_limit import RateLimiter
from bloop.ingest.limits import Limits
from tests.unit.ingest.ingest import KEY, LEGACY_SECRET, OTHER_KEY, Ingest, encode

RELAXED = settings(max_examples=100, deadline=None)

text = st.text(max_size=30)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
required = {
    "timestamp": st.integers(-(2**63), 2**63 - 1),
    "source": st.from_regex(r"[A-Za-z0-9._-]{1,32}", fullmatch=True),
    "environment": st.text(min_size=1, max_size=64),
    "error_type": st.text(min_size=1, max_size=128),
    "message": st.text(min_size=1, max_size=512),
}
labels = ("route_or_procedure", "screen", "request_id", "user_id_hash", "device_id_hash", "app_version", "build_number")
optional = {
    "release": st.none() | st.text(max_size=64),
    "stack": st.none() | st.text(max_size=2048),
    "http_status": st.none() | st.integers(0, 65535),
    "metadata": st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=6,
    ),
    "level": st.sampled_from([None, "", "fatal", "ERROR", "warning", "info", "debug"]),
    "fingerprint": st.none() | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=256),
    "a field of tomorrow": json_values.map(lambda value: repr(value)),
    **{name: st.none() | st.text(max_size=64) for name in labels},
}
valid_events = st.fixed_dictionaries(required, optional=optional)
paths = st.sampled_from(["/v1/ingest", "/v1/ingest/batch"])


@RELAXED
@given(valid_events)
def test_valid_events_are_always_accepted(data):
    ingest = Ingest()

    result = ingest.send(encode(data))

    assert (result.status_code, result.json) == (200, {"status": "accepted"})
    assert ingest.sink.records[0].event.message
    assert ingest.sink.balance() == 0


@RELAXED
@given(paths, st.binary(max_size=200))
def test_any_bytes_are_refused_and_never_a_500(path, body):
    ingest = Ingest()

    assert ingest.send(body, path).status_code == 400
    assert ingest.only(Outcome.INVALID)


@RELAXED
@given(paths, json_values)
def test_any_json_is_answered_and_never_a_500(path, value):
    ingest = Ingest()

    result = ingest.send(encode(value), path)

    assert result.status_code in {200, 400}
    assert ingest.sink.balance() == 0


@RELAXED
@given(st.dictionaries(st.sampled_from([*required, *optional]), json_values, min_size=1, max_size=4))
def test_refusal_of_an_object_always_names_a_path(fields):
    ingest = Ingest()

    result = ingest.send_event(**fields)

    if result.status_code == 400 and not result.json["error"].startswith("invalid JSON"):
        assert result.json["path"] in fields
        assert result.json["path"] in result.json["error"]
    assert result.status_code in {200, 400}


@RELAXED
@given(
    st.lists(valid_events | json_values, max_size=8),
    st.none() | st.integers(0, 8),
    st.sampled_from([KEY, OTHER_KEY, "bloop_nobody", LEGACY_SECRET, None]),
    st.sampled_from([KEY, OTHER_KEY, LEGACY_SECRET, "wrong"]),
    st.sampled_from(
        [{}, {"X-Signature": "zz"}, {"X-Signature": ""}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "x"}]
    ),
    st.sampled_from([(0, 1), (1e-9, 1), (1e-9, 2)]),
    st.sampled_from([Limits(), Limits(payload_bytes_max=64), Limits(batch_events_max=2)]),
    paths,
)
def test_ledger_balances_whatever_is_sent(elements, room, key, secret, headers, rate_limit, limits, path):
    ingest = Ingest(limits=limits, rate_limit=RateLimiter(*rate_limit))
    ingest.send_event()  # a first request: it loads the keys and spends a token
    before = len(ingest.sink.payloads)
    ingest.sink.room = room
    body = encode({"events": elements}) if "batch" in path else encode(elements[0] if elements else {})

    result = ingest.send(body, path, key=key, secret=secret, headers=headers)

    assert result.status_code in {200, 400, 401, 429}
    assert ingest.sink.balance() == 0
    if result.status_code == 200 and "batch" in path:
        assert result.json["accepted"] == len(ingest.sink.payloads) - before
        assert result.json["accepted"] + result.json["dropped"] + len(result.json["errors"]) == len(elements)


@RELAXED
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20), st.binary(max_size=40))
def test_any_headers_are_answered_and_never_a_500(signature, key, coding, body):
    ingest = Ingest()
    environ = {
        "HTTP_X_SIGNATURE": signature.encode().decode("latin-1"),
        "HTTP_X_PROJECT_KEY": key.encode().decode("latin-1"),
        "HTTP_CONTENT_ENCODING": coding.encode().decode("latin-1"),
    }

    result = ingest.client.simulate_post("/v1/ingest", body=body, extras=environ)

    assert result.status_code in {400, 401}
    assert ingest.sink.balance() == 0
