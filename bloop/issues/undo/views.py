"""POST /v1/undo/{undo_id}, and the form behind the word "Undo" of a page."""

from __future__ import annotations

import falcon

from bloop.base.errors import Conflict, NotFound
from bloop.issues.status.actor import API, DASHBOARD, Actors
from bloop.issues.status.flash import UNDONE, Flash, leave_flash
from bloop.issues.undo.actions import find_parts, undo_parts
from bloop.issues.undo.model import UndoResult, skipped_words
from bloop.projects.read import visible_projects
from bloop.site.bodies import answer_json, read_form, read_optional_json
from bloop.site.deps import Deps
from bloop.site.links import page_before
from bloop.site.principal import principal_of

UNDO_ID_CHARS_MAX = 64


class UndoApi:
    """POST /v1/undo/{undo_id}, without a body."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, API)

    def on_post(self, req: falcon.Request, resp: falcon.Response, undo_id: str) -> None:
        read_optional_json(req)
        result = _undo(self._deps, req, undo_id, self._actors)
        if not result.undone:
            raise Conflict(f"nothing was undone: {skipped_words(result.skipped, result.skipped_count)}")
        skipped = [{"id": issue.short_id or None, "error": issue.reason} for issue in result.skipped]
        answer_json(
            resp,
            {
                "undone": result.undone,
                "skipped": skipped,
                "skipped_count": result.skipped_count,
                "undo_id": result.undo_id,
            },
        )


class UndoForm:
    """POST /undo/{undo_id}: answers 303 to the page it was on, which says what was undone (LIST-2)."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, DASHBOARD)

    def on_post(self, req: falcon.Request, resp: falcon.Response, undo_id: str) -> None:
        read_form(req)
        try:
            result = _undo(self._deps, req, undo_id, self._actors)
        except NotFound:  # pressed on a page that was open for days
            result = UndoResult()
        leave_flash(resp, Flash(UNDONE, result.undone, result.skipped_count, result.undo_id or "", _subject(result)))
        resp.status, resp.location = falcon.HTTP_303, page_before(req)


def _undo(deps: Deps, req: falcon.Request, undo_id: str, actors: Actors) -> UndoResult:
    principal, actor = principal_of(req), actors.of(req)
    with deps.database.reader() as db:
        parts = find_parts(db, undo_id[:UNDO_ID_CHARS_MAX], visible_projects(db, principal, None))
    return undo_parts(deps.database.change, parts, actor=actor, now_ms=deps.now_ms())


def _subject(result: UndoResult) -> str:
    """The one issue that the undo is about; empty: there are several."""
    if result.undone:
        return result.short_id
    return result.skipped[0].short_id if result.skipped_count == 1 else ""
