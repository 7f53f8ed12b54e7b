"""Requests made from docs/openapi.yaml: what the description allows, and what it forbids, with good credentials.

The statuses and their bodies are checked by tests/acceptance/test_openapi.py. Here it counts that nothing breaks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck
from schemathesis import GenerationMode

from tests.acceptance.test_openapi import SENT_BY_NOBODY, Client, fit, schema
from tests.hostile.wire import HANG_S, Outcome

Book = Callable[[str, Outcome], None]


def send_described(client: Client, count: int, seed: int, book: Book) -> None:
    """At most about `count` requests over all operations; `book` gets the name of the operation."""
    operations = [result.ok() for result in schema.get_all_operations()]
    sendable = [o for o in operations if o.definition.raw["operationId"] not in SENT_BY_NOBODY]
    each = max(1, count // (2 * len(sendable)))

    def send(case: schemathesis.Case) -> None:
        book(f"{case.method} {case.operation.path}", _outcome(client, case))

    for number, operation in enumerate(sendable):
        client.sign_in_again()  # an operation before may have ended this sign-in
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _run(operation, mode, each, seed + number, send)


def _run(
    operation: Any, mode: GenerationMode, count: int, seed: int, send: Callable[[schemathesis.Case], None]
) -> None:
    try:
        strategy = operation.as_strategy(generation_mode=mode)
    except schemathesis.errors.SchemathesisError:  # nothing about this operation can be wrong
        return

    def send_fitting(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE:  # what is forbidden stays as it was made
            fit(case)
        send(case)

    run = hypothesis.given(strategy)(send_fitting)
    run = hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[hypothesis.Phase.generate],
    )(hypothesis.seed(seed)(run))
    try:
        run()
    except (hypothesis.errors.Unsatisfiable, hypothesis.errors.InvalidArgument):
        return


def _outcome(client: Client, case: schemathesis.Case) -> Outcome:
    started = time.monotonic()
    try:
        answer = case.call(base_url=client.url, timeout=HANG_S, **client.how_to_send(case))
    except requests.exceptions.Timeout:
        return Outcome((), True, time.monotonic() - started)
    except (requests.exceptions.RequestException, UnicodeError, ValueError):  # no HTTP client sends this
        return Outcome((), False, time.monotonic() - started)
    return Outcome((answer.status_code,), False, time.monotonic() - started)
