-- A deleted project keeps its row, emptied and under another name: the number is never given to another project, whose
-- records and counts would otherwise mix with those that still wait in the ring or stand in the ledger.
ALTER TABLE projects ADD COLUMN key_made_at_ms INTEGER;     -- NULL: with the project
ALTER TABLE projects ADD COLUMN deleted_at_ms INTEGER;      -- from here on nobody sees it and its key is dead
ALTER TABLE projects ADD COLUMN purged_at_ms INTEGER;       -- NULL while rows of a deleted project are left
CREATE INDEX projects_to_purge ON projects (id) WHERE deleted_at_ms IS NOT NULL AND purged_at_ms IS NULL;

-- The newest refusals, for people who look for an event that did not arrive. Samples: the ledger has the counts.
CREATE TABLE rejections (
    id             INTEGER PRIMARY KEY,
    rejected_at_ms INTEGER NOT NULL,
    project_id     INTEGER NOT NULL,                        -- 0: the request named no known project
    outcome        INTEGER NOT NULL,                        -- bloop/outcomes.py
    detail         TEXT    NOT NULL,                        -- what the client was told
    key_prefix     TEXT    NOT NULL,
    size_bytes     INTEGER,                                 -- of the body as sent; NULL: not announced
    client         TEXT    NOT NULL,                        -- the network it came from, not the address
    user_agent     TEXT    NOT NULL
);
CREATE INDEX rejections_by_project ON rejections (project_id);
