-- Keys that a project had before its current one, named by when they were made. One that was kept works until
-- `ends_at_ms`. Of the others the hash stays, so that a client that still shows one is booked to the project it was of.

CREATE TABLE old_keys (
    project_id     INTEGER NOT NULL REFERENCES projects (id),
    made_at_ms     INTEGER NOT NULL,
    key_hash       TEXT    NOT NULL,                    -- SHA-256
    key_start      TEXT    NOT NULL,                    -- to recognise it by; empty for a secret that bloop did not make
    key            TEXT,                                -- NULL once it works no more
    replaced_at_ms INTEGER NOT NULL,
    ends_at_ms     INTEGER NOT NULL,
    used_at_ms     INTEGER,                             -- to the minute; NULL: never, or before bloop noted it
    PRIMARY KEY (project_id, made_at_ms)
) WITHOUT ROWID;

ALTER TABLE projects ADD COLUMN key_used_at_ms INTEGER; -- of the current key, as above
