"""The policy in force and the stored amounts, as `GET /v1/admin/retention` and `bloop retention show --json` print."""

from __future__ import annotations

from typing import Any

from bloop.base.config import Retention
from bloop.db.engine import Db
from bloop.db.sizes import count_pages
from bloop.retention.policy import load_policy
from bloop.retention.read import overrides
from bloop.retention.sizes import stored_events, stored_hours


def overview(db: Db, defaults: Retention) -> dict[str, Any]:
    policy = load_policy(db, defaults)
    return {
        "global": {
            "raw_events_days": policy.raw_events_days,
            "hourly_counts_days": policy.hourly_counts_days,
            "issues_days": policy.issues_days,
        },
        "per_project": [
            {
                "project_id": row.public_id,
                "project_name": row.name,
                "raw_events_days": row.raw_events_days,
                "issues_days": row.issues_days,
            }
            for row in overrides(db)
        ],
        "storage": {
            "db_size_bytes": count_pages(db).total_bytes,
            "raw_events_count": stored_events(db),
            "hourly_counts_count": stored_hours(db),
        },
    }
