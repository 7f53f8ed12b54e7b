"""Requests as careless clients send them, each with its answer and what is stored: tests/vectors/odd_requests.json."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bloop.ingest.hmac_signature import sign
from bloop.ingest.keys import ProjectKey, ProjectKeys
from tests import vectors
from tests.unit.ingest.ingest import KEY, PROJECT_ID, Ingest

SIGNATURES = {
    "upper": lambda digest: digest.hex().upper(),
    "prefixed": lambda digest: f"sha256={digest.hex()}",
    "base64": lambda digest: base64.b64encode(digest).decode(),
}


@pytest.mark.parametrize("case", vectors.load("odd_requests"), ids=vectors.case_id)
def test_odd_request_is_answered_and_stored_as(case: dict[str, Any]):
    key = ProjectKey(PROJECT_ID, KEY, is_trimming=case.get("oversize") == "trim")
    ingest = Ingest(keys=ProjectKeys(lambda: [key], lambda: 1, "", lambda: None))
    body = base64.b64decode(case["body_base64"]) if "body_base64" in case else case["body"].encode()
    headers = {"X-Project-Key": KEY} | case.get("headers", {})
    if case.get("signature") != "none":
        spell = SIGNATURES.get(case.get("signature"), bytes.hex)
        headers["X-Signature"] = spell(sign(KEY.encode(), body))

    result = ingest.client.simulate_post(case["path"], body=body, headers=headers)

    assert (result.status_code, result.json) == (case["status"], case["answer"])
    assert ingest.sink.balance() == 0
    if "stored" in case:
        event = ingest.sink.records[0].event
        found = {name: getattr(event, name) for name in case["stored"] if name != "cut"}
        cut = event.parts.cut if event.parts is not None else []
        assert found | ({"cut": cut} if cut else {}) == case["stored"]
    elif case["status"] != 200:
        assert ingest.sink.payloads == []
