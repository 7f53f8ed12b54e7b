"""The issue that a rule watches: found by its short id, named by its fingerprint.

Alerts cannot import issues, which import alerts: these are their own look-ups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from bloop.db.engine import Db

_SHORT_ID = re.compile(r"(.+)-([0-9]{1,18})", re.DOTALL)


class WatchedIssue(NamedTuple):
    short_id: str
    fingerprint: str
    error_type: str
    message: str
    project_id: int
    project_slug: str


_COLUMNS = """
SELECT p.short_prefix || '-' || i.short_number, i.fingerprint, i.error_type, i.message, p.id, p.slug
  FROM projects AS p
"""
# Served by the UNIQUE indexes (project_id, short_number) and (project_id, fingerprint), once per project.
_BY_SHORT_ID = """
  JOIN issues AS i ON i.project_id = p.id AND i.short_number = :short_number
 WHERE p.deleted_at_ms IS NULL AND p.short_prefix = :short_prefix COLLATE NOCASE
 ORDER BY i.id DESC LIMIT 1
"""
_BY_FINGERPRINTS = """
  JOIN issues AS i ON i.project_id = p.id
   AND i.fingerprint IN (SELECT value FROM json_each(:fingerprint_texts))
 WHERE p.deleted_at_ms IS NULL
"""


def is_short_id(text: str) -> bool:
    """Whether the text has the form of a short id; a client's own fingerprint may have it, too."""
    return _SHORT_ID.fullmatch(text) is not None


def find_by_short_id(db: Db, reference: str, project_ids: Sequence[int] | None = None) -> WatchedIssue | None:
    """The issue SHOP-12, if it is in one of these projects; None for any other text."""
    parts = _SHORT_ID.fullmatch(reference.strip())
    if parts is None:
        return None
    bindings = {"short_prefix": parts[1], "short_number": int(parts[2])}
    row = db.execute(_COLUMNS + _BY_SHORT_ID, bindings).fetchone()
    issue = None if row is None else WatchedIssue(*row)
    return issue if issue and (project_ids is None or issue.project_id in project_ids) else None


def find_watched(db: Db, fingerprints: Sequence[str]) -> dict[str, list[WatchedIssue]]:
    """The issues with these fingerprints, by fingerprint: one per project at most."""
    found: dict[str, list[WatchedIssue]] = {}
    if fingerprints:
        for row in db.execute(
            _COLUMNS + _BY_FINGERPRINTS, {"fingerprint_texts": orjson.dumps([*fingerprints]).decode()}
        ):
            found.setdefault(row[1], []).append(WatchedIssue(*row))
    return found


def short_id_of(found: Mapping[str, list[WatchedIssue]], fingerprint: str, project_id: int | None) -> str:
    """How people call the issue of a rule: its short id, or the fingerprint if it is in no project or in several."""
    issues = [issue for issue in found.get(fingerprint, ()) if project_id in (None, issue.project_id)]
    return issues[0].short_id if len(issues) == 1 else fingerprint
