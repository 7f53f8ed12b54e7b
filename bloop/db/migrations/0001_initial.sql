-- Times are Unix milliseconds (UTC) in columns that end in _ms, and Unix seconds where tooling written for
-- bloop's wire format expects them (webauthn_users, sessions, api_tokens).

-- Control plane ------------------------------------------------------------------------------------------------

CREATE TABLE projects (
    id                INTEGER PRIMARY KEY,
    public_id         TEXT    NOT NULL UNIQUE,          -- what the API prints: 'default' or a UUID
    slug              TEXT    NOT NULL UNIQUE,
    name              TEXT    NOT NULL,
    api_key           TEXT    NOT NULL UNIQUE,          -- in clear: it is an HMAC key
    short_prefix      TEXT    NOT NULL,                 -- 'MOBILE-APP' of MOBILE-APP-12
    next_short_number INTEGER NOT NULL DEFAULT 1,
    created_at_ms     INTEGER NOT NULL,
    created_by        TEXT REFERENCES webauthn_users (id) ON DELETE SET NULL
);

CREATE TABLE webauthn_users (
    id           TEXT    PRIMARY KEY,
    username     TEXT    NOT NULL UNIQUE,
    display_name TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,                      -- seconds
    is_admin     INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE sessions (
    token      TEXT    PRIMARY KEY,                     -- hex SHA-256 of the cookie's value
    user_id    TEXT REFERENCES webauthn_users (id) ON DELETE CASCADE,  -- NULL: the operator, by a one-time link
    created_at INTEGER NOT NULL,                        -- seconds
    expires_at INTEGER NOT NULL                         -- seconds
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE login_links (
    token_hash    TEXT    PRIMARY KEY,                  -- hex SHA-256 of the link's token
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    used_at_ms    INTEGER
);

CREATE TABLE api_tokens (
    id           TEXT    PRIMARY KEY,
    name         TEXT    NOT NULL,
    token_hash   TEXT    NOT NULL UNIQUE,               -- hex SHA-256
    token_prefix TEXT    NOT NULL,                      -- first 16 characters, to recognise it by
    project_id   INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    scopes       TEXT    NOT NULL,                      -- space separated
    created_by   TEXT REFERENCES webauthn_users (id) ON DELETE SET NULL,
    created_at   INTEGER NOT NULL,                      -- seconds
    expires_at   INTEGER,                               -- seconds; NULL: never
    last_used_at INTEGER,                               -- seconds
    revoked_at   INTEGER                                -- seconds
);
CREATE INDEX api_tokens_by_project ON api_tokens (project_id, created_at);

-- Issues and what is counted under them ------------------------------------------------------------------------

CREATE TABLE issues (
    id                    INTEGER PRIMARY KEY,
    project_id            INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    fingerprint           TEXT    NOT NULL,
    fingerprint_algorithm TEXT    NOT NULL,             -- 'v1', 'client', later 'crash-v1' …
    short_number          INTEGER NOT NULL,
    kind                  TEXT    NOT NULL DEFAULT 'error',
    level                 TEXT    NOT NULL DEFAULT 'error',
    status                TEXT    NOT NULL DEFAULT 'unresolved'
        CHECK (status IN ('unresolved', 'resolved', 'ignored', 'muted', 'regressed')),
    error_type            TEXT    NOT NULL,
    message               TEXT    NOT NULL,             -- of the first event
    source                TEXT    NOT NULL,
    route                 TEXT,
    screen                TEXT,
    culprit               TEXT,                         -- top application frame of the first event
    event_count           INTEGER NOT NULL DEFAULT 0,
    user_count            INTEGER NOT NULL DEFAULT 0,
    first_seen_ms         INTEGER NOT NULL,             -- receive time
    last_seen_ms          INTEGER NOT NULL,
    first_release         TEXT    NOT NULL,
    last_release          TEXT    NOT NULL,
    times_regressed       INTEGER NOT NULL DEFAULT 0,
    resolved_at_ms        INTEGER,
    resolved_in_release   TEXT,
    assignee              TEXT REFERENCES webauthn_users (id) ON DELETE SET NULL,
    UNIQUE (project_id, fingerprint),
    UNIQUE (project_id, short_number)
);
-- Lists walk one of these from the end; `status` rides along so that a filtered walk never leaves the index.
CREATE INDEX issues_by_last_seen ON issues (project_id, last_seen_ms, status);
CREATE INDEX issues_by_events ON issues (project_id, event_count, status);
CREATE INDEX issues_by_first_seen ON issues (project_id, first_seen_ms, status);
-- Never updated, because these never change.
CREATE INDEX issues_by_route ON issues (project_id, route);
CREATE INDEX issues_by_source ON issues (project_id, source);

CREATE TABLE aggregates (
    id            INTEGER PRIMARY KEY,
    project_id    INTEGER NOT NULL,
    issue_id      INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    release       TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    status        TEXT    NOT NULL,                     -- the issue's, copied so that lists need no join to filter
    event_count   INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms  INTEGER NOT NULL,
    UNIQUE (issue_id, release, environment)
);
-- As for issues; release, environment and issue ride along too, so every filter of the list is decided in
-- the index. `id` stands before them because it breaks ties between equal values.
CREATE INDEX aggregates_by_last_seen
    ON aggregates (project_id, last_seen_ms, status, id, release, environment, issue_id);
CREATE INDEX aggregates_by_events
    ON aggregates (project_id, event_count, status, id, release, environment, issue_id);
CREATE INDEX aggregates_by_first_seen
    ON aggregates (project_id, first_seen_ms, status, id, release, environment, issue_id);
CREATE INDEX aggregates_by_release ON aggregates (project_id, release);

-- How many issues a project has in each status, kept by the triggers below: no page ever counts them.
CREATE TABLE status_counts (
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    status      TEXT    NOT NULL,
    issue_count INTEGER NOT NULL,
    PRIMARY KEY (project_id, status)
) WITHOUT ROWID;

CREATE TRIGGER issues_counted_on_insert AFTER INSERT ON issues BEGIN
    INSERT INTO status_counts VALUES (new.project_id, new.status, 1)
        ON CONFLICT DO UPDATE SET issue_count = issue_count + 1;
END;
CREATE TRIGGER issues_counted_on_delete AFTER DELETE ON issues BEGIN
    UPDATE status_counts SET issue_count = issue_count - 1
     WHERE project_id = old.project_id AND status = old.status;
END;
CREATE TRIGGER issues_counted_on_status AFTER UPDATE OF status ON issues WHEN new.status <> old.status BEGIN
    UPDATE status_counts SET issue_count = issue_count - 1
     WHERE project_id = old.project_id AND status = old.status;
    INSERT INTO status_counts VALUES (new.project_id, new.status, 1)
        ON CONFLICT DO UPDATE SET issue_count = issue_count + 1;
    UPDATE aggregates SET status = new.status WHERE issue_id = new.id;
END;

-- Exact distinct users: one row each. The key is XXH3-128 of the user id (or of the device id when there is none).
CREATE TABLE issue_users (
    issue_id INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    user_key BLOB    NOT NULL,
    PRIMARY KEY (issue_id, user_key)
) WITHOUT ROWID;

CREATE TABLE hourly_counts (
    issue_id    INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    hour_ms     INTEGER NOT NULL,
    environment TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    event_count INTEGER NOT NULL,
    PRIMARY KEY (issue_id, hour_ms, environment, source)
) WITHOUT ROWID;

CREATE TABLE project_hourly_counts (
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    hour_ms     INTEGER NOT NULL,
    environment TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    event_count INTEGER NOT NULL,
    PRIMARY KEY (project_id, hour_ms, environment, source)
) WITHOUT ROWID;

CREATE TABLE route_counts (
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    route       TEXT    NOT NULL,
    event_count INTEGER NOT NULL,
    PRIMARY KEY (project_id, route)
) WITHOUT ROWID;

CREATE TABLE releases (
    project_id    INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    release       TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    event_count   INTEGER NOT NULL DEFAULT 0,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms  INTEGER NOT NULL,
    PRIMARY KEY (project_id, release, environment)
) WITHOUT ROWID;

-- Raw events. The newest few of an issue are its samples: retention spares them, nothing is stored twice.
CREATE TABLE events (
    id             INTEGER PRIMARY KEY,                 -- rises with the batches they came in
    issue_id       INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    project_id     INTEGER NOT NULL,
    timestamp_ms   INTEGER NOT NULL,                    -- the client's clock
    received_at_ms INTEGER NOT NULL,
    source         TEXT    NOT NULL,
    environment    TEXT    NOT NULL,
    release        TEXT    NOT NULL,
    level          TEXT    NOT NULL,
    error_type     TEXT    NOT NULL,
    message        TEXT    NOT NULL,
    stack          TEXT,
    route          TEXT,
    screen         TEXT,
    http_status    INTEGER,
    request_id     TEXT,
    user_id_hash   TEXT,
    device_id_hash TEXT,
    app_version    TEXT,
    build_number   TEXT,
    metadata       TEXT,                                -- JSON
    extra          TEXT                                 -- JSON: tags, breadcrumbs, flags, structured frames
);
CREATE INDEX events_by_issue ON events (issue_id, timestamp_ms);

CREATE TABLE status_changes (
    id            INTEGER PRIMARY KEY,
    issue_id      INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    project_id    INTEGER NOT NULL,
    old_status    TEXT    NOT NULL,
    new_status    TEXT    NOT NULL,
    changed_by    TEXT,                                 -- user or token id; NULL: bloop itself
    changed_via   TEXT    NOT NULL,                     -- 'api', 'dashboard', 'ingest'
    release       TEXT,                                 -- of the event that regressed it
    changed_at_ms INTEGER NOT NULL
);
CREATE INDEX status_changes_by_issue ON status_changes (issue_id, id);

-- Outbox and bookkeeping ---------------------------------------------------------------------------------------

CREATE TABLE signals (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,       -- readers keep their place by it; never reused
    kind       TEXT    NOT NULL,                        -- 'issue.new', 'issue.regressed', 'issue.resolved' …
    project_id INTEGER NOT NULL,
    issue_id   INTEGER,
    at_ms      INTEGER NOT NULL,
    data       TEXT    NOT NULL DEFAULT '{}'            -- JSON
);

CREATE TABLE ledger (
    minute_ms  INTEGER NOT NULL,
    project_id INTEGER NOT NULL,                        -- 0: the request named no known project
    outcome    INTEGER NOT NULL,                        -- bloop/outcomes.py
    count      INTEGER NOT NULL,
    PRIMARY KEY (minute_ms, project_id, outcome)
) WITHOUT ROWID;

-- The same numbers since the beginning, so that the ledger can be shown to balance after old minutes are pruned.
CREATE TABLE ledger_totals (
    project_id INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (project_id, outcome)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
    id          INTEGER PRIMARY KEY,
    dead_at_ms  INTEGER NOT NULL,
    project_id  INTEGER NOT NULL,
    record_kind INTEGER NOT NULL,
    reason      TEXT    NOT NULL,
    payload     BLOB    NOT NULL
);

-- Events up to this id are in the counters (issues, users, aggregates, hours, routes, releases). Under load the writer
-- stores events at once and adds them up a few times a second; what a crash leaves uncounted is counted at the start.
CREATE TABLE settled (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    event_id INTEGER NOT NULL
);
INSERT INTO settled VALUES (1, 0);

-- How far each lane of the ring is stored, written in the transaction that stores the records.
CREATE TABLE ring_cursors (
    ring_id  INTEGER NOT NULL,
    lane     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (ring_id, lane)
) WITHOUT ROWID;

-- How much of each shared-memory counter is already in the ledger.
CREATE TABLE ring_cells (
    ring_id    INTEGER NOT NULL,
    lane       INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    folded     INTEGER NOT NULL,
    PRIMARY KEY (ring_id, lane, project_id, outcome)
) WITHOUT ROWID;
