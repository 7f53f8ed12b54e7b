-- The keys of tags and metadata that a project has indexed: all of their values, where otherwise the first sixteen values
-- of an event are. Blocks keep the lists that their events were indexed by (bloop/issues/events/columns.py).

ALTER TABLE projects ADD COLUMN search_keys TEXT NOT NULL DEFAULT '[]';             -- a JSON array; empty: all that fit
DROP TRIGGER event_blocks_deleted;
CREATE TRIGGER event_blocks_deleted AFTER DELETE ON event_blocks BEGIN
    DELETE FROM event_columns WHERE kind IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) AND first_id = old.first_id;
END;
DELETE FROM event_blocks;                                   -- made again in the background, with the columns that came since
