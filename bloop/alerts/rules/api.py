"""/v1/alerts: rules, the channels they notify, firings and previews. Times in seconds.

A token sees and changes the rules of its own project; rules over all projects are for users (ACCESS-6).
"""

from __future__ import annotations

from typing import Any

import falcon

from bloop.alerts import channels
from bloop.alerts.deliveries.read import FiringRow, list_firings
from bloop.alerts.firing.send_test import TrialResult
from bloop.alerts.message import AlertMessage
from bloop.alerts.rules import changes as alerting
from bloop.alerts.rules.access import require_changeable_rule, require_visible_rule
from bloop.alerts.rules.channels import attach, detach
from bloop.alerts.rules.look_back import preview_rule
from bloop.alerts.rules.model import as_dict, parse_config
from bloop.alerts.rules.read import ChannelRow, RuleRow, list_channels, list_rules
from bloop.auth.access import credential
from bloop.auth.scopes import Scope
from bloop.base.errors import InvalidField
from bloop.db.walk import PageKey
from bloop.projects.read import visible_projects
from bloop.site.bodies import answer_json, read_json
from bloop.site.deps import Deps
from bloop.site.paging import Pager
from bloop.site.principal import principal_of

PREVIEWED_MAX = 100  # firings listed; the count is of all

_READ = credential(Scope.ALERTS_READ)
_WRITE = credential(Scope.ALERTS_WRITE)


class RulesApi:
    """/v1/alerts and /v1/alerts/{rule_id}"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal, reference = principal_of(req), req.get_param("project_id")
        with self._deps.database.reader() as db:
            project_ids = visible_projects(db, principal, reference) if reference else principal.project_ids
            rows = list_rules(db, project_ids)
        answer_json(resp, [*map(rule_json, rows)])

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        answer_json(resp, rule_json(alerting.create(self._deps, principal_of(req), read_json(req))))

    def on_get_one(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        with self._deps.database.reader() as db:
            row = require_visible_rule(db, principal_of(req), rule_id)
        answer_json(resp, rule_json(row))

    def on_put_one(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            require_changeable_rule(db, principal, rule_id)  # before validating: forbidden callers always get 403
        answer_json(resp, rule_json(alerting.change(self._deps, principal, rule_id, read_json(req))))

    def on_post_preview(self, req: falcon.Request, resp: falcon.Response) -> None:
        preview = preview_rule(self._deps, principal_of(req), read_json(req), listed_max=PREVIEWED_MAX)
        answer_json(
            resp,
            {
                "since": preview.since_ms // 1000,
                "until": preview.until_ms // 1000,
                "count": preview.fired_count,
                "firings": [*map(preview_json, preview.newest)],
            },
        )

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        alerting.delete(self._deps, principal_of(req), rule_id)
        answer_json(resp, {"deleted": rule_id})

    def on_post_test(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        tested = alerting.send_test(self._deps, principal_of(req), rule_id)
        answer_json(resp, {"sent": tested.sent, "results": [*map(trial_json, tested.outcomes)]})


class RuleChannelsApi:
    """/v1/alerts/{rule_id}/channels"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        with self._deps.database.reader() as db:
            require_visible_rule(db, principal_of(req), rule_id)
            rows = list_channels(db, [rule_id])
        answer_json(resp, [*map(channel_json, rows)])

    def on_post(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            require_changeable_rule(db, principal, rule_id)
        answer_json(resp, channel_json(attach(self._deps, principal, rule_id, read_json(req))))

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, rule_id: int, channel_id: int) -> None:
        detach(self._deps, principal_of(req), rule_id, channel_id)
        answer_json(resp, {"deleted": channel_id})


class FiringsApi:
    """/v1/alerts/{rule_id}/firings"""

    def __init__(self, deps: Deps, pager: Pager) -> None:
        self._deps, self._pager = deps, pager

    def on_get(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        listing = ("firings", rule_id)
        start = self._pager.start(req, listing)
        with self._deps.database.reader() as db:
            require_visible_rule(db, principal_of(req), rule_id)
            before_id = start.before.id if start.before else None
            rows = list_firings(db, rule_id, before_id=before_id, skip=start.skip, limit=start.limit + 1)
        shown = rows[: start.limit]
        more = PageKey(0, "", shown[-1].id) if len(rows) > start.limit else None
        self._pager.finish(req, resp, listing, start, more)
        answer_json(resp, [*map(firing_json, shown)])


def rule_json(row: RuleRow) -> dict[str, Any]:
    """`config` holds every field, also for a rule stored by an older version."""
    return {
        "id": row.id,
        "name": row.name,
        "rule_type": row.rule_type,
        "config": {"type": row.rule_type, **_full_config(row)},
        "enabled": row.enabled,
        "project_id": row.project_public_id,
        "description": row.description,
        "environment_filter": row.environment_filter,
        "source_filter": row.source_filter,
        "cooldown_secs": row.cooldown_secs,
        "created_at": row.created_at_ms // 1000,
        "updated_at": row.updated_at_ms // 1000,
        "last_fired_at": None if row.last_fired_at_ms is None else row.last_fired_at_ms // 1000,
    }


def _full_config(row: RuleRow) -> dict[str, Any]:
    try:
        return as_dict(parse_config(row.rule_type, row.config))
    except InvalidField:  # a type that only later versions know
        return row.config


def channel_json(row: ChannelRow) -> dict[str, Any]:
    """Without secrets: they can be written, never read."""
    return {
        "id": row.id,
        "rule_id": row.rule_id,
        "channel_type": row.channel_type,
        "config": {"type": row.channel_type, **channels.redacted(row.channel_type, row.config)},
        "target": channels.target(row.channel_type, row.config),
        "created_at": row.created_at_ms // 1000,
    }


def trial_json(row: TrialResult) -> dict[str, Any]:
    return {
        "channel": row.channel_id,
        "channel_type": row.channel_type,
        "target": row.target,
        "state": row.state,
        "detail": row.detail,
        "status": row.status,
        "answer": row.answer,
        "duration_ms": row.duration_ms,
    }


def preview_json(message: AlertMessage) -> dict[str, Any]:
    return {
        "fired_at": message.at_ms // 1000,
        "project_id": message.project_id,
        "issue": message.issue.short_id if message.issue else None,
        "fingerprint": message.issue.fingerprint if message.issue else None,
        "value": message.value,
        "text": message.text,
        "url": message.url,
    }


def firing_json(row: FiringRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "rule_id": row.rule_id,
        "project_id": row.project_public_id,
        "issue": row.short_id,
        "fingerprint": row.fingerprint,
        "text": row.text,
        "url": row.url,
        "is_test": row.is_test,
        "fired_at": row.fired_at_ms // 1000,
        "deliveries": {
            "sent": row.sent,
            "waiting": row.waiting,
            "failed": row.failed,
            "dismissed": row.dismissed,
        },
    }
