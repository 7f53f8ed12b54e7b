-- Issues go too: when they were not seen for long, and when people delete them. And lists of names that stay quick
-- however many names clients invent.

ALTER TABLE retention_policy ADD COLUMN issues_days INTEGER;    -- NULL: as the settings file says; 0: issues stay
CREATE TABLE retention_issue_overrides (
    project_id  INTEGER PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    issues_days INTEGER NOT NULL                                -- 0: issues of this project stay
);
ALTER TABLE retention_runs ADD COLUMN issues_deleted INTEGER NOT NULL DEFAULT 0;

-- Who deleted what, the newest thousand. The issues and their histories are gone.
CREATE TABLE issue_deletions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    deleted_at_ms INTEGER NOT NULL,
    deleted_by  TEXT,                                           -- user or token id, 'operator'; NULL: by their age
    deleted_via TEXT    NOT NULL,                               -- 'api', 'dashboard', 'cli', 'schedule'
    network     TEXT    NOT NULL DEFAULT '',                    -- of the client, never its address
    project_id  INTEGER,                                        -- NULL: issues of several
    subject     TEXT    NOT NULL,                               -- short ids, or the search that they matched
    issue_count INTEGER NOT NULL,
    event_count INTEGER NOT NULL
);

-- Issues that somebody deleted and that are still in their project. Only long lists wait here, for less than a minute.
CREATE TABLE issues_to_delete (
    issue_id INTEGER PRIMARY KEY                                -- no foreign key: its project may be purged first
);

-- A deleted issue and its fingerprints leave their project, for project -1, which is deleted as well: from then on
-- nobody sees it, its next event makes a new issue, and its rows are removed in small transactions.
-- Ids are never given again: counts per minute and firings of alerts outlive their issue.
ALTER TABLE deleted_issues ADD COLUMN issue_id INTEGER NOT NULL DEFAULT 0;          -- the highest ever deleted
ALTER TABLE deleted_issues ADD COLUMN fingerprint_id INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER issues_moved AFTER UPDATE OF project_id ON issues WHEN new.project_id <> old.project_id BEGIN
    UPDATE status_counts SET issue_count = issue_count - 1
     WHERE project_id = old.project_id AND status = old.status;
    UPDATE firing_counts SET issue_count = issue_count - old.is_firing
     WHERE project_id = old.project_id AND old.is_firing = 1;
    UPDATE deleted_issues SET count = count + 1;
END;
DROP TRIGGER issues_deleted;
CREATE TRIGGER issues_deleted AFTER DELETE ON issues BEGIN
    UPDATE deleted_issues SET count = count + (old.project_id > 0), issue_id = max(issue_id, old.id);
END;
DROP TRIGGER fingerprints_deleted;
CREATE TRIGGER fingerprints_deleted AFTER DELETE ON fingerprints BEGIN
    UPDATE deleted_issues SET fingerprint_id = max(fingerprint_id, old.id);
    DELETE FROM events WHERE id IN (SELECT event_id FROM events_by_fingerprint WHERE fingerprint_id = old.id);
    DELETE FROM events_by_fingerprint WHERE fingerprint_id = old.id;
    DELETE FROM issue_users WHERE fingerprint_id = old.id;
    DELETE FROM hourly_counts WHERE fingerprint_id = old.id;
END;

-- Lists of names read their newest, or those with the most events, and end there.
CREATE INDEX releases_by_last_seen ON releases (project_id, last_seen_ms);
CREATE INDEX releases_by_first_seen ON releases (project_id, first_seen_ms);
CREATE INDEX releases_of_name ON releases (project_id, release, first_seen_ms);
CREATE INDEX releases_by_environment ON releases (project_id, environment, last_seen_ms);
CREATE INDEX route_counts_by_events ON route_counts (project_id, event_count);

-- Trends, whatever releases and environments events named: a row per hour (and source) where hourly_counts and
-- project_hourly_counts have one for each combination of names. Kept by the triggers. Retention and purging remove whole
-- hours, so the first row that goes takes the sum along.
CREATE TABLE project_hours (
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    hour_ms     INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    event_count INTEGER NOT NULL,
    PRIMARY KEY (project_id, hour_ms, source)
) WITHOUT ROWID;
INSERT INTO project_hours
SELECT project_id, hour_ms, source, sum(event_count) FROM project_hourly_counts GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
CREATE TRIGGER project_hours_added AFTER INSERT ON project_hourly_counts BEGIN
    INSERT INTO project_hours VALUES (new.project_id, new.hour_ms, new.source, new.event_count)
        ON CONFLICT DO UPDATE SET event_count = event_count + new.event_count;
END;
CREATE TRIGGER project_hours_raised AFTER UPDATE OF event_count ON project_hourly_counts BEGIN
    UPDATE project_hours SET event_count = event_count + new.event_count - old.event_count
     WHERE project_id = new.project_id AND hour_ms = new.hour_ms AND source = new.source;
END;
CREATE TRIGGER project_hours_removed AFTER DELETE ON project_hourly_counts BEGIN
    DELETE FROM project_hours WHERE project_id = old.project_id AND hour_ms = old.hour_ms AND source = old.source;
END;

CREATE TABLE fingerprint_hours (
    fingerprint_id INTEGER NOT NULL,
    hour_ms        INTEGER NOT NULL,
    event_count    INTEGER NOT NULL,
    PRIMARY KEY (fingerprint_id, hour_ms)
) WITHOUT ROWID;
INSERT INTO fingerprint_hours
SELECT fingerprint_id, hour_ms, sum(event_count) FROM hourly_counts GROUP BY 1, 2 ORDER BY 1, 2;
CREATE TRIGGER fingerprint_hours_added AFTER INSERT ON hourly_counts BEGIN
    INSERT INTO fingerprint_hours VALUES (new.fingerprint_id, new.hour_ms, new.event_count)
        ON CONFLICT DO UPDATE SET event_count = event_count + new.event_count;
END;
CREATE TRIGGER fingerprint_hours_raised AFTER UPDATE OF event_count ON hourly_counts BEGIN
    UPDATE fingerprint_hours SET event_count = event_count + new.event_count - old.event_count
     WHERE fingerprint_id = new.fingerprint_id AND hour_ms = new.hour_ms;
END;
CREATE TRIGGER fingerprint_hours_removed AFTER DELETE ON hourly_counts BEGIN
    DELETE FROM fingerprint_hours WHERE fingerprint_id = old.fingerprint_id AND hour_ms = old.hour_ms;
END;
