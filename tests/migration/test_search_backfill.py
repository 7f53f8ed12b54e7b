"""0004_search.sql fills the index from what is there, with the words the writer would have put in."""

from __future__ import annotations

from pathlib import Path

from bloop.db import connection, migrate, word_search

_PROJECT = """
INSERT INTO projects (id, public_id, slug, name, api_key, short_prefix, created_at_ms)
VALUES (1, 'p', 'p', 'p', 'k', 'P', 0)
"""
_ISSUE = """
INSERT INTO issues (project_id, fingerprint, fingerprint_algorithm, short_number, error_type, message, source, route,
                    culprit, first_seen_ms, last_seen_ms, first_release, last_release)
VALUES (1, 'f', 'v1', 1, 'TypeError',
        'no price' || printf('%.*c', 495, 'x') || 'beyond', 'web', '/cart', 'at total (cart.js)',
        0, 0, '1', '1')
"""


def test_issues_from_before_are_found_as_those_from_after(tmp_path: Path) -> None:
    shipped, path = migrate.shipped(), tmp_path / "bloop.db"
    migrate.migrate(path, 1, shipped[:3])
    db = connection.open_writer(path)
    db.execute(_PROJECT)
    db.execute(_ISSUE)
    db.close()

    migrate.migrate(path, 2, shipped)

    db = connection.open_writer(path)
    for round_of in ("backfill", "writer"):
        for words, expected in (("Error: no pri", 1), ("/cart", 1), ("total (cart", 1), ("xxx", 1), ("beyond", 0)):
            found = db.execute("SELECT count(*) FROM issue_search WHERE issue_search MATCH ?", (f'"{words}"',)).get
            assert found == expected, (round_of, words)
        db.execute(word_search.FORGET, {"ids": "[1]"})
        word_search.index(db, [1])
    db.close()
