"""The pages about alerts, built from a few values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import orjson

from bloop.alerts.contexts import Preview, PreviewPart, TestResult
from bloop.alerts.deliveries.pages import deliveries_page
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState, FiringRow
from bloop.alerts.message import AlertMessage, IssueFacts
from bloop.alerts.rules.form_pages import FormData, preview_part, preview_problem
from bloop.alerts.rules.look_back import RulePreview
from bloop.alerts.rules.pages import ListedRule, RulePageData, alert_page, alerts_page
from bloop.alerts.rules.read import RuleRow
from bloop.alerts.saved_channels.pages import ChannelPageData, channel_page, channels_page
from bloop.alerts.saved_channels.read import ChannelUse, LastDelivery, SavedChannel
from bloop.alerts.test_results import make_test_result
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


def a_channel(say: Text, channel_type: str = "slack", config: str = "", **changes: object) -> SavedChannel:
    row = SavedChannel(
        id=1,
        project_id=None,
        project_public_id=None,
        project_slug=None,
        project_name=None,
        project_created_by=None,
        name=say("Team"),
        channel_type=channel_type,
        config_json=config or '{"webhook_url": "https://hooks.slack.com/services/T0/B0/secret-XyZ9"}',
        created_at_ms=NOW_MS - 9,
        updated_at_ms=NOW_MS - 9,
    )
    return row._replace(**changes)  # type: ignore[arg-type]


def some_channels(say: Text) -> list[SavedChannel]:
    hook = orjson.dumps({"url": "https://example.com/x", "headers": {say("X-Key"): "1"}, "template": say("{{ text }}")})
    mine = {"project_id": 1, "project_slug": "shop", "project_name": say("Shop"), "project_created_by": "u1"}
    return [a_channel(say), a_channel(say, "webhook", hook.decode(), id=2, name=None, **mine)]


def some_uses(say: Text) -> list[ChannelUse]:
    return [ChannelUse(1, 3, say("Checkout"), True), ChannelUse(1, 4, say("Blog"), False)]


def form_data(say: Text, **changes: object) -> FormData:
    project = ProjectRow(1, "id-shop", "shop", say("Shop"), "SHOP", NOW_MS - 9, "u1", None)
    full = FormData(
        projects=[project],
        is_admin=True,
        environments=[say("production")],
        sources=[say("api")],
        cooldown_default_s=900,
        channels=some_channels(say),
        attached=frozenset((1,)),
        short_id="SHOP-7",
    )
    return full._replace(**changes)  # type: ignore[arg-type]


def a_test(say: Text) -> TestResult:
    rows = [
        a_delivery(say, DeliveryState.SENT, is_test=True, last_error=None),
        a_delivery(say, DeliveryState.DISMISSED, is_test=True, attempts=1),
        a_delivery(
            say, DeliveryState.DISMISSED, is_test=True, attempts=0, last_error=None, last_status=None,
            last_answer=None, last_duration_ms=None,
        ),
    ]  # fmt: skip
    return make_test_result(rows, "/alerts/3")


def data(say: Text, **changes: object) -> RulePageData:
    full = RulePageData(
        form=form_data(say),
        labels=[say("Team"), say("Mail")],
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
        ListedRule(a_rule(say), [say("Team")], "", True),
        ListedRule(threshold(say, enabled=False, last_fired_at_ms=None), [], "SHOP-7", False),
        ListedRule(
            spike(say, id=4, project_id=None, project_name=None, environment_filter=None, source_filter=None),
            [], "", True,
        ),
        ListedRule(a_rule(say, say("of a later bloop"), id=5), [], "", True),
    ]  # fmt: skip
    yield alerts_page(shell, rules, [], failed=2, notice="deleted", now_ms=NOW_MS)
    yield alerts_page(shell, rules, [("slack", say("hooks.slack.com"))], failed=0, notice="", now_ms=NOW_MS)
    yield alerts_page(shell, [], [], failed=0, notice="", now_ms=NOW_MS)
    yield from _one_rule(shell, say)
    yield from _channels(shell, say)
    yield from _log(shell, say)


def _previews(say: Text) -> Iterator[Preview]:
    since_ms = NOW_MS - 7 * 86_400_000
    message = AlertMessage(
        1, say("r"), "new_issue", "id", say("Shop"), "shop", NOW_MS - 9, say("New issue"), "http://x/"
    )
    issue = IssueFacts(
        "f00d", "SHOP-7", say("t"), say("t"), say("m"), "api", "error", "production", "1.0", None, None, 1, 1, 0, 0, "x"
    )
    newest = [message._replace(issue=issue), message]
    yield preview_part(RulePreview(since_ms, NOW_MS, [NOW_MS - 9] * 20, newest))
    yield preview_part(RulePreview(since_ms, NOW_MS, [], []))
    yield preview_problem(say("No"))


def _one_rule(shell: Shell, say: Text) -> Iterator[Page]:
    previews = [*_previews(say)]
    yield from (PreviewPart(preview, NOW_MS) for preview in previews)
    for rule, may_change in ((a_rule(say), True), (threshold(say), False), (spike(say, enabled=False), True)):
        yield alert_page(
            shell, rule, data(say, test=a_test(say)), {}, may_change=may_change, notice="saved", problem=say("No"),
            preview=previews[0], now_ms=NOW_MS,
        )  # fmt: skip
    yield alert_page(
        shell, a_rule(say), data(say, labels=[], fallbacks=[], firings=[]),
        {"type": "threshold", "new_type": "email", "new_address": say("x@example.com"), "new_name": say("Mail"),
         "channel-2": "on", "fingerprint": say("SHOP-7"), "name": say("n")},
        may_change=True, problem=say("No"), preview=previews[1], now_ms=NOW_MS,
    )  # fmt: skip
    typed = {"name": say("New"), "type": "spike", "multiplier": say("x"), "project": "shop", "description": say("why")}
    empty = form_data(say, channels=[], attached=frozenset())
    yield alert_page(
        shell, None, RulePageData(empty), typed, may_change=True, problem=say("No"), preview=previews[2], now_ms=NOW_MS
    )  # fmt: skip
    yield alert_page(shell, None, RulePageData(), {}, may_change=False, now_ms=NOW_MS)


def _channels(shell: Shell, say: Text) -> Iterator[Page]:
    named, unnamed = some_channels(say)
    last = {
        1: LastDelivery(1, "failed", NOW_MS - 9, say("no answer"), 503),
        2: LastDelivery(2, "sent", NOW_MS - 9, None, 200),
    }
    uses = {1: some_uses(say)}
    for failed, fallbacks in ((2, [("slack", say("hooks.slack.com"))]), (0, [])):
        yield channels_page(
            shell, [(named, True), (unnamed, False), (named._replace(id=3), True)] if failed else [], uses, last,
            fallbacks, may_create=bool(failed), failed=failed, notice="channel-made", now_ms=NOW_MS,
        )  # fmt: skip
    projects = form_data(say).projects
    for row, may_change in (
        (named, True),
        (unnamed, True),
        (named, False),
        (unnamed, False),
        (None, True),
        (None, False),
    ):
        yield channel_page(
            shell, row, ChannelPageData(projects, True, some_uses(say) if row is named else ()),
            {} if row is named else {"type": "webhook", "name": say("n"), "webhook-template": say("{{ text }}")},
            may_change=may_change, test=a_test(say) if row is named else None, notice="channel-saved",
            problem=say("No") if row is unnamed else "", now_ms=NOW_MS,
        )  # fmt: skip


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
            older_than=older, is_later_page=bool(older), notice="retried", now_ms=NOW_MS,
        )  # fmt: skip
    yield deliveries_page(
        shell, [], {}, state=None, rule_id=None, rule_name="", older_than=None, is_later_page=False, notice="",
        now_ms=NOW_MS,
    )  # fmt: skip
