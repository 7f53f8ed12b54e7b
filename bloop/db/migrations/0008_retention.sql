-- How long what is kept, who asked for a purge and what came of it, and how the file grows.

-- One row. NULL: as the settings file says.
CREATE TABLE retention_policy (
    id                 INTEGER PRIMARY KEY CHECK (id = 1),
    raw_events_days    INTEGER,
    hourly_counts_days INTEGER,
    revision           INTEGER NOT NULL DEFAULT 0           -- rises with every change: a list made before it is dropped
);
INSERT INTO retention_policy (id) VALUES (1);

CREATE TABLE retention_overrides (
    project_id      INTEGER PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    raw_events_days INTEGER NOT NULL
);

-- Every pass, the newest hundred. Counts rise in the transactions that delete, so they are true at any moment.
CREATE TABLE retention_runs (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT,
    asked_by              TEXT,                             -- user or token id; NULL: by the clock
    asked_at_ms           INTEGER NOT NULL,
    started_at_ms         INTEGER,                          -- NULL: waits for the retention process
    finished_at_ms        INTEGER,
    error                 TEXT,                             -- why it goes on later
    raw_events_due        INTEGER,                          -- what was found to go, once that is known
    raw_events_deleted    INTEGER NOT NULL DEFAULT 0,
    hourly_counts_deleted INTEGER NOT NULL DEFAULT 0,
    others_deleted        INTEGER NOT NULL DEFAULT 0,       -- accounts by minute, signals, samples of refusals …
    bytes_freed           INTEGER NOT NULL DEFAULT 0        -- given back to the file system
);
CREATE INDEX retention_runs_open ON retention_runs (id) WHERE finished_at_ms IS NULL;

-- A row a day, its last look: how the file grows.
CREATE TABLE storage_samples (
    day_ms          INTEGER PRIMARY KEY,                    -- UTC
    sampled_at_ms   INTEGER NOT NULL,
    database_bytes  INTEGER NOT NULL,
    reusable_bytes  INTEGER NOT NULL,                       -- free pages inside the file
    wal_bytes       INTEGER NOT NULL,
    disk_free_bytes INTEGER NOT NULL,
    event_id        INTEGER NOT NULL,                       -- the newest when rows were counted
    row_counts      TEXT    NOT NULL                        -- JSON: table → rows
);
