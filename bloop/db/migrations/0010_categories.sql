-- The ledger counts by category (bloop/base/outcomes.py): events so far, sessions, traces and client reports from here
-- on. What was counted before categories are events, category 0.

CREATE TABLE ledger_new (
    minute_ms  INTEGER NOT NULL,
    project_id INTEGER NOT NULL,                        -- 0: the request named no known project
    category   INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (minute_ms, project_id, category, outcome)
) WITHOUT ROWID;
INSERT INTO ledger_new SELECT minute_ms, project_id, 0, outcome, count FROM ledger ORDER BY 1, 2, 4;
DROP TABLE ledger;
ALTER TABLE ledger_new RENAME TO ledger;

CREATE TABLE ledger_totals_new (
    project_id INTEGER NOT NULL,
    category   INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (project_id, category, outcome)
) WITHOUT ROWID;
INSERT INTO ledger_totals_new SELECT project_id, 0, outcome, count FROM ledger_totals;
DROP TABLE ledger_totals;
ALTER TABLE ledger_totals_new RENAME TO ledger_totals;

CREATE TABLE ring_cells_new (
    ring_id    INTEGER NOT NULL,
    lane       INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    category   INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    folded     INTEGER NOT NULL,
    PRIMARY KEY (ring_id, lane, project_id, category, outcome)
) WITHOUT ROWID;
INSERT INTO ring_cells_new SELECT ring_id, lane, project_id, 0, outcome, folded FROM ring_cells;
DROP TABLE ring_cells;
ALTER TABLE ring_cells_new RENAME TO ring_cells;

-- Keys that can only write, for programs in other people's hands: a capture key in an app, the public half of a DSN.
-- They are in clear, as they are in every copy of such a program. A revoked one stays, so that nobody gets it again.
CREATE TABLE write_keys (
    id            INTEGER PRIMARY KEY,
    project_id    INTEGER NOT NULL REFERENCES projects (id),
    key           TEXT    NOT NULL UNIQUE,
    kind          TEXT    NOT NULL,                     -- 'capture', 'dsn'
    name          TEXT    NOT NULL DEFAULT '',          -- for people
    created_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER
);
CREATE INDEX write_keys_by_project ON write_keys (project_id, id);

-- A browser that is signed in. The word session belongs to release health from here on.
ALTER TABLE sessions RENAME TO sign_ins;
DROP INDEX sessions_by_expiry;
DROP INDEX sessions_by_user;
CREATE INDEX sign_ins_by_expiry ON sign_ins (expires_at);
CREATE INDEX sign_ins_by_user ON sign_ins (user_id, created_at);
