from __future__ import annotations

import gzip
import json
import zlib

import brotli
import falcon
import pytest
import zstandard
from falcon import testing

from bloop.base.outcomes import Outcome
from bloop.base.rate_limit import RateLimiter
from bloop.ingest.app import mount_ingest
from bloop.ingest.hmac_signature import sign
from bloop.ingest.keys import ProjectKeys
from bloop.ingest.limits import Limits
from bloop.site import errors as web_errors
from tests import vectors
from tests.unit.ingest.ingest import (
    CLIENT,
    DEFAULT_ID,
    KEY,
    LEGACY_SECRET,
    NOW_MS,
    OTHER_ID,
    OTHER_KEY,
    PROJECT_ID,
    Ingest,
    encode,
    event,
    make_keys,
)

ACCEPTED = {"status": "accepted"}
BODY = encode(event())
CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress}


@pytest.fixture
def ingest() -> Ingest:
    return Ingest()


def refusal(result: testing.Result) -> tuple[int, dict[str, str]]:
    assert result.headers["content-type"] == "application/json"
    assert result.headers["access-control-allow-origin"] == "*"
    return result.status_code, result.json


# -- one event ----------------------------------------------------------------------------------------------------


def test_accepted_event_is_pushed_with_all_it_needs(ingest):
    result = ingest.send_event(message="boom 42", route_or_procedure="/users")

    assert (result.status_code, result.json) == (200, ACCEPTED)
    assert result.headers["content-type"] == "application/json"
    assert result.headers["access-control-allow-origin"] == "*"
    [record] = ingest.sink.records
    assert (record.project_id, record.received_at_ms, record.algorithm) == (PROJECT_ID, NOW_MS, "v1")
    assert len(record.fingerprint) == 16
    assert (record.event.message, record.event.route) == ("boom 42", "/users")
    assert ingest.sink.counts == {(PROJECT_ID, Outcome.RECEIVED): 1}


def test_received_is_counted_before_the_push(ingest):
    ingest.send_event()

    assert ingest.sink.log == ["received", "push"]


@pytest.mark.parametrize("case", vectors.load("fingerprints"), ids=vectors.case_id)
def test_golden_fingerprints_come_out_of_the_route(ingest, case):
    ingest.send_event(
        source=case["source"],
        error_type=case["error_type"],
        route_or_procedure=case["route"],
        message=case["message"],
        stack=case["stack"],
    )

    assert ingest.sink.records[0].fingerprint == case["fingerprint"]


def test_fingerprint_of_the_client_overrides_ours(ingest):
    ingest.send_event(fingerprint="payment-declined")

    assert (ingest.sink.records[0].fingerprint, ingest.sink.records[0].algorithm) == ("payment-declined", "client")


def test_full_lane_is_answered_200_dropped_and_counted(ingest):
    ingest.sink.room = 0

    result = ingest.send_event()

    assert (result.status_code, result.json) == (200, {"status": "dropped"})
    assert ingest.only(Outcome.RING_FULL)


@pytest.mark.parametrize("case", vectors.load("good_bodies"), ids=vectors.case_id)
def test_good_bodies_are_accepted(ingest, case):
    assert ingest.send(case["body"].encode()).json == ACCEPTED
    assert len(ingest.sink.payloads) == 1


@pytest.mark.parametrize("case", vectors.load("bad_bodies"), ids=vectors.case_id)
def test_bad_bodies_are_refused_with_text_and_path(ingest, case):
    expected = {"error": case["error"], **({"path": case["path"]} if case["path"] else {})}

    assert refusal(ingest.send(case["body"].encode())) == (400, expected)
    assert ingest.only(Outcome.INVALID)
    assert ingest.sink.payloads == []


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", ""],
)
def test_content_type_decides_nothing(ingest, content_type):
    assert ingest.send(BODY, headers={"Content-Type": content_type}).json == ACCEPTED


# -- who sent it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "secret", "project_id"),
    [
        (KEY, KEY, PROJECT_ID),
        (OTHER_KEY, OTHER_KEY, OTHER_ID),
        (None, LEGACY_SECRET, DEFAULT_ID),
        (LEGACY_SECRET, LEGACY_SECRET, DEFAULT_ID),
    ],
)
def test_event_goes_to_the_project_of_the_key(ingest, key, secret, project_id):
    assert ingest.send(BODY, key=key, secret=secret).json == ACCEPTED
    assert ingest.sink.records[0].project_id == project_id


def test_python_package_that_names_no_key_is_known_by_its_signature(ingest):
    assert ingest.send(BODY, key=None, secret=OTHER_KEY).json == ACCEPTED
    assert ingest.sink.records[0].project_id == OTHER_ID


def test_swift_and_kotlin_that_sign_with_the_secret_and_name_a_key_go_to_that_project(ingest):
    assert ingest.send(BODY, key=OTHER_KEY, secret=LEGACY_SECRET).json == ACCEPTED
    assert ingest.sink.records[0].project_id == OTHER_ID


def test_signature_in_capitals_is_as_good(ingest):
    signature = sign(KEY.encode(), BODY).hex().upper()

    assert ingest.send(BODY, headers={"X-Signature": signature}).json == ACCEPTED


def test_missing_signature(ingest):
    result = ingest.client.simulate_post("/v1/ingest", body=BODY, headers={"X-Project-Key": KEY})

    assert refusal(result) == (401, {"error": "missing X-Signature header"})


@pytest.mark.parametrize("signature", ["abc", "zz", "sha256=" + "0" * 64])
def test_signature_that_is_not_hex(ingest, signature):
    assert refusal(ingest.send(BODY, headers={"X-Signature": signature})) == (
        401,
        {"error": "invalid signature encoding"},
    )


@pytest.mark.parametrize("signature", ["00" * 32, "ab", "00" * 33])
def test_signature_that_does_not_verify(ingest, signature):
    assert refusal(ingest.send(BODY, headers={"X-Signature": signature})) == (401, {"error": "invalid signature"})


def test_key_of_another_project_does_not_open_this_one(ingest):
    assert refusal(ingest.send(BODY, key=KEY, secret=OTHER_KEY)) == (401, {"error": "invalid signature"})


def test_unknown_project_key(ingest):
    assert refusal(ingest.send(BODY, key="bloop_nobody")) == (401, {"error": "invalid project key"})
    assert ingest.only(Outcome.UNKNOWN_KEY, project_id=0)


def test_refusals_are_booked_to_the_project_the_request_names(ingest):
    ingest.send(BODY)  # from here on the keys are loaded
    ingest.sink.counts.clear()

    ingest.send(BODY, key=KEY, secret="wrong")
    ingest.send(BODY, key=None, secret="wrong")

    assert ingest.sink.counts == {
        (PROJECT_ID, Outcome.RECEIVED): 1,
        (PROJECT_ID, Outcome.BAD_SIGNATURE): 1,
        (0, Outcome.RECEIVED): 1,
        (0, Outcome.BAD_SIGNATURE): 1,
    }


def test_without_any_keys_loaded_the_answer_is_503_and_counted():
    def load():
        raise OSError("no database yet")

    ingest = Ingest(keys=ProjectKeys(load, lambda: 1, LEGACY_SECRET, lambda: None))

    assert refusal(ingest.send(BODY)) == (503, {"error": "project keys are not loaded yet"})
    assert ingest.only(Outcome.UNKNOWN_KEY, project_id=0)


# -- order of checks ----------------------------------------------------------------------------------------------


def test_of_several_faults_the_first_in_the_documented_order_is_named():
    """Each request has every fault from its place on; mending them one by one walks down the list."""
    limiter = RateLimiter(1e-9, 1)
    limiter.take(CLIENT)
    too_large = b"[" + b" " * 32768 + b"}"
    limited = Ingest(rate_limit=limiter).client.simulate_post("/v1/ingest", body=too_large, remote_addr=CLIENT)
    assert limited.status_code == 429

    client = Ingest().client

    def post(body: bytes, **headers: str) -> tuple[int, dict[str, str]]:
        return refusal(
            client.simulate_post("/v1/ingest", body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
        )

    nobody, zeros = "bloop_nobody", "00" * 32
    assert post(too_large, X_Project_Key=nobody) == (401, {"error": "missing X-Signature header"})
    assert post(too_large, X_Project_Key=nobody, X_Signature="zz") == (401, {"error": "invalid signature encoding"})
    assert post(too_large, X_Project_Key=nobody, X_Signature=zeros) == (400, {"error": "body exceeds 32768 bytes"})
    assert post(b"[}", X_Project_Key=nobody, X_Signature=zeros) == (401, {"error": "invalid project key"})
    assert post(b"[}", X_Project_Key=KEY, X_Signature=zeros) == (401, {"error": "invalid signature"})
    status, body = post(b"[}", X_Project_Key=KEY, X_Signature=sign(KEY.encode(), b"[}").hex())
    assert status == 400
    assert body["error"].startswith("invalid JSON: ")


# -- size and coding ----------------------------------------------------------------------------------------------


def padded(size: int) -> bytes:
    """A valid event of exactly `size` bytes: fields nobody knows cost nothing but room."""
    body = encode(event(padding=""))
    return encode(event(padding="x" * (size - len(body))))


def test_body_bound_is_inclusive(ingest):
    assert ingest.send(padded(32768)).json == ACCEPTED
    assert refusal(ingest.send(padded(32769))) == (400, {"error": "body exceeds 32768 bytes"})
    assert ingest.sink.counts[PROJECT_ID, Outcome.TOO_LARGE] == 1


def test_body_bound_holds_when_the_length_is_not_declared(ingest):
    chunked = {"wsgi.input_terminated": True}

    for size, status in ((32768, 200), (32769, 400)):
        body = padded(size)
        environ = testing.create_environ(
            path="/v1/ingest",
            method="POST",
            body=body,
            headers={"X-Signature": sign(KEY.encode(), body).hex(), "X-Project-Key": KEY},
        )
        del environ["CONTENT_LENGTH"]
        start = testing.StartResponseMock()
        b"".join(ingest.app({**environ, **chunked}, start))
        assert start.status[:3] == str(status)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("signed", ["as sent", "inflated"])
def test_compressed_body_may_be_signed_before_or_after_compression(ingest, coding, signed):
    sent = CODINGS[coding](BODY)
    signature = sign(KEY.encode(), sent if signed == "as sent" else BODY).hex()

    result = ingest.send(sent, headers={"Content-Encoding": coding, "X-Signature": signature})

    assert result.json == ACCEPTED
    assert ingest.sink.records[0].event.message == "boom"


@pytest.mark.parametrize("coding", CODINGS)
def test_compressed_body_signed_by_nobody_is_refused(ingest, coding):
    result = ingest.send(CODINGS[coding](BODY), secret="wrong", headers={"Content-Encoding": coding})

    assert refusal(result) == (401, {"error": "invalid signature"})


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("secret", [KEY, "wrong"])
def test_bomb_is_refused_as_too_large(ingest, coding, secret):
    bomb = CODINGS[coding](b" " * 1_000_000)
    assert len(bomb) < 32768

    result = ingest.send(bomb, secret=secret, headers={"Content-Encoding": coding})

    assert refusal(result) == (400, {"error": "body exceeds 32768 bytes"})
    assert Outcome.TOO_LARGE in {outcome for _, outcome in ingest.sink.counts}
    assert ingest.sink.balance() == 0


def test_unknown_coding_is_400(ingest):
    status, body = refusal(ingest.send(BODY, headers={"Content-Encoding": "compress"}))

    assert (status, "unsupported content encoding" in body["error"]) == (400, True)
    assert ingest.only(Outcome.INVALID)


def test_broken_compressed_body_is_400(ingest):
    assert refusal(ingest.send(BODY, headers={"Content-Encoding": "gzip"})) == (
        400,
        {"error": "body is not valid gzip"},
    )


# -- batches ------------------------------------------------------------------------------------------------------


def test_batch_of_good_events(ingest):
    result = ingest.send_batch([event(message="a"), event(message="b")])

    assert (result.status_code, result.json) == (200, {"accepted": 2, "dropped": 0, "errors": []})
    assert [record.event.message for record in ingest.sink.records] == ["a", "b"]
    assert ingest.sink.counts == {(PROJECT_ID, Outcome.RECEIVED): 2}
    assert ingest.sink.log[0] == "received"


def test_bad_elements_cost_only_themselves(ingest):
    events = [event(), event(environment=""), event(timestamp="now"), event(source="no such"), "text", None, event()]

    result = ingest.send_batch(events)

    assert result.status_code == 200
    assert (result.json["accepted"], result.json["dropped"]) == (2, 0)
    assert result.json["errors"] == [
        {"index": 1, "error": "validation error: environment is required", "path": "events[1].environment"},
        {"index": 2, "error": "validation error: timestamp must be an integer", "path": "events[2].timestamp"},
        {
            "index": 3,
            "error": "validation error: source must be at most 32 characters of a-z 0-9 . _ -",
            "path": "events[3].source",
        },
        {"index": 4, "error": "validation error: event must be a JSON object", "path": "events[4]"},
        {"index": 5, "error": "validation error: event must be a JSON object", "path": "events[5]"},
    ]
    assert ingest.sink.counts == {(PROJECT_ID, Outcome.RECEIVED): 7, (PROJECT_ID, Outcome.INVALID): 5}


def test_lane_that_fills_up_within_a_batch(ingest):
    ingest.sink.room = 2

    result = ingest.send_batch([event()] * 3 + [event(environment="")] + [event()])

    assert (result.json["accepted"], result.json["dropped"], len(result.json["errors"])) == (2, 2, 1)
    assert ingest.sink.counts == {
        (PROJECT_ID, Outcome.RECEIVED): 5,
        (PROJECT_ID, Outcome.RING_FULL): 2,
        (PROJECT_ID, Outcome.INVALID): 1,
    }
    assert ingest.sink.balance() == 0


def test_empty_batch_is_zeros_and_counts_nothing(ingest):
    assert ingest.send_batch([]).json == {"accepted": 0, "dropped": 0, "errors": []}
    assert ingest.sink.counts == {}


def test_python_and_ruby_batches_of_a_hundred_are_taken(ingest):
    assert ingest.send_batch([event()] * 100).json == {"accepted": 100, "dropped": 0, "errors": []}


def test_batch_beyond_the_tolerance_is_refused_whole_and_every_element_counted(ingest):
    assert refusal(ingest.send_batch([event()] * 101)) == (
        400,
        {"error": "batch exceeds max size of 100", "path": "events"},
    )
    assert ingest.only(Outcome.TOO_LARGE, n=101)
    assert ingest.sink.payloads == []


def test_batch_of_twenty_large_stacks_is_taken(ingest):
    assert ingest.send_batch([event(stack="x" * 8192)] * 20).json["accepted"] == 20


def test_batch_body_bound_is_that_of_a_full_batch_of_full_events():
    ingest = Ingest(limits=Limits(payload_bytes_max=1024, batch_events_max=4))
    body = encode({"events": []})

    assert ingest.send(body + b" " * (4096 - len(body)), "/v1/ingest/batch").status_code == 200
    assert refusal(ingest.send(body + b" " * (4097 - len(body)), "/v1/ingest/batch")) == (
        400,
        {"error": "body exceeds 4096 bytes"},
    )


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ([], {"error": "batch must be a JSON object"}),
        (None, {"error": "batch must be a JSON object"}),
        ({}, {"error": "events is required", "path": "events"}),
        ({"events": None}, {"error": "events is required", "path": "events"}),
        ({"events": {}}, {"error": "events must be an array", "path": "events"}),
        ({"events": "[]"}, {"error": "events must be an array", "path": "events"}),
    ],
)
def test_batch_of_the_wrong_shape(ingest, body, answer):
    assert refusal(ingest.send(encode(body), "/v1/ingest/batch")) == (400, answer)
    assert ingest.only(Outcome.INVALID)


def test_other_keys_of_a_batch_are_ignored(ingest):
    assert ingest.send(encode({"sdk": "x", "events": [event()]}), "/v1/ingest/batch").json["accepted"] == 1


def test_lone_surrogate_in_one_event_costs_nothing(ingest):
    body = encode({"events": [event(), event(stack="at \ud83d"), event()]})

    assert ingest.send(body, "/v1/ingest/batch").json["accepted"] == 3
    assert ingest.sink.records[1].event.stack == "at \ufffd"


# -- rate limit ---------------------------------------------------------------------------------------------------


def test_client_over_its_rate_is_told_when_to_come_back():
    ingest = Ingest(rate_limit=RateLimiter(0.1, 2, monotonic=lambda: 0.0))

    assert [ingest.send(BODY).status_code for _ in range(3)] == [200, 200, 429]
    result = ingest.send(BODY)

    assert refusal(result) == (429, {"error": "too many requests, retry in 10 s"})
    assert result.headers["retry-after"] == "10"
    assert ingest.sink.counts == {(PROJECT_ID, Outcome.RECEIVED): 4, (PROJECT_ID, Outcome.RATE_LIMITED): 2}


def test_batch_and_single_share_one_bucket_and_a_batch_is_one_request():
    ingest = Ingest(rate_limit=RateLimiter(0.1, 2, monotonic=lambda: 0.0))

    assert ingest.send_batch([event()] * 10).status_code == 200
    assert ingest.send(BODY).status_code == 200
    assert ingest.send(BODY).status_code == 429


def test_forwarded_address_counts_only_behind_a_trusted_proxy():
    def statuses(trusted_proxies: tuple[str, ...]) -> list[int]:
        ingest = Ingest(rate_limit=RateLimiter(0.1, 1, monotonic=lambda: 0.0), trusted_proxies=trusted_proxies)
        clients = ("198.51.100.1", "198.51.100.2", "198.51.100.1")
        return [ingest.send(BODY, headers={"X-Forwarded-For": client}).status_code for client in clients]

    assert statuses(()) == [200, 429, 429]
    assert statuses(("127.0.0.0/8",)) == [200, 200, 429]


def test_preflight_is_not_limited_and_takes_no_token():
    ingest = Ingest(rate_limit=RateLimiter(0.1, 1, monotonic=lambda: 0.0))

    assert [ingest.client.simulate_options("/v1/ingest").status_code for _ in range(5)] == [204] * 5
    assert ingest.send(BODY).status_code == 200
    assert ingest.send(BODY).status_code == 429
    assert ingest.client.simulate_options("/v1/ingest").status_code == 204


# -- HTTP ---------------------------------------------------------------------------------------------------------

PATHS = ["/v1/ingest", "/v1/ingest/batch"]
SLOPPY = ["/v1/ingest/", "//v1/ingest", "/v1//ingest", "//v1///ingest//", "/v1/ingest/batch/", "//v1/ingest//batch"]


@pytest.mark.parametrize("path", PATHS + SLOPPY)
def test_preflight_is_answered_without_credentials(ingest, path):
    result = ingest.client.simulate_options(
        path, headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    )

    assert (result.status_code, result.content) == (204, b"")
    assert result.headers["access-control-allow-origin"] == "*"
    assert set(result.headers["access-control-allow-methods"].split(", ")) == {"POST", "PUT", "OPTIONS"}
    assert {"Content-Type", "X-Signature", "X-Project-Key", "Authorization"} <= set(
        result.headers["access-control-allow-headers"].split(", ")
    )
    assert int(result.headers["access-control-max-age"]) > 0
    assert ingest.sink.counts == {}


@pytest.mark.parametrize("path", PATHS + SLOPPY)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_wrong_method_is_405_and_says_which_are_right(ingest, path, method):
    result = ingest.client.simulate_request(method, path)

    assert (result.status_code, result.headers["allow"]) == (405, "OPTIONS, POST")
    assert result.headers["access-control-allow-origin"] == "*"
    if method != "HEAD":
        assert result.json == {"error": "method not allowed"}


@pytest.mark.parametrize("path", SLOPPY)
def test_repeated_and_trailing_slashes_are_the_same_route(ingest, path):
    body = encode({"events": [event()]}) if "batch" in path else BODY

    assert ingest.send(body, path).status_code == 200
    assert len(ingest.sink.payloads) == 1


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/ingest/batch/x", "/v1/ingestion", "/v2/ingest", "/v1/ingest/x", "/x/v1/ingest"]
)
def test_unknown_path_is_404_json(ingest, path):
    result = ingest.client.simulate_post(path, body=BODY)

    assert (result.status_code, result.json) == (404, {"error": "not found"})
    assert ingest.sink.counts == {}


def test_query_string_changes_nothing(ingest):
    assert ingest.send(BODY, "/v1/ingest", query_string="sdk=js&v=1").json == ACCEPTED


def test_routes_can_be_mounted_on_another_app():
    ingest = Ingest()
    app = falcon.App()
    web_errors.install(app)
    mount_ingest(
        app,
        sink=ingest.sink,
        keys=make_keys(),
        limits=Limits(),
        rate_limit=RateLimiter(0, 1),
        trusted_proxies=(),
    )
    ingest.client = testing.TestClient(app)

    assert ingest.send(BODY).json == ACCEPTED
    assert ingest.send_batch([event()]).json["accepted"] == 1
    assert ingest.send(BODY, "//v1/ingest/").json == ACCEPTED


def test_surprise_inside_is_a_500_without_detail(ingest, caplog):
    def push(kind: int, payload: bytes) -> bool:
        raise ZeroDivisionError("detail of the inside")

    ingest.sink.push = push

    assert refusal(ingest.send(BODY)) == (500, {"error": "internal server error"})
    assert caplog.records[0].action == "request_failed"


def test_answer_to_a_batch_is_compact_json(ingest):
    assert ingest.send_batch([event()]).content == b'{"accepted":1,"dropped":0,"errors":[]}'
    assert json.loads(ingest.send(BODY).content) == ACCEPTED
