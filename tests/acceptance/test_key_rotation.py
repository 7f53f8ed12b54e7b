"""Project keys over real processes: an old key works as long as it is kept, and what it is refused is its project's."""

from __future__ import annotations

import json
from typing import Any

from bloop.base.outcomes import Outcome
from tests.acceptance.harness import BloopServer, event
from tests.waiting import until


def call(bloop: BloopServer, cookie: str, method: str, path: str, body: Any = None) -> Any:
    headers = {"Cookie": f"bloop_session={cookie}", "Sec-Fetch-Site": "same-origin"}
    raw = b"" if body is None else json.dumps(body).encode()
    answer = bloop.request(method, path, raw, headers | {"Content-Type": "application/json"})
    assert answer.status == 200, answer
    return answer.json


def test_a_kept_key_works_until_it_is_ended_and_its_refusals_are_its_projects(bloop: BloopServer, cookie: str):
    made = call(bloop, cookie, "POST", "/v1/projects", {"name": "Rolling", "slug": "rolling"})
    old_key = made["api_key"]
    with bloop.reader() as db:
        project_id = db.execute("SELECT id FROM projects WHERE slug = 'rolling'").get
    assert bloop.send(event(), key=old_key).status == 200

    def summaries() -> dict[str, Any]:
        return {key["start"]: key for key in call(bloop, cookie, "GET", "/v1/projects/rolling/keys")}

    until(lambda: summaries()[old_key[:12]]["last_used_at"], "the use of the key", within_s=10)
    body = {"keep_days": 30}
    new_key = call(bloop, cookie, "POST", "/v1/projects/rolling/rotate-key", body)["api_key"]
    assert [bloop.send(event(), key=key).status for key in (old_key, new_key)] == [200, 200]
    until(lambda: summaries()[new_key[:12]]["last_used_at"], "the use of the new key", within_s=10)
    old = summaries()[old_key[:12]]
    assert (old["state"], old["last_used_at"] > 0) == ("old", True)

    call(bloop, cookie, "DELETE", f"/v1/projects/rolling/keys/{old['id']}")

    assert [bloop.send(event(), key=key).status for key in (old_key, new_key)] == [401, 200]
    until(lambda: bloop.ledger().get((project_id, Outcome.UNKNOWN_KEY)) == 1, "the refusal in the ledger", within_s=10)
    with bloop.reader() as db:
        detail = "SELECT outcome, key_prefix FROM rejections WHERE project_id = ?"
        until(
            lambda: list(db.execute(detail, (project_id,))) == [(Outcome.UNKNOWN_KEY, f"{old_key[:12]}…")],
            "the note about it",
            within_s=10,
        )
    assert bloop.ledger()[project_id, Outcome.STORED] == 4
