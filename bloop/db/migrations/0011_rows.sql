-- then bloop.issues.migration_0011:move

-- Events as their records: one row holds the record's bytes, and hangs on a fingerprint rather than on an issue.
-- Merging and unmerging issues will move fingerprints and never rewrite an event. The move fills the new tables
-- from the old ones, which it drops.

-- What compressed events name. Never deleted: an event that names one cannot be read without it.
CREATE TABLE dictionaries (
    id         INTEGER PRIMARY KEY,                         -- the hash of its content (bloop/records/dictionary.py)
    content    BLOB    NOT NULL,
    origin     TEXT    NOT NULL,                            -- 'shipped' or 'trained'
    made_at_ms INTEGER NOT NULL
);

CREATE TABLE fingerprints (
    id          INTEGER PRIMARY KEY,
    project_id  INTEGER NOT NULL,
    hash        INTEGER NOT NULL,                           -- 64 bits that find candidates; the text decides
    fingerprint TEXT    NOT NULL,
    algorithm   TEXT    NOT NULL,                           -- 'v1', 'client' …
    issue_id    INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    UNIQUE (project_id, hash, fingerprint)
);
CREATE INDEX fingerprints_by_issue ON fingerprints (issue_id);

DROP INDEX events_by_issue;
ALTER TABLE events RENAME TO events_before;
CREATE TABLE events (
    id             INTEGER PRIMARY KEY,                     -- rises with the batches they came in
    fingerprint_id INTEGER NOT NULL,                        -- no foreign key: see deleted_issues
    timestamp_ms   INTEGER NOT NULL,                        -- the client's clock
    received_at_ms INTEGER NOT NULL,
    dims_id        INTEGER NOT NULL,
    body           BLOB    NOT NULL                         -- bloop/records/event_record.py
);
-- Release, environment, source and route of events: a few thousand combinations, 20 bytes less for each event. Clients
-- choose them, so the table is bounded; events beyond it hold their own (dims_id is 0).
CREATE TABLE event_dims (
    id         INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL,
    dims       BLOB    NOT NULL,                            -- a MessagePack array
    UNIQUE (project_id, dims)
);
-- Written when events are counted, in its own order. What is not here yet is not on any page.
CREATE TABLE events_by_fingerprint (
    fingerprint_id INTEGER NOT NULL,
    timestamp_ms   INTEGER NOT NULL,
    event_id       INTEGER NOT NULL,
    PRIMARY KEY (fingerprint_id, timestamp_ms, event_id)
) WITHOUT ROWID;

-- Exact distinct users. The key is the upper half of XXH3-128 of the user id, or of the device id when there is none.
ALTER TABLE issue_users RENAME TO issue_users_before;
CREATE TABLE issue_users (
    fingerprint_id INTEGER NOT NULL,
    user_key       INTEGER NOT NULL,
    PRIMARY KEY (fingerprint_id, user_key)
) WITHOUT ROWID;

-- Roll-ups carry the release; '' stands for those from before, which did not.
ALTER TABLE hourly_counts RENAME TO hourly_counts_before;
CREATE TABLE hourly_counts (
    fingerprint_id INTEGER NOT NULL,
    hour_ms        INTEGER NOT NULL,
    release        TEXT    NOT NULL,
    environment    TEXT    NOT NULL,
    source         TEXT    NOT NULL,
    event_count    INTEGER NOT NULL,
    PRIMARY KEY (fingerprint_id, hour_ms, release, environment, source)
) WITHOUT ROWID;

ALTER TABLE project_hourly_counts RENAME TO project_hourly_counts_before;
CREATE TABLE project_hourly_counts (
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    hour_ms     INTEGER NOT NULL,
    release     TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    event_count INTEGER NOT NULL,
    PRIMARY KEY (project_id, hour_ms, release, environment, source)
) WITHOUT ROWID;

ALTER TABLE minute_counts RENAME COLUMN issue_id TO fingerprint_id;

-- A row for each fingerprint, release and environment, so that an issue taken apart again finds its own counts.
DROP TRIGGER issues_counted_on_status;
ALTER TABLE aggregates RENAME TO aggregates_before;
DROP INDEX aggregates_by_last_seen;
DROP INDEX aggregates_by_events;
DROP INDEX aggregates_by_first_seen;
DROP INDEX aggregates_by_release;
DROP INDEX aggregates_by_environment;
CREATE TABLE aggregates (
    id             INTEGER PRIMARY KEY,
    project_id     INTEGER NOT NULL,
    issue_id       INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    fingerprint_id INTEGER NOT NULL,
    release        TEXT    NOT NULL,
    environment    TEXT    NOT NULL,
    status         TEXT    NOT NULL,                        -- the issue's, copied so that lists need no join to filter
    event_count    INTEGER NOT NULL,
    first_seen_ms  INTEGER NOT NULL,
    last_seen_ms   INTEGER NOT NULL,
    UNIQUE (fingerprint_id, release, environment)
);

-- The writer remembers fingerprints between batches, and forgets them all when this has changed.
CREATE TABLE deleted_issues (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    count INTEGER NOT NULL
);
INSERT INTO deleted_issues VALUES (1, 0);

-- As before, and one by issue, which the unique index began with.
CREATE INDEX aggregates_by_last_seen
    ON aggregates (project_id, last_seen_ms, status, id, release, environment, issue_id);
CREATE INDEX aggregates_by_events
    ON aggregates (project_id, event_count, status, id, release, environment, issue_id);
CREATE INDEX aggregates_by_first_seen
    ON aggregates (project_id, first_seen_ms, status, id, release, environment, issue_id);
CREATE INDEX aggregates_by_release ON aggregates (project_id, release);
CREATE INDEX aggregates_by_environment ON aggregates (project_id, environment);
CREATE INDEX aggregates_by_issue ON aggregates (issue_id, release, environment);

CREATE TRIGGER issues_counted_on_status AFTER UPDATE OF status ON issues WHEN new.status <> old.status BEGIN
    UPDATE status_counts SET issue_count = issue_count - 1
     WHERE project_id = old.project_id AND status = old.status;
    INSERT INTO status_counts VALUES (new.project_id, new.status, 1)
        ON CONFLICT DO UPDATE SET issue_count = issue_count + 1;
    UPDATE aggregates SET status = new.status WHERE issue_id = new.id;
END;
CREATE TRIGGER issues_deleted AFTER DELETE ON issues BEGIN
    UPDATE deleted_issues SET count = count + 1;
END;
-- What hangs on a fingerprint and is in the counters; the writer removes what is not.
CREATE TRIGGER fingerprints_deleted AFTER DELETE ON fingerprints BEGIN
    DELETE FROM events WHERE id IN (SELECT event_id FROM events_by_fingerprint WHERE fingerprint_id = old.id);
    DELETE FROM events_by_fingerprint WHERE fingerprint_id = old.id;
    DELETE FROM issue_users WHERE fingerprint_id = old.id;
    DELETE FROM hourly_counts WHERE fingerprint_id = old.id;
END;
