"""Applies a Document to the database.

IMPORT-1  All or nothing: it runs in one transaction of the caller. A dry run is the same transaction, rolled back.
IMPORT-2  Importing a file twice changes nothing the second time.
IMPORT-3  Nothing is deleted: a project, rule or channel that the file does not name stays.
"""

from __future__ import annotations

from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.model import as_dict, parse_config
from bloop.alerts.rules.read import RuleRow, list_channels, list_rules
from bloop.alerts.rules.store import RuleFields
from bloop.base import credentials
from bloop.base.config import Settings
from bloop.base.errors import InvalidField
from bloop.db.engine import Db
from bloop.projects import store as projects
from bloop.projects.old_keys.read import list_all_old_keys
from bloop.projects.read import ProjectRow, get_project, list_projects, project_keys
from bloop.retention.policy import DAYS_MAX, DAYS_MIN
from bloop.retention.read import overrides, policy_row
from bloop.retention.store import save_policy
from bloop.transfer.channels import ImportedRule, apply_rule_channel, apply_saved_channel
from bloop.transfer.document import Document, ProjectDocument, RuleDocument
from bloop.transfer.report import ImportReport, at_place, find_project_id


def apply(db: Db, document: Document, settings: Settings, now_ms: int) -> ImportReport:
    """Apply the document (IMPORT-1) and report the changes.

    Raises:
        InvalidField, Conflict: naming the place in the file; roll back.
    """
    report = ImportReport()
    with at_place("retention"):
        _apply_retention(db, document, report)
    for index, project in enumerate(document.projects):
        with at_place(f"projects[{index}]"):
            _apply_project(db, project, report, now_ms)
    for index, channel in enumerate(document.channels):
        with at_place(f"channels[{index}]"):
            apply_saved_channel(db, channel, settings, report, now_ms)
    existing = _rules_by_name(db)
    for index, rule in enumerate(document.alert_rules):
        with at_place(f"alert_rules[{index}]"):
            matches = existing.get((rule.project, rule.name.strip()))
            _apply_rule(db, rule, matches.pop(0) if matches else None, settings, report, now_ms)
    return report


# Retention


def _apply_retention(db: Db, document: Document, report: ImportReport) -> None:
    row, retention = policy_row(db), document.retention
    events = _checked_days("raw_events_days", retention.raw_events_days)
    hours = _checked_days("hourly_counts_days", retention.hourly_counts_days)
    changes = []
    for label, days, before in (
        ("raw events", events, row.raw_events_days),
        ("counts per hour", hours, row.hourly_counts_days),
    ):
        if days is not None and days != before:
            changes.append(f"{label}: kept {days} days, not {before or 'as in the settings file'}")
    if changes:
        save_policy(db, raw_events_days=events, hourly_counts_days=hours)
        report.changes += changes


def _checked_days(name: str, days: int | None) -> int | None:
    if days is not None and not DAYS_MIN <= days <= DAYS_MAX:
        raise InvalidField(name, f"must be between {DAYS_MIN} and {DAYS_MAX}")
    return days


# Projects


def _apply_project(db: Db, wanted: ProjectDocument, report: ImportReport, now_ms: int) -> None:
    if wanted.api_key is not None and not credentials.PROJECT_KEY_PATTERN.fullmatch(wanted.api_key):
        raise InvalidField("api_key", "is not a project key")
    row = next((row for row in list_projects(db) if row.slug == wanted.slug), None)
    if row is None:
        row = _create_project(db, wanted, report, now_ms)
        if row is None:
            return
    elif row.name != wanted.name.strip():
        projects.rename_project(db, row.id, wanted.name)
        report.changes.append(f"project {row.slug}: renamed to {wanted.name.strip()}")
    _replace_key(db, row, wanted, report, now_ms)
    if wanted.oversize is not None and wanted.oversize != row.oversize:
        projects.set_oversize(db, row.id, wanted.oversize)
        report.changes.append(f"project {row.slug}: oversize is {wanted.oversize}")
    if wanted.search_keys is not None and wanted.search_keys != row.listed_keys:
        projects.set_search_keys(db, row.id, wanted.search_keys)
        report.changes.append(f"project {row.slug}: search_keys are {', '.join(wanted.search_keys)}")
    days = _checked_days("raw_events_days", wanted.raw_events_days)
    current_days = next((o.raw_events_days for o in overrides(db) if o.project_id == row.id), None)
    if days is not None and days != current_days:
        save_policy(db, overrides=[(row.id, days)])
        report.changes.append(f"project {row.slug}: raw events kept {days} days")


def _create_project(db: Db, wanted: ProjectDocument, report: ImportReport, now_ms: int) -> ProjectRow | None:
    if wanted.slug == projects.DEFAULT:  # its key is the configured secret: only a start of bloop may create it
        report.notes.append("the project default is created when bloop starts; import again after that")
        return None
    if wanted.api_key is not None and any(old.key == wanted.api_key for old in list_all_old_keys(db)):
        raise InvalidField("api_key", "is the key of another project")
    public_id = wanted.id if wanted.id and get_project(db, wanted.id) is None else None
    row, _ = projects.create_project(
        db, name=wanted.name, slug=wanted.slug, now_ms=now_ms, public_id=public_id, api_key=wanted.api_key
    )
    report.changes.append(f"project {row.slug}: created")
    if wanted.api_key is None:
        report.notes.append(f"project {row.slug} has a new key: `bloop project rotate-key {row.slug}` shows one")
    return row


def _replace_key(db: Db, row: ProjectRow, wanted: ProjectDocument, report: ImportReport, now_ms: int) -> None:
    if wanted.api_key is None:
        return
    keys = {key.api_key: key.id for key in project_keys(db)}
    if keys.get(wanted.api_key, row.id) != row.id or _is_kept_elsewhere(db, row, wanted.api_key):
        raise InvalidField("api_key", "is the key of another project")
    if wanted.api_key not in keys:
        projects.replace_key(db, row.id, wanted.api_key, now_ms)
        report.changes.append(f"project {row.slug}: key replaced")


def _is_kept_elsewhere(db: Db, row: ProjectRow, key: str) -> bool:
    """Whether clients of another project still send with this key."""
    return any(old.key == key and old.project_id != row.id for old in list_all_old_keys(db))


# Alert rules


def _rules_by_name(db: Db) -> dict[tuple[str | None, str], list[RuleRow]]:
    rules: dict[tuple[str | None, str], list[RuleRow]] = {}
    for row in list_rules(db):
        rules.setdefault((row.project_slug, row.name), []).append(row)
    return rules


def _apply_rule(
    db: Db,
    wanted: RuleDocument,
    row: RuleRow | None,
    settings: Settings,
    report: ImportReport,
    now_ms: int,
) -> None:
    fields, name = _fields(wanted), f"alert rule {wanted.name.strip()}"
    if row is None:
        rule_id = alert_rules.create_rule(
            db, fields, project_id=find_project_id(db, wanted.project), created_by=None, now_ms=now_ms
        )
        report.changes.append(f"{name}: created")
    else:
        rule_id = row.id
        if fields != _fields_of(row):
            alert_rules.save_rule(db, row.id, fields, now_ms)
            report.changes.append(f"{name}: changed")
    rule = ImportedRule(rule_id, name, find_project_id(db, wanted.project), list_channels(db, [rule_id]))
    for index, channel in enumerate(wanted.channels):
        with at_place(f"channels[{index}]"):
            apply_rule_channel(db, rule, channel, settings, report, now_ms)


def _fields(wanted: RuleDocument) -> RuleFields:
    return alert_rules.validated(
        RuleFields(
            name=wanted.name,
            rule_type=wanted.type,
            config=as_dict(parse_config(wanted.type, wanted.config)),
            enabled=wanted.enabled,
            description=wanted.description,
            environment_filter=wanted.environment,
            source_filter=wanted.source,
            cooldown_secs=wanted.cooldown_secs,
        )
    )


def _fields_of(row: RuleRow) -> RuleFields:
    """The stored rule as `_fields` would give it: with the defaults that its stored config leaves out."""
    others = {name: getattr(row, name) for name in RuleFields._fields if name != "config"}
    return RuleFields(**others, config=as_dict(parse_config(row.rule_type, row.config)))
