"""Alerts as channels meet them: a friendly one, one about a count, a digest, and one written by somebody hostile."""

from __future__ import annotations

from bloop.alerts.message import AlertMessage, IssueFacts

AT_MS = 1_700_000_000_000
KEY = "0b0f9c64-6d6e-4c7e-9d39-0f2f5c1c2b7e"

ISSUE = IssueFacts(
    fingerprint="a1b2c3d4e5f60718",
    short_id="SHOP-12",
    title="TypeError: x is undefined",
    error_type="TypeError",
    message="x is undefined",
    source="api",
    level="error",
    environment="production",
    release="1.4.2",
    route="POST /cart",
    culprit="cart.total",
    event_count=1470,
    user_count=3,
    first_seen_ms=AT_MS - 3_600_000,
    last_seen_ms=AT_MS,
    url="https://errors.example.com/issues/SHOP-12",
)
NEW_ISSUE = AlertMessage(
    rule_id=1,
    rule_name="New production issues",
    rule_type="new_issue",
    project_id="5f6c1d3e-8f0a-4d2b-9a51-3f1f7f0f6f10",
    project_name="Shop",
    project_slug="shop",
    at_ms=AT_MS,
    text="New in Shop: SHOP-12 TypeError: x is undefined",
    url="https://errors.example.com/issues/SHOP-12",
    issue=ISSUE,
)
THRESHOLD = NEW_ISSUE._replace(
    rule_name="Busy",
    rule_type="threshold",
    text="47 events in Shop within 1 h, more than 20",
    url="https://errors.example.com/?project=shop",
    issue=None,
    value=47.0,
    threshold=20.0,
    window_secs=3600,
    previous=12.0,
)
DIGEST = NEW_ISSUE._replace(
    rule_type="digest",
    text="17 new issues in the last minute",
    issue=None,
    more=("SHOP-13 KeyError: 'id' (12 events)", "SHOP-14 OSError: gone (3 events)"),
    more_count=14,
)

# What each receiver's own language could be made to do: call everybody, hide, link, open a header, read backwards.
NASTY = (
    "<!channel> <!here|x> <@U1> <https://evil.example|ok> @everyone @here <@&1> **b** _i_ `c` ~s~ [x](https://evil.example)"
    " </b><script>alert(1)</script> &amp; \r\nBcc: all@example.com\r\n\r\n.\r\n\x00\x1b[31m\u202egnp.exe\u2028 \u200f"
    " {{ 7*7 }}"
    ' "quoted" \\ \ud800'
)
HOSTILE = NEW_ISSUE._replace(
    rule_name=f"Rule {NASTY}",
    project_name=f"Shop {NASTY}",
    text=f"New: {NASTY}",
    issue=ISSUE._replace(
        title=f"TypeError: {NASTY}",
        message=NASTY,
        environment=NASTY,
        release=NASTY,
        route=NASTY,
        culprit=NASTY,
        source=NASTY,
    ),
    more=(NASTY, "@all") * 20,
    more_count=3,
)
# Everything as long as it gets, of a character that each channel writes as several.
ENDLESS = {character: character * 100_000 for character in '&<@"\\*a💥'}


def endless(character: str) -> AlertMessage:
    long = ENDLESS[character]
    texts = dict.fromkeys(
        ("title", "message", "environment", "release", "route", "culprit", "source", "short_id"), long
    )
    issue = ISSUE._replace(**texts)
    lines = (long,) * 50
    return HOSTILE._replace(
        rule_name=long, project_name=long, text=long, issue=issue, more=lines, value=1e9, window_secs=7
    )
