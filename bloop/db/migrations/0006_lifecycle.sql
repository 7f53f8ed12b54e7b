-- The life of an issue: where it counts as fixed, how long it is muted, who looks after it.

-- Resolved in the release after `resolved_in_release` rather than in it.
ALTER TABLE issues ADD COLUMN resolved_in_next INTEGER NOT NULL DEFAULT 0;
-- Resolved, and releases from before the fix go on sending it.
ALTER TABLE issues ADD COLUMN is_firing INTEGER NOT NULL DEFAULT 0;
-- What a mute ends with: at most one of the three. The writer looks closer only where one is set.
ALTER TABLE issues ADD COLUMN muted_at_ms INTEGER;
ALTER TABLE issues ADD COLUMN muted_until_ms INTEGER;
ALTER TABLE issues ADD COLUMN muted_events INTEGER;         -- this many more
ALTER TABLE issues ADD COLUMN muted_per_hour INTEGER;       -- more than this within sixty minutes
ALTER TABLE issues ADD COLUMN muted_progress TEXT;          -- JSON: events so far, or [minute in ms, events] of an hour

CREATE INDEX issues_firing ON issues (project_id) WHERE is_firing = 1;
CREATE INDEX issues_by_assignee ON issues (assignee) WHERE assignee IS NOT NULL;
CREATE INDEX issues_muted_until ON issues (muted_until_ms) WHERE muted_until_ms IS NOT NULL;

-- How many issues of a project are firing, kept as status_counts are. No issue is made firing.
CREATE TABLE firing_counts (
    project_id  INTEGER PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    issue_count INTEGER NOT NULL
);

CREATE TRIGGER issues_firing_on_change AFTER UPDATE OF is_firing ON issues WHEN new.is_firing <> old.is_firing BEGIN
    INSERT INTO firing_counts VALUES (new.project_id, new.is_firing)
        ON CONFLICT DO UPDATE SET issue_count = issue_count + new.is_firing - old.is_firing;
END;
CREATE TRIGGER issues_firing_on_delete AFTER DELETE ON issues WHEN old.is_firing = 1 BEGIN
    UPDATE firing_counts SET issue_count = issue_count - 1 WHERE project_id = old.project_id;
END;

-- `changed_via` is now also 'schedule' and 'cli'. An assignment has the status twice.
ALTER TABLE status_changes ADD COLUMN action TEXT NOT NULL DEFAULT 'status';    -- or 'assigned'
ALTER TABLE status_changes ADD COLUMN network TEXT NOT NULL DEFAULT '';         -- of the client, never its address
ALTER TABLE status_changes ADD COLUMN detail TEXT NOT NULL DEFAULT '{}';        -- JSON: release, condition, assignee
