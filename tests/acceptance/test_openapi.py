"""docs/openapi.yaml against a running bloop: every operation, with data it describes and data it forbids.

Requests go over real connections: those to ingest routes reach an ingest worker, all others are handed over to the
dashboard. What fuzzing got accepted is stored by the real writer, and the read routes then show it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import hmac
import itertools
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest
import requests
import schemathesis
import zstandard
from hypothesis import HealthCheck, settings, strategies
from requests.auth import AuthBase
from schemathesis.checks import CHECKS

from bloop.base.clock import now_ms
from bloop.base.outcomes import REFUSALS, Outcome
from tests.acceptance.harness import BloopServer, event, sign_in_link
from tests.waiting import until

SPEC = Path(__file__).parents[2] / "docs" / "openapi.yaml"
EXAMPLES_MAX = int(os.environ.get("BLOOP_TEST_EXAMPLES", "6"))  # for a search: 200, and new ones every time
IS_SEARCH = "BLOOP_TEST_EXAMPLES" in os.environ
# The event of the document's examples, so that those of the read routes find something.
EXAMPLE_FINGERPRINT = "c6be5b205cdb4fae"
EXAMPLE = {
    "error_type": "TypeError",
    "message": "Cannot read property 'id' of undefined",
    "route_or_procedure": "/users",
    "release": "1.4.2",
}

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
# tests/integration/api/test_access_table.py checks the access to every route.
UNCHECKED = ("ignored_auth",)
# Only a browser with a passkey can answer their challenge; tests/integration/api/test_passkeys.py does.
CEREMONIES = re.compile("(?:start|finish)(?:Registration|Invited|Login|Passkey)")
SENT_BY_NOBODY = ("resetAccounts", "streamSignals")  # it would sign this very client out; it does not end

# Only the server makes cursors; blank is the one that fits every list. Following them: tests/integration/api.
schemathesis.openapi.format("cursor", strategies.just(""))
TIME_RANGES = ("1h", "24h", "30d", "2026-01-18T09:00..2026-01-18T12:00", "2026-01-18..2026-01-20T08:30:15Z")
schemathesis.openapi.format("time-range", strategies.sampled_from(TIME_RANGES))
schema = schemathesis.openapi.from_path(SPEC)
numbers = itertools.count()
schema.config.generation.update(deterministic=not IS_SEARCH, with_security_parameters=False)
schema.config.checks.negative_data_rejection.expected_statuses = ["400", "401", "403", "404", "405", "409", "413"]


@schema.hook
def map_body(_context: Any, body: Any) -> Any:
    """To JSON Schema 37.0 is an integer; the wire format wants whole numbers written as such."""
    if isinstance(body, dict):
        whole = {name: int(v) for name, v in body.items() if isinstance(v, float) and v.is_integer()}
        return body | whole
    return body


# What stands in for text that a channel or the form of a rule would take apart. Nothing answers at these addresses.
CHANNEL_TEXTS = {
    "webhook_url": "https://hooks.example.com/services/T0/B0/x",
    "url": "https://hooks.example.com/x",
    "to": "ops@example.com",
    "bot_token": f"123456:{'A' * 35}",
    "chat_id": "-1001234567890",
    "thread_id": "7",
    "api_url": "https://bots.example.com",
    "signing_secret": "a secret of many characters",
}
CHANNEL_BLANKS = {
    "slack": ("webhook_url",),
    "discord": ("webhook_url",),
    "teams": ("webhook_url",),
    "webhook": ("url",),
    "email": ("to",),
    "telegram": ("bot_token", "chat_id"),
}
WEBHOOK_FIELDS = ("type", "url", "signing_secret")
SEARCHES = ("q", "query")
RULE_BLANKS = {
    "threshold": "100",
    "window_minutes": "5",
    "multiplier": "3",
    "compare_minutes": "10",
    "baseline_minutes": "60",
    "project": "default",
}


def named(name: str) -> str:
    """A name that no channel has yet, as long as that one is not too long."""
    return name if len(name) > 100 else f"channel {next(numbers)}"


def fit(case: schemathesis.Case) -> None:
    """What no schema can say: a slug is taken once, tokens and rules belong to projects that exist, and a search is
    in a language."""
    # Only where it changes something: schemathesis then forgets which parameters it made invalid on purpose.
    searches = {name: case.query[name] for name in SEARCHES if name in case.query} if case.query else {}
    if any(searchable(value) != value for value in searches.values()):
        case.query = case.query | {name: searchable(value) for name, value in searches.items()}
    if not isinstance(case.body, dict):
        return
    asked = case.operation.definition.raw.get("operationId")
    if asked in ("createProject", "makeProject") and re.fullmatch("[a-z0-9-]{1,50}", str(case.body.get("slug"))):
        case.body = case.body | {"slug": f"{case.body['slug']}-{next(numbers)}"}
    if asked == "makeToken" and case.body.get("project"):
        case.body = case.body | {"project": "default", "errors:read": "on", "expires_in_days": "90"}
    if asked == "setRetention" and isinstance(case.body.get("per_project"), list):
        case.body = case.body | {"per_project": [of_default(project) for project in case.body["per_project"]]}
    if asked == "setRetentionOfProjectByForm" and case.body.get("project"):
        case.body = case.body | {"project": "default"}
    if asked == "deleteProjectByForm" and case.body.get("confirm"):
        case.body = case.body | {"confirm": case.path_parameters["slug"]}
    if asked in ("createRule", "previewRule") and isinstance(case.body.get("project_id"), str):
        case.body = case.body | {"project_id": "default"}
    if asked in ("makeRule", "changeRuleByForm") and case.body.get("type"):
        case.body = {"name": case.body.get("name", ""), "type": case.body["type"], **RULE_BLANKS}
    if asked in ("addChannel", "createChannel", "changeChannel") and isinstance(case.body.get("config"), dict):
        case.body = case.body | {"config": sendable(case.body["config"])}
    if asked == "addChannel" and type(case.body.get("channel_id")) is int and case.body.get("config") is None:
        case.body = {"config": {"type": "slack", "webhook_url": CHANNEL_TEXTS["webhook_url"]}}
    if asked == "createChannel" and isinstance(case.body.get("project_id"), str):
        case.body = case.body | {"project_id": "default"}
    if asked in ("createChannel", "changeChannel") and isinstance(case.body.get("name"), str):
        case.body = case.body | {"name": named(case.body["name"])}
    if asked == "createChannelByForm" and str(case.body.get("type")) in CHANNEL_BLANKS:
        kind = case.body["type"]
        fields = {f"{kind}-{name}": CHANNEL_TEXTS[name] for name in CHANNEL_BLANKS[kind]}
        case.body = {"type": kind, "name": f"channel {next(numbers)}", **fields}
    if asked == "changeChannelByForm" and case.body.get("do") != "replace":
        case.body = {"do": "rename", "name": f"channel {next(numbers)}"}
    if asked in ("createInvite", "createInviteByForm") and isinstance(case.body.get("email"), str):
        case.body = case.body | {"email": "", "name": "Grace"}
    if asked == "muteError":
        limits = [name for name in ("for_secs", "events", "per_hour", "until") if case.body.get(name) is not None]
        case.body = {name: value for name, value in case.body.items() if name not in limits[1:]}
        if type(case.body.get("until")) is int:
            case.body = case.body | {"until": now_ms() + 60_000}
    if asked == "changeErrors" and isinstance(case.body.get("all_matching"), dict):
        listed = {"q": "", "t": "7d"} | {
            name: v for name, v in case.body["all_matching"].items() if name not in ("q", "t")
        }
        case.body = case.body | {"all_matching": listed}
    if asked == "changeErrors" and isinstance(case.body.get("assignee"), str) and case.body["assignee"]:
        case.body = case.body | {"assignee": None}
    if asked == "changeIssues" and case.body.get("assign") in ("me", "to"):
        case.body = case.body | {"assign": "nobody"}
    if asked in ("createView", "updateView", "saveView", "renameView"):
        case.body = case.body | fit_view(case.body)
    if asked == "pinProjectByForm" and case.body:
        case.body = {"pin": "default"}
    if asked == "assignError" and case.body.get("assignee"):
        case.body = case.body | {"assignee": None}
    if asked == "assignIssue" and case.body:
        case.body = {"nobody": "1"}
    if asked == "createToken" and isinstance(case.body.get("project_id"), str) and case.body["project_id"]:
        case.body = case.body | {"project_id": "default"}


def fit_view(body: dict[str, Any]) -> dict[str, Any]:
    """Names are printable and taken once; queries are addresses of a list."""
    changed: dict[str, Any] = {}
    if isinstance(body.get("name"), str) and 0 < len(body["name"]) <= 60:
        changed["name"] = f"view {next(numbers)}"
    if isinstance(body.get("query"), str) and len(body["query"]) <= 2000:
        changed["query"] = "tab=all"
    return changed


def searchable(text: Any) -> Any:
    """Words alone: no quote that is not closed, no filter that does not exist."""
    return re.sub('[":]', "", text) if isinstance(text, str) else text


def sendable(config: dict[str, Any]) -> dict[str, Any]:
    texts = {name: CHANNEL_TEXTS[name] for name, value in config.items() if name in CHANNEL_TEXTS and value}
    fitting = {name: texts[name] for name in texts if isinstance(config[name], str)}
    if config.get("type") == "webhook":  # its schema leaves out what the server takes apart
        config = {name: value for name, value in config.items() if name in WEBHOOK_FIELDS}
    return config | fitting


def of_default(own: Any) -> Any:
    """The body's setting of a project, for the existing one only: the body has a size limit."""
    if not isinstance(own, dict) or "project_id" not in own:
        return own
    days = {name: int(v) if isinstance(v, float) else v for name, v in own.items() if name == "raw_events_days"}
    return {"project_id": own["project_id"] and "default"} | days


class Client:
    """Credentials of every kind, and a kept-alive connection for each of the two servers."""

    def __init__(self, server: BloopServer) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{server.port}"
        self.ingest, self.dashboard = requests.Session(), requests.Session()
        self._token = server.token(scopes="errors:read,errors:write,alerts:read,alerts:write")
        self._cookie = self._sign_in()

    def close(self) -> None:
        self.ingest.close()
        self.dashboard.close()

    def sign_in_again(self) -> None:
        self._cookie = self.server.session()

    def make_rule(self) -> None:
        """Create the rule of the document's examples."""
        body = {"name": "An example", "config": {"type": "new_issue"}}
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = self.dashboard.post(f"{self.url}/v1/alerts", json=body, headers=headers)
        assert answer.json()["id"] == 3, answer.text

    def how_to_send(self, case: schemathesis.Case) -> dict[str, Any]:
        """Connection and credential for a case, as its operation requires; writes use a token if allowed."""
        asked = case.operation.definition.raw.get("security", schema.raw_schema["security"])
        kinds = {kind for alternative in asked for kind in alternative}
        if case.operation.definition.raw.get("operationId") in SENT_BY_NOBODY:
            return {"session": self.dashboard}
        if case.path.startswith("/v1/ingest"):
            return {"session": self.ingest} | ({"auth": Signature(self.server.secret)} if kinds else {})
        sent: dict[str, Any] = {"session": self.dashboard}
        if "token" in kinds and case.method != "GET":
            sent["headers"] = {"Authorization": f"Bearer {self._token}"}
        elif "session" in kinds:
            sent["headers"] = {"Cookie": f"bloop_session={self._cookie}"}
        return sent

    def _sign_in(self) -> str:
        token = sign_in_link(self.server.output).rpartition("=")[2]
        answer = self.dashboard.post(f"{self.url}/auth/login", data={"token": token}, allow_redirects=False)
        self.dashboard.cookies.clear()
        assert answer.status_code == 303, answer.text
        return answer.cookies["bloop_session"]


class Signature(AuthBase):
    """Compresses the body as its Content-Encoding says, then signs it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        raw = body if isinstance(body, bytes) else body.encode()
        pack = PACKERS.get(str(request.headers.get("Content-Encoding")))
        if pack is not None:
            request.prepare_body(pack(raw), None)
            assert isinstance(request.body, bytes)
            raw = request.body
        request.headers["X-Signature"] = hmac.new(self._secret, raw, hashlib.sha256).hexdigest()
        return request


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    server = BloopServer(tmp_path_factory.mktemp("openapi"), BLOOP__RATE_LIMIT__AUTH_PER_SECOND="0")
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(server.end)
        client = Client(server.start())
        cleanup.callback(client.close)
        server.cli("project", "create", "Web shop")
        client.make_rule()
        server.send(event("example", **EXAMPLE))
        until(lambda: server.stored_ids() == ["example"], "the first event")
        assert [row["fingerprint"] for row in server.errors(server.token())] == [EXAMPLE_FINGERPRINT]
        yield client


@schema.parametrize()
@settings(max_examples=EXAMPLES_MAX, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_operation_answers_as_documented(client: Client, case: schemathesis.Case) -> None:
    fit(case)
    is_ceremony = CEREMONIES.fullmatch(case.operation.definition.raw["operationId"])
    unchecked = (*UNCHECKED, "positive_data_acceptance") if is_ceremony else UNCHECKED
    case.call_and_validate(
        base_url=client.url,
        excluded_checks=[CHECKS.get_one(name) for name in unchecked],
        **client.how_to_send(case),
    )


def test_every_accepted_event_is_stored_and_accounted_for(client: Client) -> None:
    def balance() -> bool:
        ledger = client.server.ledger()
        received, stored, refused = (
            sum(n for (_, outcome), n in ledger.items() if outcome in outcomes)
            for outcomes in ([Outcome.RECEIVED], [Outcome.STORED], REFUSALS)
        )
        return 1 < stored < received == stored + refused

    until(balance, "the ledger to balance")
    assert not [n for (_, outcome), n in client.server.ledger().items() if outcome == Outcome.DEAD_LETTER]
    assert client.server.log.count(" error ") == 0, client.server.log
