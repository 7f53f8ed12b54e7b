"""The pages about alerts, built from a few values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import orjson

from bloop.alerts.contexts import Preview, PreviewLine
from bloop.alerts.deliveries.pages import deliveries_page
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState, FiringRow
from bloop.alerts.rules.pages import ChannelSummary, RulePageData, alert_page, alerts_page
from bloop.alerts.rules.read import RuleRow
from bloop.projects.read import ProjectRow
from bloop.site.contexts import Page, Shell

NOW_MS = 1_768_737_600_000

Text = Callable[[str], str]


def a_rule(
    say: Text, rule_type: str = "new_issue", config: dict[str, object] | None = None, **changes: object
) -> RuleRow:
    row = RuleRow(
        id=3,
        project_id=1,
        project_public_id="id-shop",
        project_slug="shop",
        project_name=say("Shop"),
        project_created_by="u1",
        name=say("Checkout"),
        rule_type=rule_type,
        config_json=orjson.dumps(config or {}).decode(),
        enabled=True,
        description=say("why"),
        environment_filter=say("production"),
        source_filter=say("api"),
        cooldown_secs=90,
        created_by="u1",
        created_at_ms=NOW_MS - 9,
        updated_at_ms=NOW_MS - 9,
        last_fired_at_ms=NOW_MS - 5,
    )
    return row._replace(**changes)  # type: ignore[arg-type]


def threshold(say: Text, **changes: object) -> RuleRow:
    config = {"threshold": 100, "window_secs": 300, "route": say("/pay"), "fingerprint": say("f00d"), "source": None}
    return a_rule(say, "threshold", config, **changes)


def spike(say: Text, **changes: object) -> RuleRow:
    config = {"multiplier": 2.5, "compare_window_secs": 90, "baseline_window_secs": 7200, "min_count": 10}
    return a_rule(say, "spike", config, **changes)


def a_delivery(say: Text, state: DeliveryState = DeliveryState.FAILED, **changes: object) -> DeliveryRow:
    row = DeliveryRow(
        id=9,
        firing_id=7,
        rule_id=3,
        rule_project_id=1,
        rule_project_created_by="u1",
        rule_exists=True,
        can_be_sent=True,
        rule_name=say("Checkout"),
        rule_type="new_issue",
        is_test=False,
        project_public_id="id-shop",
        project_slug="shop",
        short_id="SHOP-7",
        text=say("New issue"),
        channel_id=1,
        channel_type="slack",
        target=say("hooks.slack.com"),
        state=state,
        attempts=10,
        next_try_at_ms=NOW_MS + 60_000,
        last_error=say("no answer"),
        last_status=503,
        last_answer=say("no_service"),
        last_duration_ms=412,
        created_at_ms=NOW_MS - 9,
        sent_at_ms=NOW_MS if state is DeliveryState.SENT else None,
    )
    return row._replace(**changes)  # type: ignore[arg-type]


def a_firing(say: Text, **changes: object) -> FiringRow:
    row = FiringRow(
        id=7,
        rule_id=3,
        rule_name=say("Checkout"),
        rule_type="new_issue",
        project_public_id="id-shop",
        project_slug="shop",
        short_id="SHOP-7",
        fingerprint=say("f00d"),
        fired_at_ms=NOW_MS - 9,
        is_test=False,
        text=say("New issue"),
        url="https://errors.example.com/issues/SHOP-7",
        is_held=False,
        sent=1,
        waiting=0,
        failed=2,
        dismissed=0,
    )
    return row._replace(**changes)  # type: ignore[arg-type]


def told(say: Text) -> list[ChannelSummary]:
    return [
        ChannelSummary(
            1, "slack", say("hooks.slack.com"), {"webhook_url": say("https://hooks.slack.com/…XyZ9")}, NOW_MS
        ),
        ChannelSummary(2, "webhook", say("example.com"), {"headers": {say("X-Key"): "…"}, "template": None}, NOW_MS),
    ]


def data(say: Text, **changes: object) -> RulePageData:
    project = ProjectRow(1, "id-shop", "shop", say("Shop"), "SHOP", NOW_MS - 9, "u1", None)
    full = RulePageData(
        projects=[project],
        is_admin=True,
        environments=[say("production")],
        sources=[say("api")],
        cooldown_default_s=900,
        channels=told(say),
        fallbacks=[("webhook", say("fallback.example"))],
        firings=[
            a_firing(say),
            a_firing(say, is_test=True, sent=0, failed=0, dismissed=1, short_id=None),
            a_firing(say, sent=0, failed=0, is_held=True),
            a_firing(say, sent=0, failed=0),
        ],
        people={"u1": say("Ada")},
    )
    return full._replace(**changes)  # type: ignore[arg-type]


def alert_pages(shell: Shell, say: Text) -> Iterator[Page]:
    rules = [
        (a_rule(say), True),
        (threshold(say, enabled=False, last_fired_at_ms=None), False),
        (spike(say, id=4, project_id=None, project_name=None, environment_filter=None, source_filter=None), True),
        (a_rule(say, say("of a later bloop"), id=5), True),
    ]
    yield alerts_page(
        shell, rules, {3: told(say)}, [], is_admin=True, failed=2, notice="deleted", now_ms=NOW_MS
    )  # fmt: skip
    yield alerts_page(
        shell, [], {}, [("slack", say("hooks.slack.com"))], is_admin=False, failed=0, notice="", now_ms=NOW_MS
    )  # fmt: skip
    yield from _one_rule(shell, say)
    yield from _log(shell, say)


def _one_rule(shell: Shell, say: Text) -> Iterator[Page]:
    test = [
        a_delivery(say, DeliveryState.SENT, is_test=True, last_error=None),
        a_delivery(say, DeliveryState.DISMISSED, is_test=True, attempts=0, last_error=None, last_status=None),
    ]
    lines = (PreviewLine(NOW_MS - 5, say("New issue"), "/issues/SHOP-7"), PreviewLine(NOW_MS - 9, say("Many"), ""))
    for rule, may_change in ((a_rule(say), True), (threshold(say), False), (spike(say, enabled=False), True)):
        yield alert_page(
            shell, rule, data(say, test=test), {}, may_change=may_change, notice="saved", problem=say("No"),
            preview=Preview(7, 20, lines), now_ms=NOW_MS,
        )  # fmt: skip
    yield alert_page(
        shell, a_rule(say), data(say, channels=[], fallbacks=[], firings=[]),
        {"type": "webhook", "url": say("https://x"), "template": say("{{ text }}")}, may_change=True,
        channel_type="webhook", channel_problem=say("No"), preview=Preview(7, 0, ()), now_ms=NOW_MS,
    )  # fmt: skip
    yield alert_page(shell, a_rule(say), data(say, channels=[]), {}, may_change=True, now_ms=NOW_MS)
    typed = {"name": say("New"), "type": "spike", "multiplier": say("x"), "project": "shop", "description": say("why")}
    yield alert_page(
        shell, None, data(say, channels=[]), typed, may_change=True, problem=say("No"), now_ms=NOW_MS
    )  # fmt: skip
    yield alert_page(shell, None, RulePageData(), {}, may_change=False, now_ms=NOW_MS)


def _log(shell: Shell, say: Text) -> Iterator[Page]:
    rows = [
        (a_delivery(say), True),
        (a_delivery(say, DeliveryState.SENT, last_error=None, last_status=200), True),
        (a_delivery(say, DeliveryState.WAITING, short_id=None, attempts=1), False),
        (a_delivery(say, DeliveryState.DISMISSED, is_test=True, rule_exists=False, can_be_sent=False), True),
    ]
    for state, listed, older in ((None, rows, 7), (DeliveryState.FAILED, [], None)):
        yield deliveries_page(
            shell, listed, {DeliveryState.FAILED: 3}, state=state, rule_id=3, rule_name=say("Checkout"),
            older_than=older, is_admin=True, notice="retried", now_ms=NOW_MS,
        )  # fmt: skip
    yield deliveries_page(
        shell, [], {}, state=None, rule_id=None, rule_name="", older_than=None, is_admin=False, notice="", now_ms=NOW_MS
    )  # fmt: skip
