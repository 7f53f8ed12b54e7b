-- Every attempt to make a backup, the newest hundred and the newest ones that worked. What lies in the folder of the
-- backups is not asked here: each has a manifest beside it.

CREATE TABLE backup_runs (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    cause          TEXT    NOT NULL CHECK (cause IN ('schedule', 'asked', 'command')),
    asked_by       TEXT,                                    -- user id; NULL: the clock or the operator
    state          TEXT    NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'interrupted')),
    asked_at_ms    INTEGER NOT NULL,
    started_at_ms  INTEGER,
    ended_at_ms    INTEGER,
    file           TEXT,                                    -- its name, once it is there
    file_bytes     INTEGER,
    database_bytes INTEGER,
    proven_at_ms   INTEGER,                                 -- a restore drill passed
    error          TEXT
);
CREATE INDEX backup_runs_open ON backup_runs (id) WHERE state IN ('waiting', 'running');
