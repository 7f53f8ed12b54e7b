"""Addresses that pages of several features lead to."""

from __future__ import annotations

from urllib.parse import quote


def issue_href(short_id: str) -> str:
    return f"/issues/{quote(short_id, safe='')}"


def setup_href(slug: str) -> str:
    return f"/projects/{quote(slug)}/setup"
