"""The one list of features. Importing it imports none of them."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

from bloop.base.feature import Feature

FEATURES = (
    Feature("processes"),
    Feature("releases"),
    Feature(
        "accounts",
        routes="bloop.accounts.routes:mount",
        hooks={"by_cookie": "bloop.accounts.sign_ins.authenticate:find_by_cookie"},
        commands={"user": "bloop.accounts.cli:user", "login-link": "bloop.accounts.sign_ins.cli:login_link"},
    ),
    Feature(
        "projects",
        routes="bloop.projects.routes:mount",
        hooks={"by_bearer": "bloop.projects.tokens.authenticate:find_by_bearer"},
        commands={"project": "bloop.projects.cli:project", "token": "bloop.projects.tokens.cli:token"},
    ),
    Feature("ledger", routes="bloop.ledger.routes:mount"),
    Feature(
        "alerts",
        routes="bloop.alerts.routes:mount",
        commands={"alert": "bloop.alerts.cli:alert", "delivery": "bloop.alerts.deliveries.cli:delivery"},
    ),
    Feature(
        "issues",
        routes="bloop.issues.routes:mount",
        hooks={"shell": "bloop.issues.shell:read_shell"},
        commands={"issue": "bloop.issues.cli:issue"},
    ),
    Feature(
        "onboarding",
        routes="bloop.onboarding.routes:mount",
        hooks={"show_key": "bloop.onboarding.views:show_key"},
    ),
    Feature(
        "backup",
        routes="bloop.backup.routes:mount",
        hooks={"storage_panel": "bloop.backup.views:panel_of"},
        commands={"backup": "bloop.backup.cli:backup", "restore": "bloop.backup.restore_cli:restore"},
    ),
    Feature(
        "retention",
        routes="bloop.retention.routes:mount",
        commands={"retention": "bloop.retention.cli:retention"},
    ),
    Feature("live", routes="bloop.live.routes:mount"),
    Feature("health", routes="bloop.health.routes:mount", hooks={"banners": "bloop.health.views:banners_now"}),
)


def mounts() -> list[Any]:
    """The functions that add the features' routes (`Mount` in site/app.py)."""
    return [resolve_name(feature.routes) for feature in FEATURES if feature.routes]


def hooks() -> dict[str, str]:
    """What the kit of pages calls without knowing whose it is: names for `Hooks.resolve` (site/deps.py)."""
    return {field: name for feature in FEATURES for field, name in feature.hooks.items()}


def commands() -> dict[str, str]:
    """The features' commands, by name."""
    return {command: name for feature in FEATURES for command, name in feature.commands.items()}
