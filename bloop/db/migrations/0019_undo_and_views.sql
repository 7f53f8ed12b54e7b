-- Changes of issues can be undone; lists of issues are saved under a name; people reach their projects first.

-- The state of issues before a change, at most a few hundred to a row, so that a change of many is short transactions.
-- All rows of one change have its undo_id and its time.
CREATE TABLE undo_parts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    undo_id     TEXT    NOT NULL,
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    made_at_ms  INTEGER NOT NULL,
    issue_count INTEGER NOT NULL,
    states      BLOB    NOT NULL                        -- zlib over JSON
);
CREATE INDEX undo_parts_by_undo ON undo_parts (undo_id);
CREATE INDEX undo_parts_by_time ON undo_parts (project_id, made_at_ms);

-- What would undo the change, while that is kept; and which change it undid (then `action` is 'undone').
ALTER TABLE status_changes ADD COLUMN undo_id TEXT;
ALTER TABLE status_changes ADD COLUMN undoes INTEGER;

-- A list of issues with a name: its owner's, or everybody's.
CREATE TABLE saved_views (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id      TEXT    NOT NULL,                     -- user id or 'operator'
    is_shared     INTEGER NOT NULL DEFAULT 0,
    place         INTEGER NOT NULL,                     -- among the owner's, or among the shared ones; from 1
    name          TEXT    NOT NULL,
    project_id    INTEGER REFERENCES projects (id) ON DELETE CASCADE,   -- NULL: all projects
    query         TEXT    NOT NULL,                     -- of the list's address, without the project
    changed_at_ms INTEGER NOT NULL
);
CREATE INDEX saved_views_by_owner ON saved_views (is_shared, owner_id, place);
CREATE INDEX saved_views_by_project ON saved_views (project_id) WHERE project_id IS NOT NULL;

-- Which projects a person has pinned, and which they opened last.
CREATE TABLE project_uses (
    user_id      TEXT    NOT NULL,                      -- or 'operator'
    project_id   INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    used_at_ms   INTEGER NOT NULL,
    pinned_at_ms INTEGER,                               -- NULL: not pinned
    PRIMARY KEY (user_id, project_id)
) WITHOUT ROWID;
CREATE INDEX project_uses_by_project ON project_uses (project_id);
