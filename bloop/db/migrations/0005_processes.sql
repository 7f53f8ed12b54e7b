-- What the processes in the background (alerts, retention) say of themselves, a few times a minute. A process that was
-- here once and has gone silent is missed; one that never ran has no row.
CREATE TABLE process_states (
    name          TEXT    PRIMARY KEY,
    started_at_ms INTEGER NOT NULL,
    seen_at_ms    INTEGER NOT NULL,
    troubles      TEXT    NOT NULL DEFAULT '[]'         -- JSON: codes of bloop/query/health.py
) WITHOUT ROWID;
