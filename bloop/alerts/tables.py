"""Tables of alerts. Rows that depend on rows of a deleted project are deleted first."""

from __future__ import annotations

from bloop.db.tables import Keep, Table

_PURGE_DELIVERIES = """
DELETE FROM deliveries WHERE id IN (
    SELECT d.id FROM alert_firings AS f JOIN deliveries AS d ON d.firing_id = f.id
     WHERE f.project_id = :project_id LIMIT :rows_max)
"""
# Digests over several projects, with their deliveries: at most one a minute exists.
_PURGE_ALERT_FIRINGS_DIGESTS = """
DELETE FROM alert_firings WHERE id IN (
    SELECT d.id FROM alert_firings AS f JOIN alert_firings AS d ON d.id = f.digest_id AND d.project_id IS NULL
     WHERE f.project_id = :project_id LIMIT :rows_max)
"""
_PURGE_ALERT_FIRINGS_OWN = """
DELETE FROM alert_firings WHERE id IN (SELECT id FROM alert_firings WHERE project_id = :project_id LIMIT :rows_max)
"""
_PRUNE_ALERT_FIRINGS = """
DELETE FROM alert_firings WHERE id IN (
    SELECT id FROM alert_firings
     WHERE id < coalesce((SELECT id FROM alert_firings WHERE fired_at_ms >= :before_ms ORDER BY id LIMIT 1),
                         (SELECT max(id) + 1 FROM alert_firings))
     ORDER BY id LIMIT :rows_max)
"""
_PURGE_ALERT_COOLDOWNS = """
DELETE FROM alert_cooldowns WHERE (rule_id, project_id, key) IN (
    SELECT rule_id, project_id, key FROM alert_cooldowns WHERE project_id = :project_id LIMIT :rows_max)
"""
_PRUNE_ALERT_COOLDOWNS = "DELETE FROM alert_cooldowns WHERE fired_at_ms < :before_ms"
_PURGE_ALERT_RULES = "DELETE FROM alert_rules WHERE project_id = :project_id"
_PURGE_CHANNELS = "DELETE FROM channels WHERE project_id = :project_id"

TABLES = (
    Table(name="deliveries", label="Deliveries of alerts", purge=(_PURGE_DELIVERIES,)),
    Table(
        name="alert_firings",
        label="Alerts that fired",
        purge=(
            _PURGE_ALERT_FIRINGS_DIGESTS,
            _PURGE_ALERT_FIRINGS_OWN,
        ),
        keep=Keep.FIRINGS,
        prune=_PRUNE_ALERT_FIRINGS,
    ),
    Table(name="alert_cooldowns", purge=(_PURGE_ALERT_COOLDOWNS,), keep=Keep.FIRINGS, prune=_PRUNE_ALERT_COOLDOWNS),
    Table(name="rule_channels", is_missed=True),
    Table(name="alert_rules", is_missed=True, purge=(_PURGE_ALERT_RULES,)),
    Table(name="channels", is_missed=True, purge=(_PURGE_CHANNELS,)),
    Table(name="delivery_log_visits"),
    Table(name="alert_cursor"),
)
