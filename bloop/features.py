"""The one list of bloop's features, and what each brings along.

Parts are named, not imported: `module:attribute`, resolved when somebody asks. So importing this list imports no
feature, an ingest worker that needs none loads none, and rooms below may ask for what features registered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from bloop.base.config import ProjectLimits
from bloop.db.engine import Db
from bloop.db.tables import Table
from bloop.pipeline.kinds import KindStore

DEFAULT_LIMITS = ProjectLimits()
if TYPE_CHECKING:
    from bloop.db.clean_up import FeatureCleanUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What one feature registers; a part it does not have stays empty."""

    name: str
    tables: str = ""  # tuple[bloop.db.tables.Table, ...]
    clean_up: str = ""  # bloop.db.clean_up.FeatureCleanUp: its part of a clean-up, beyond what its tables say
    kinds: tuple[str, ...] = ()  # classes that implement bloop.pipeline.kinds.KindStore, made with Db and limits
    routes: str = ""  # mount(routes, deps): adds its API and its pages
    hooks: Mapping[str, str] = field(default_factory=dict)  # what the kit of pages calls, a field of site's Hooks each
    commands: Mapping[str, str] = field(default_factory=dict)  # of `bloop`, by name
    belongings: tuple[str, ...] = ()  # bloop.accounts.people.model.Belongings: rows that have an owner
    settings: str = ""  # Hooks.setting_lines of site/deps.py: its lines on the overview of the settings


# In this order rows of a deleted project are removed: what refers to an issue or a project goes before it.
FEATURES = (
    Feature(
        name="issues",
        tables="bloop.issues.tables:TABLES",
        clean_up="bloop.issues.deletion.clean_up:CLEAN_UP",
        kinds=("bloop.issues.kind:EventStore",),
        routes="bloop.issues.routes:mount",
        hooks={
            "shell": "bloop.issues.shell:read_shell",
            "scope_names": "bloop.issues.shell:scope_names",
            "toast": "bloop.issues.status.flash:take_flash",
        },
        commands={
            "issue": "bloop.issues.cli:issue",
            "event": "bloop.issues.search.cli:event",
            "undo": "bloop.issues.undo.cli:undo",
        },
        belongings=("bloop.issues.status.removal:ASSIGNED", "bloop.issues.saved_views.removal:VIEWS"),
        settings="bloop.issues.saved_views.setting_lines:setting_lines",
    ),
    Feature(name="releases", tables="bloop.releases.tables:TABLES"),
    Feature(
        name="alerts",
        tables="bloop.alerts.tables:TABLES",
        routes="bloop.alerts.routes:mount",
        hooks={"alerts_failed": "bloop.alerts.deliveries.shell:unseen_failures"},
        commands={
            "alert": "bloop.alerts.cli:alert",
            "channel": "bloop.alerts.saved_channels.cli:channel",
            "delivery": "bloop.alerts.deliveries.cli:delivery",
        },
        belongings=("bloop.alerts.rules.removal:RULES",),
        settings="bloop.alerts.setting_lines:setting_lines",
    ),
    Feature(name="live", tables="bloop.live.tables:TABLES", routes="bloop.live.routes:mount"),
    Feature(
        name="ledger",
        tables="bloop.ledger.tables:TABLES",
        kinds=("bloop.ledger.store:NoteStore",),
        routes="bloop.ledger.routes:mount",
        settings="bloop.ledger.setting_lines:setting_lines",
    ),
    Feature(
        name="retention",
        tables="bloop.retention.tables:TABLES",
        routes="bloop.retention.routes:mount",
        commands={"retention": "bloop.retention.cli:retention"},
        settings="bloop.retention.setting_lines:setting_lines",
    ),
    Feature(
        name="backup",
        tables="bloop.backup.tables:TABLES",
        routes="bloop.backup.routes:mount",
        hooks={"storage_panel": "bloop.backup.views:load_panel"},
        commands={"backup": "bloop.backup.cli:backup", "restore": "bloop.backup.restore_cli:restore"},
        settings="bloop.backup.setting_lines:setting_lines",
    ),
    Feature(name="processes", tables="bloop.processes.tables:TABLES"),
    Feature(
        name="health",
        routes="bloop.health.routes:mount",
        hooks={"banners": "bloop.health.views:current_banners"},
        settings="bloop.health.setting_lines:setting_lines",
    ),
    Feature(
        name="onboarding",
        routes="bloop.onboarding.routes:mount",
        hooks={"show_key": "bloop.onboarding.views:show_key", "first_page": "bloop.onboarding.views:first_page"},
    ),
    Feature(
        name="accounts",
        tables="bloop.accounts.tables:TABLES",
        routes="bloop.accounts.routes:mount",
        hooks={"by_cookie": "bloop.accounts.sign_ins.authenticate:find_credential_by_cookie"},
        commands={"user": "bloop.accounts.cli:user", "login-link": "bloop.accounts.sign_ins.cli:login_link"},
        settings="bloop.accounts.setting_lines:setting_lines",
    ),
    Feature(
        name="projects",
        tables="bloop.projects.tables:TABLES",
        kinds=("bloop.projects.key_uses:KeyUseStore",),
        routes="bloop.projects.routes:mount",
        hooks={
            "by_bearer": "bloop.projects.tokens.authenticate:find_credential_by_bearer",
            "note_project": "bloop.projects.uses.views:note_project",
        },
        commands={"project": "bloop.projects.cli:project", "token": "bloop.projects.tokens.cli:token"},
        belongings=("bloop.projects.tokens.removal:TOKENS", "bloop.projects.uses.removal:USES"),
        settings="bloop.projects.setting_lines:setting_lines",
    ),
)


@cache
def tables() -> tuple[Table, ...]:
    """Every table of every feature."""
    return tuple(table for part in _parts("tables") for table in part)


def table(name: str) -> Table:
    """One of them."""
    return next(table for table in tables() if table.name == name)


def make_kinds(db: Db, limits: ProjectLimits = DEFAULT_LIMITS) -> list[KindStore]:
    """The stores of every kind of record, for one writer; `limits` are those of each project."""
    return [resolve_name(kind)(db, limits) for feature in FEATURES for kind in feature.kinds]


def clean_ups() -> Iterator[FeatureCleanUp]:
    """What features have cleaned up beyond what their tables say."""
    return _parts("clean_up")


def mounts() -> list[Any]:
    """The functions that add the features' routes (`Mount` in site/app.py)."""
    return list(_parts("routes"))


def hooks() -> dict[str, str]:
    """What the kit of pages calls without knowing whose it is: names for `Hooks.resolve` (site/deps.py)."""
    own = {field: name for feature in FEATURES for field, name in feature.hooks.items()}
    return own | {"setting_lines": "bloop.features:setting_lines"}


def commands() -> dict[str, str]:
    """The features' commands, by name; each is imported when somebody asks for it."""
    return {command: name for feature in FEATURES for command, name in feature.commands.items()}


def belongings() -> list[Any]:
    """What accounts own, feature by feature (`bloop.accounts.people.model.Belongings`)."""
    return [resolve_name(part) for feature in FEATURES for part in feature.belongings]


def setting_lines(*arguments: Any) -> list[Any]:
    """The lines of every feature on the overview of the settings; takes the arguments of `Hooks.setting_lines`."""
    return [line for lines in _parts("settings") for line in lines(*arguments)]


def _parts(name: str) -> Iterator[Any]:
    return (resolve_name(part) for feature in FEATURES if (part := getattr(feature, name)))
