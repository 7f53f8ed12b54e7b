from __future__ import annotations

import falcon
import pytest
from falcon import testing

from bloop.base import errors
from bloop.site import errors as web_errors


def all_errors(cls: type[errors.BloopError]) -> list[type[errors.BloopError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in all_errors(child))]


ANSWERS = [
    (
        errors.InvalidEvent("timestamp", "timestamp is required"),
        400,
        {"error": "timestamp is required", "path": "timestamp"},
    ),
    (errors.InvalidEvent("", "failed to read body"), 400, {"error": "failed to read body"}),
    (errors.InvalidParameter("sort", "use a or b"), 400, {"error": "sort: use a or b", "path": "sort"}),
    (errors.Declined("name is required"), 400, {"error": "name is required"}),
    (errors.BadEncoding("body is not valid gzip"), 400, {"error": "body is not valid gzip"}),
    (errors.Unauthorized("invalid signature"), 401, {"error": "invalid signature"}),
    (errors.UnknownKey("invalid project key"), 401, {"error": "invalid project key"}),
    (errors.Forbidden("admin access required"), 403, {"error": "admin access required"}),
    (errors.NotFound("no errors with fingerprint x"), 404, {"error": "no errors with fingerprint x"}),
    (errors.Conflict("already resolved"), 409, {"error": "already resolved"}),
    (errors.BodyTooLarge(2048), 413, {"error": "body exceeds 2048 bytes"}),
    (errors.RateLimited(7), 429, {"error": "too many requests, retry in 7 s"}),
    (errors.QueryTimeout("query ran longer than 5 s"), 503, {"error": "query ran longer than 5 s"}),
    (errors.RingMissing("no ring"), 503, {"error": "no ring"}),
    (errors.ConfigError("auth.hmac_secret", "too short"), 500, {"error": "internal server error"}),
    (errors.UnreadableRecord("bytes of someone"), 500, {"error": "internal server error"}),
    (ValueError("secret detail"), 500, {"error": "internal server error"}),
]


class Raising:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header("X-Set-Before", "kept")
        resp.text = "half an answer"
        raise self._error


def client(error: Exception) -> testing.TestClient:
    app = falcon.App()
    web_errors.install(app)
    app.add_route("/", Raising(error))
    return testing.TestClient(app)


@pytest.mark.parametrize(("error", "status", "body"), ANSWERS, ids=lambda value: type(value).__name__)
def test_error_is_answered_with(error, status, body):
    result = client(error).simulate_get("/")

    assert result.status_code == status
    assert result.json == body
    assert result.headers["content-type"] == "application/json"
    assert result.headers["x-set-before"] == "kept"


def test_every_error_of_the_tree_has_a_status():
    assert {cls.__name__ for cls in all_errors(errors.BloopError)} >= {type(e).__name__ for e, _, _ in ANSWERS[:-1]}
    for cls in all_errors(errors.BloopError):
        status = web_errors.status_of(cls.__new__(cls))
        assert status[:3] in {"400", "401", "403", "404", "409", "413", "429", "500", "503"}


def test_rate_limited_client_is_told_when_to_come_back():
    assert client(errors.RateLimited(7)).simulate_get("/").headers["retry-after"] == "7"


def test_unexpected_error_is_logged_with_its_traceback(caplog):
    client(ZeroDivisionError("boom")).simulate_get("/")

    assert [(record.action, record.exc_info[0]) for record in caplog.records] == [("request_failed", ZeroDivisionError)]


def test_expected_error_is_not_logged(caplog):
    client(errors.NotFound("nothing here")).simulate_get("/")

    assert caplog.records == []


def test_unknown_path_and_method_are_json_too():
    app_client = client(ValueError())

    assert app_client.simulate_get("/nowhere").json == {"error": "not found"}
    wrong = app_client.simulate_post("/")
    assert (wrong.status_code, wrong.json) == (405, {"error": "method not allowed"})
    assert wrong.headers["allow"] == "GET, OPTIONS"


def test_falcon_error_keeps_its_status_and_words():
    result = client(falcon.HTTPUnsupportedMediaType(description="send JSON")).simulate_get("/")

    assert (result.status_code, result.json) == (415, {"error": "send JSON"})


def test_redirects_are_not_errors():
    result = client(falcon.HTTPSeeOther("/auth/login")).simulate_get("/")

    assert (result.status_code, result.headers["location"]) == (303, "/auth/login")
