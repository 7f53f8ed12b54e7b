"""Tables of issues, their events, and what is counted about both. Children come before the rows they belong to."""

from __future__ import annotations

from bloop.db import word_search
from bloop.db.tables import Keep, PurgeBy, Table

_PURGE_EVENTS = """
DELETE FROM events WHERE id IN (
    SELECT k.event_id
      FROM json_each(:ids) AS i
      JOIN fingerprints AS f ON f.issue_id = i.value
      JOIN events_by_fingerprint AS k ON k.fingerprint_id = f.id
     LIMIT :rows_max)
"""
# After the events of the same rows: until then they are what the events are found by.
_PURGE_EVENT_KEYS = """
DELETE FROM events_by_fingerprint WHERE (fingerprint_id, timestamp_ms, event_id) IN (
    SELECT k.fingerprint_id, k.timestamp_ms, k.event_id
      FROM json_each(:ids) AS i
      JOIN fingerprints AS f ON f.issue_id = i.value
      JOIN events_by_fingerprint AS k ON k.fingerprint_id = f.id
     LIMIT :rows_max)
"""
_PURGE_STATUS_CHANGES = """
DELETE FROM status_changes WHERE id IN (
    SELECT c.id FROM json_each(:ids) AS i JOIN status_changes AS c ON c.issue_id = i.value LIMIT :rows_max)
"""
_PURGE_COMMENTS = """
DELETE FROM issue_comments WHERE id IN (
    SELECT c.id FROM json_each(:ids) AS i JOIN issue_comments AS c ON c.issue_id = i.value LIMIT :rows_max)
"""
_PURGE_ISSUE_USERS = """
DELETE FROM issue_users WHERE (fingerprint_id, user_key) IN (
    SELECT u.fingerprint_id, u.user_key
      FROM json_each(:ids) AS i
      JOIN fingerprints AS f ON f.issue_id = i.value
      JOIN issue_users AS u ON u.fingerprint_id = f.id
     LIMIT :rows_max)
"""
_PURGE_USER_SKETCHES = """
DELETE FROM user_sketches WHERE fingerprint_id IN (
    SELECT f.id FROM json_each(:ids) AS i JOIN fingerprints AS f ON f.issue_id = i.value)
"""
_PURGE_HOURLY_COUNTS = """
DELETE FROM hourly_counts WHERE (fingerprint_id, hour_ms, release, environment, source) IN (
    SELECT h.fingerprint_id, h.hour_ms, h.release, h.environment, h.source
      FROM json_each(:ids) AS i
      JOIN fingerprints AS f ON f.issue_id = i.value
      JOIN hourly_counts AS h ON h.fingerprint_id = f.id
     LIMIT :rows_max)
"""
_PURGE_AGGREGATES = """
DELETE FROM aggregates WHERE id IN (
    SELECT a.id FROM json_each(:ids) AS i JOIN aggregates AS a ON a.issue_id = i.value LIMIT :rows_max)
"""
_PURGE_FINGERPRINTS = "DELETE FROM fingerprints WHERE issue_id IN (SELECT value FROM json_each(:ids))"
_PURGE_ISSUES = "DELETE FROM issues WHERE id IN (SELECT value FROM json_each(:ids))"
_PURGE_MINUTE_COUNTS = """
DELETE FROM minute_counts WHERE (project_id, minute_ms, fingerprint_id, environment, source) IN (
    SELECT project_id, minute_ms, fingerprint_id, environment, source FROM minute_counts
     WHERE project_id = :project_id LIMIT :rows_max)
"""
_PRUNE_MINUTE_COUNTS = """
DELETE FROM minute_counts WHERE (project_id, minute_ms, fingerprint_id, environment, source) IN (
    SELECT m.project_id, m.minute_ms, m.fingerprint_id, m.environment, m.source
      FROM projects AS p CROSS JOIN minute_counts AS m
     WHERE m.project_id = p.id AND m.minute_ms < :before_ms
     LIMIT :rows_max)
"""
_PURGE_PROJECT_HOURLY_COUNTS = """
DELETE FROM project_hourly_counts WHERE (project_id, hour_ms, release, environment, source) IN (
    SELECT project_id, hour_ms, release, environment, source FROM project_hourly_counts
     WHERE project_id = :project_id LIMIT :rows_max)
"""
_PRUNE_PROJECT_HOURLY_COUNTS = """
DELETE FROM project_hourly_counts WHERE (project_id, hour_ms, release, environment, source) IN (
    SELECT h.project_id, h.hour_ms, h.release, h.environment, h.source
      FROM projects AS p CROSS JOIN project_hourly_counts AS h
     WHERE h.project_id = p.id AND h.hour_ms < :before_ms
     LIMIT :rows_max)
"""
_PURGE_PROJECT_HOURS = """
DELETE FROM project_hours WHERE (project_id, hour_ms, source) IN (
    SELECT project_id, hour_ms, source FROM project_hours WHERE project_id = :project_id LIMIT :rows_max)
"""
_PURGE_FINGERPRINT_HOURS = """
DELETE FROM fingerprint_hours WHERE (fingerprint_id, hour_ms) IN (
    SELECT h.fingerprint_id, h.hour_ms
      FROM json_each(:ids) AS i
      JOIN fingerprints AS f ON f.issue_id = i.value
      JOIN fingerprint_hours AS h ON h.fingerprint_id = f.id
     LIMIT :rows_max)
"""
_PURGE_ROUTE_COUNTS = """
DELETE FROM route_counts WHERE (project_id, route) IN (
    SELECT project_id, route FROM route_counts WHERE project_id = :project_id LIMIT :rows_max)
"""
_PURGE_PROJECT_NAMES = """
DELETE FROM project_names WHERE (project_id, kind, name) IN (
    SELECT project_id, kind, name FROM project_names WHERE project_id = :project_id LIMIT :rows_max)
"""
_PURGE_KEPT_COUNTS = "DELETE FROM kept_counts WHERE project_id = :project_id"
_PURGE_NEW_ISSUE_COUNTS = """
DELETE FROM new_issue_counts WHERE (project_id, hour_ms) IN (
    SELECT project_id, hour_ms FROM new_issue_counts WHERE project_id = :project_id LIMIT :rows_max)
"""
_PRUNE_NEW_ISSUE_COUNTS = """
DELETE FROM new_issue_counts WHERE (project_id, hour_ms) IN (
    SELECT n.project_id, n.hour_ms
      FROM projects AS p CROSS JOIN new_issue_counts AS n
     WHERE n.project_id = p.id AND n.hour_ms < :before_ms
     LIMIT :rows_max)
"""
_PURGE_EVENT_DIMS = """
DELETE FROM event_dims WHERE id IN (SELECT id FROM event_dims WHERE project_id = :project_id LIMIT :rows_max)
"""
_PURGE_STATUS_COUNTS = "DELETE FROM status_counts WHERE project_id = :project_id"
_PURGE_FIRING_COUNTS = "DELETE FROM firing_counts WHERE project_id = :project_id"

_PURGE_UNDO_PARTS = """
DELETE FROM undo_parts WHERE id IN (SELECT id FROM undo_parts WHERE project_id = :project_id LIMIT :rows_max)
"""
_PRUNE_UNDO_PARTS = """
DELETE FROM undo_parts WHERE id IN (
    SELECT u.id
      FROM projects AS p CROSS JOIN undo_parts AS u
     WHERE u.project_id = p.id AND u.made_at_ms < :before_ms
     LIMIT :rows_max)
"""
_PURGE_SAVED_VIEWS = """
DELETE FROM saved_views WHERE id IN (SELECT id FROM saved_views WHERE project_id = :project_id LIMIT :rows_max)
"""

TABLES = (
    Table(
        name="events",
        label="Raw events",
        note="stacks, metadata, ids",
        is_missed=True,
        purge=(_PURGE_EVENTS,),
        purge_by=PurgeBy.ISSUE,
    ),
    Table(name="events_by_fingerprint", is_missed=True, purge=(_PURGE_EVENT_KEYS,), purge_by=PurgeBy.ISSUE),
    Table(
        name="status_changes",
        label="History of issues",
        is_missed=True,
        purge=(_PURGE_STATUS_CHANGES,),
        purge_by=PurgeBy.ISSUE,
    ),
    Table(
        name="issue_comments",
        label="Comments",
        is_missed=True,
        purge=(_PURGE_COMMENTS,),
        purge_by=PurgeBy.ISSUE,
    ),
    Table(
        name="issue_users",
        label="People per issue",
        note="so that they are counted once",
        is_missed=True,
        purge=(_PURGE_ISSUE_USERS,),
        purge_by=PurgeBy.ISSUE,
    ),
    Table(name="user_sketches", is_missed=True, purge=(_PURGE_USER_SKETCHES,), purge_by=PurgeBy.ISSUE),
    Table(
        name="hourly_counts",
        label="Counts per hour and issue",
        is_missed=True,
        purge=(_PURGE_HOURLY_COUNTS,),
        purge_by=PurgeBy.ISSUE,
    ),
    Table(name="fingerprint_hours", purge=(_PURGE_FINGERPRINT_HOURS,), purge_by=PurgeBy.ISSUE),
    Table(
        name="aggregates",
        label="Issues by release and environment",
        is_missed=True,
        purge=(_PURGE_AGGREGATES,),
        purge_by=PurgeBy.ISSUE,
    ),
    Table(name="issue_search", purge=(word_search.FORGET,), purge_by=PurgeBy.ISSUE),
    Table(name="fingerprints", is_missed=True, purge=(_PURGE_FINGERPRINTS,), purge_by=PurgeBy.ISSUE),
    Table(name="issues", label="Issues", is_missed=True, purge=(_PURGE_ISSUES,), purge_by=PurgeBy.ISSUE),
    Table(
        name="minute_counts",
        label="Counts per minute and issue",
        note="for alert rules",
        purge=(_PURGE_MINUTE_COUNTS,),
        keep=Keep.MINUTES,
        prune=_PRUNE_MINUTE_COUNTS,
    ),
    Table(
        name="project_hourly_counts",
        label="Counts per hour and project",
        purge=(_PURGE_PROJECT_HOURLY_COUNTS,),
        keep=Keep.HOURS,
        prune=_PRUNE_PROJECT_HOURLY_COUNTS,
    ),
    Table(name="project_hours", purge=(_PURGE_PROJECT_HOURS,)),
    Table(name="route_counts", purge=(_PURGE_ROUTE_COUNTS,)),
    Table(name="status_counts", purge=(_PURGE_STATUS_COUNTS,)),
    Table(name="firing_counts", purge=(_PURGE_FIRING_COUNTS,)),
    Table(name="event_dims", is_missed=True, purge=(_PURGE_EVENT_DIMS,)),
    Table(
        name="project_names",
        label="Names of releases, routes, environments and sources",
        is_missed=True,
        purge=(_PURGE_PROJECT_NAMES,),
    ),
    Table(name="kept_counts", purge=(_PURGE_KEPT_COUNTS,)),
    Table(name="new_issue_counts", purge=(_PURGE_NEW_ISSUE_COUNTS,), keep=Keep.MINUTES, prune=_PRUNE_NEW_ISSUE_COUNTS),
    Table(name="issue_views", outlives_project="the newest of each person; ids of issues are not given again"),
    Table(name="issue_view_marks"),
    Table(
        name="undo_parts",
        label="What undoes changes of issues",
        purge=(_PURGE_UNDO_PARTS,),
        keep=Keep.UNDOS,
        prune=_PRUNE_UNDO_PARTS,
    ),
    Table(name="saved_views", is_missed=True, purge=(_PURGE_SAVED_VIEWS,)),
    Table(name="settled"),
    Table(name="event_blocks"),  # triggers take out deleted events and remove what is empty
    Table(name="event_columns"),
    Table(name="deleted_issues", outlives_project="a counter, and the highest ids that are not given again"),
    Table(name="issues_to_delete", outlives_project="a list of ids; retention strikes off those that are gone"),
    Table(name="issue_deletions", outlives_project="who deleted what is known after the project is gone"),
    Table(name="dictionaries", is_missed=True),
)
