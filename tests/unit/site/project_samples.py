"""The pages about projects, built from a few values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bloop.base.clock import HOUR_MS
from bloop.base.limits import Limit
from bloop.base.outcomes import Outcome
from bloop.base.reasons import Reason
from bloop.health.checks import SystemValues
from bloop.health.model import Vitals
from bloop.health.pages import system_page
from bloop.health.problems import LIMIT_NEAR, RING_PRESSURE
from bloop.health.read import BackupTimes, ProcessHealth, SystemRows
from bloop.issues.limits.read import LimitUsage
from bloop.issues.read import IssueRow
from bloop.ledger.pages import LedgerSpan, ledger_page
from bloop.ledger.read import BucketCount, RejectionRow
from bloop.onboarding.pages import SetupRows, setup_page
from bloop.projects.pages import project_page, projects_page
from bloop.projects.read import KeyState, KeySummary, ProjectContents, ProjectRow
from bloop.projects.tokens.contexts import FreshToken
from bloop.projects.tokens.pages import TokenForm, TokenRows, tokens_page
from bloop.projects.tokens.read import TokenRow
from bloop.ring.segment import LaneStat, RingStat, WriterState
from bloop.site.contexts import Page, Shell

NOW_S = 1_768_737_600
NOW_MS = NOW_S * 1000
ORIGIN = "https://errors.example.com"
KEY = "bloop_" + "0f" * 32

Text = Callable[[str], str]


def a_project(say: Text, slug: str = "shop", **changes: object) -> ProjectRow:
    return ProjectRow(1, f"id-{slug}", slug, say("Shop"), "SHOP", NOW_MS - 9, "u1", None)._replace(**changes)  # type: ignore[arg-type]


def a_token(say: Text, token_id: str = "t1", **changes: object) -> TokenRow:
    row = TokenRow(
        token_id,
        say("CI"),
        "bloop_tk_abcdefg",
        1,
        "id-shop",
        "errors:read",
        "u1",
        say("ada"),
        NOW_S - 9,
        None,
        None,
        None,
    )
    return row._replace(**changes)  # type: ignore[arg-type]


def some_keys(say: Text, slug: str) -> list[KeySummary]:
    start = "" if slug == "default" else say("bloop_3f81a2")
    return [
        KeySummary(NOW_MS - 9, start, KeyState.CURRENT, None, None, None),
        KeySummary(NOW_MS - 99, start, KeyState.OLD, NOW_MS - 9, NOW_MS + 9, NOW_MS - 10),
        KeySummary(NOW_MS - 999, start, KeyState.ENDED, NOW_MS - 99, NOW_MS - 9, None),
    ]


def project_pages(shell: Shell, say: Text, newest: IssueRow) -> Iterator[Page]:
    people = {"u1": say("Ada")}
    rows = [a_project(say), a_project(say, "default", id=2, public_id="default", created_by=None)]
    yield projects_page(
        shell, rows, people, is_admin=True, notice="deleted", problem=say("slug is taken"),
        form={"name": say("Web"), "slug": say("web")}, now_ms=NOW_MS,
    )  # fmt: skip
    yield projects_page(
        shell, [], {}, is_admin=False, notice="", problem="", form={}, now_ms=NOW_MS
    )  # fmt: skip
    for row, may_manage in ((rows[0], True), (rows[1], True), (rows[0], False)):
        yield project_page(
            shell, row, ProjectContents(1, 2, 3, 4), some_keys(say, row.slug), people,
            may_manage=may_manage, is_admin=True, notice="renamed",
            problem=say("No"), now_ms=NOW_MS,
        )  # fmt: skip
    yield from _tokens(shell, say, rows)
    waiting = SetupRows(rows[0], None, 1, 2, (say("message is required"), NOW_MS - 9), 57)
    used = waiting._replace(project=rows[0]._replace(key_used_at_ms=NOW_MS - 9), rejected=None)
    for key, seen, may_manage in (("", waiting, True), (KEY, used, True), ("", waiting._replace(newest=newest), False)):
        yield setup_page(
            shell, seen, key=key, may_manage=may_manage, is_admin=may_manage, origin=ORIGIN, language="python",
            problem="full", now_ms=NOW_MS,
        )  # fmt: skip
    yield from _ledger(shell, say, rows)
    usages = (LimitUsage(say("project name"), Limit.ISSUES, 200_000, 200_000), LimitUsage("b", Limit.ROUTES, 9, 10))
    vitals = Vitals(True, None, None, None, limits=usages)
    nothing = SystemValues(NOW_MS, vitals, None, None, None, None, None, None, backups_enabled=True)
    facts = (("Address", say(ORIGIN)),)
    yield system_page(shell, [], some_values(), facts, is_admin=False)
    yield system_page(shell, [*Reason, RING_PRESSURE, LIMIT_NEAR], nothing, facts, is_admin=True)


def some_values(**changes: object) -> SystemValues:
    """Of a bloop that is healthy."""
    ring = RingStat(
        1, [LaneStat(0, 7, 0, 0, 0, 0, 0, True)], 0, 1 << 20, 0.02, 3, NOW_MS - 400, WriterState.RUNNING, 0, True
    )
    rows = SystemRows(
        deliveries={"waiting": 0, "failed": 0},
        processes=[ProcessHealth(name, NOW_MS - 3000, True) for name in ("alerts", "retention")],
        backup=BackupTimes(NOW_MS - 9 * HOUR_MS, NOW_MS - 9 * HOUR_MS, False),
    )
    vitals = Vitals(True, 9 << 30, ring.fill, ring.heartbeat_ms)
    values = SystemValues(NOW_MS, vitals, rows, 0.4, ring, 1 << 30, 1 << 20, 40 << 30, backups_enabled=True)
    return values._replace(**changes)  # type: ignore[arg-type]


def _tokens(shell: Shell, say: Text, rows: list[ProjectRow]) -> Iterator[Page]:
    tokens = [
        (a_token(say, last_used_at=NOW_S), True),
        (a_token(say, "t2", expires_at=NOW_S - 99), True),
        (a_token(say, "t3", revoked_at=NOW_S, created_by=None, created_by_name=None), True),
    ]
    fresh = FreshToken(say("Token"), say("Shown once"), "bloop_tk_x", say("curl"))
    yield tokens_page(
        shell, TokenRows(tokens, rows, {1: say("Shop")}),
        TokenForm({"name": say("CI"), "errors:write": "on"}, say("No"), fresh),
        chosen="shop", is_admin=True, notice="revoked", now_ms=NOW_MS,
    )  # fmt: skip
    yield tokens_page(shell, TokenRows(), TokenForm(), chosen="", is_admin=False, notice="", now_ms=NOW_MS)


def _ledger(shell: Shell, say: Text, rows: list[ProjectRow]) -> Iterator[Page]:
    hour = NOW_MS - NOW_MS % HOUR_MS
    totals = dict.fromkeys(Outcome, 10) | {Outcome.RECEIVED: 125}
    buckets = [BucketCount(hour, Outcome.STORED, 9), BucketCount(hour, Outcome.INVALID, 1)]
    rejection = RejectionRow(
        1, NOW_MS, "id-shop", say("Shop"), Outcome.INVALID, say("message is required"), say("bloop_0f…"), 12,
        say("192.0.2.0/24"), say("sdk/1"),
    )  # fmt: skip
    rejections = [rejection, rejection._replace(project_name=None, size_bytes=None)]
    for chosen, span, waiting in (
        (None, LedgerSpan.DAY, 5),
        (rows[0], LedgerSpan.MONTH, 0),
        (None, LedgerSpan.WEEK, 0),
    ):
        yield ledger_page(
            shell, rows, chosen=chosen, span=span, totals=totals, buckets=buckets,
            overflows={Limit.ISSUES: 7, Limit.ROUTES: 3}, waiting=waiting,
            rejections=rejections, is_admin=True, now_ms=NOW_MS,
        )  # fmt: skip
    yield ledger_page(
        shell,
        rows,
        chosen=None,
        span=LedgerSpan.DAY,
        totals={},
        buckets=[],
        overflows={},
        waiting=0,
        rejections=[],
        is_admin=False,
        now_ms=NOW_MS,
    )
