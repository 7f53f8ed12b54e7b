-- Single events are found by what they say: request, user, HTTP status, tags. The index is made from the events some
-- seconds after they are stored (bloop/issues/events/index.py), in blocks of a few thousand, so it costs the writer
-- nothing, and events from before this migration are indexed in the background.

CREATE TABLE event_blocks (
    first_id      INTEGER PRIMARY KEY,                      -- of the ids it stands for, of which some may be missing
    last_id       INTEGER NOT NULL,
    event_count   INTEGER NOT NULL,                         -- events that are still there
    indexed_count INTEGER NOT NULL,                         -- events in its columns
    from_ms       INTEGER NOT NULL,                         -- when the first and the last of them were received
    to_ms         INTEGER NOT NULL,
    indexed_at_ms INTEGER NOT NULL
);
CREATE TABLE event_columns (
    kind     INTEGER NOT NULL,                              -- bloop/issues/events/columns.py
    first_id INTEGER NOT NULL,                              -- of its block
    data     BLOB    NOT NULL,
    PRIMARY KEY (kind, first_id)
) WITHOUT ROWID;

-- A block counts its deleted events and is removed with the last one.
CREATE TRIGGER events_deleted AFTER DELETE ON events BEGIN
    UPDATE event_blocks SET event_count = event_count - 1
     WHERE first_id = (SELECT max(first_id) FROM event_blocks WHERE first_id <= old.id) AND last_id >= old.id;
END;
CREATE TRIGGER event_blocks_emptied AFTER UPDATE OF event_count ON event_blocks WHEN new.event_count <= 0 BEGIN
    DELETE FROM event_blocks WHERE first_id = new.first_id;
END;
CREATE TRIGGER event_blocks_deleted AFTER DELETE ON event_blocks BEGIN
    DELETE FROM event_columns WHERE kind IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10) AND first_id = old.first_id;
END;
