-- What a page about an issue needs: which events are in its scope, comments of people, and who opened which issue.

-- All are NULL for events from before: those are looked up. They decide whether an event is in scope and whom it hit, so a
-- page reads the rows of the events it shows and of no others.
ALTER TABLE events_by_fingerprint ADD COLUMN lag_ms INTEGER;    -- from the client's time to receipt
ALTER TABLE events_by_fingerprint ADD COLUMN dims_id INTEGER;   -- 0: there are too many dims, the event has its own
ALTER TABLE events_by_fingerprint ADD COLUMN user_key INTEGER;  -- as in issue_users; 0: neither user nor device is known

CREATE TABLE issue_comments (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,            -- never given again: a form that is still open names it
    issue_id      INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    author        TEXT    NOT NULL,                             -- user or token id, 'operator'
    via           TEXT    NOT NULL,                             -- 'dashboard', 'api'
    text          TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    edited_at_ms  INTEGER                                       -- NULL: never
);
CREATE INDEX issue_comments_by_issue ON issue_comments (issue_id, id);

-- When a person last opened an issue. Of each person the newest rows are kept, and what goes raises the mark.
CREATE TABLE issue_views (
    user_id      TEXT    NOT NULL REFERENCES webauthn_users (id) ON DELETE CASCADE,
    issue_id     INTEGER NOT NULL,                              -- no foreign key: it would need an index of its own
    seen_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (user_id, issue_id)
) WITHOUT ROWID;
CREATE INDEX issue_views_by_time ON issue_views (user_id, seen_at_ms);

-- All that began by then counts as seen. Accounts that exist already begin with what there is.
CREATE TABLE issue_view_marks (
    user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES webauthn_users (id) ON DELETE CASCADE,
    seen_to_ms INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO issue_view_marks SELECT id, unixepoch() * 1000 FROM webauthn_users;
