-- What a project may make bloop keep is limited ([limits] in the settings; bloop/issues/limits/). Limits are judged in the
-- writer's transaction, by the numbers below, so no crash makes them differ from what they count.

-- The names that the counters know. The rest are counted as '(overflow)'.
CREATE TABLE project_names (
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    kind       INTEGER NOT NULL,                        -- bloop/base/limits.py: 3 release … 6 source
    name       TEXT    NOT NULL,
    PRIMARY KEY (project_id, kind, name)
) WITHOUT ROWID;

-- How many rows a project has of what is limited, kept by the triggers below: nobody ever counts them.
CREATE TABLE kept_counts (
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    kind       INTEGER NOT NULL,                        -- as above, and 7: rows of aggregates
    row_count  INTEGER NOT NULL,
    PRIMARY KEY (project_id, kind)
) WITHOUT ROWID;

INSERT INTO project_names SELECT DISTINCT project_id, 3, release FROM releases;
INSERT INTO project_names SELECT project_id, 4, route FROM route_counts;
INSERT INTO project_names SELECT DISTINCT project_id, 5, environment FROM releases;
INSERT INTO project_names SELECT DISTINCT project_id, 6, source FROM project_hourly_counts;
INSERT INTO kept_counts SELECT project_id, kind, count(*) FROM project_names GROUP BY 1, 2;
INSERT INTO kept_counts SELECT project_id, 7, count(*) FROM aggregates GROUP BY 1;

CREATE TRIGGER project_names_counted_on_insert AFTER INSERT ON project_names BEGIN
    INSERT INTO kept_counts VALUES (new.project_id, new.kind, 1) ON CONFLICT DO UPDATE SET row_count = row_count + 1;
END;
CREATE TRIGGER project_names_counted_on_delete AFTER DELETE ON project_names BEGIN
    UPDATE kept_counts SET row_count = row_count - 1 WHERE project_id = old.project_id AND kind = old.kind;
END;
-- Rows of aggregates are counted by the writer when it has made them (bloop/issues/counts/store.py): a trigger would make
-- each of its upserts a statement that must be undone by itself, and there are thousands a second.
CREATE TRIGGER aggregates_counted_on_delete AFTER DELETE ON aggregates BEGIN
    UPDATE kept_counts SET row_count = row_count - 1 WHERE project_id = old.project_id AND kind = 7;
END;

CREATE TABLE new_issue_counts (
    project_id  INTEGER NOT NULL,
    hour_ms     INTEGER NOT NULL,                       -- of the receipt of an issue's first event
    issue_count INTEGER NOT NULL,
    PRIMARY KEY (project_id, hour_ms)
) WITHOUT ROWID;

-- Stored events that a limit put elsewhere.
CREATE TABLE overflow_counts (
    project_id  INTEGER NOT NULL,
    hour_ms     INTEGER NOT NULL,                       -- of receipt
    kind        INTEGER NOT NULL,                       -- which limit
    event_count INTEGER NOT NULL,
    PRIMARY KEY (project_id, hour_ms, kind)
) WITHOUT ROWID;

-- Bytes of records stored, by the day (UTC) of their receipt.
CREATE TABLE day_bytes (
    day_ms     INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    byte_count INTEGER NOT NULL,
    PRIMARY KEY (day_ms, project_id)
) WITHOUT ROWID;

-- Users beyond what is counted exactly (issue_users): a HyperLogLog, bloop/issues/limits/sketch.py.
CREATE TABLE user_sketches (
    fingerprint_id INTEGER PRIMARY KEY,
    user_count     INTEGER NOT NULL,                    -- what it estimates, as counted in issues.user_count
    registers      BLOB    NOT NULL
);
ALTER TABLE issues ADD COLUMN users_are_estimated INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER fingerprints_deleted_with_users AFTER DELETE ON fingerprints BEGIN
    DELETE FROM user_sketches WHERE fingerprint_id = old.id;
END;
