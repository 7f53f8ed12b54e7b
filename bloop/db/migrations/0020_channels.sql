-- then bloop.alerts.saved_channels.first_names:name_channels

-- Channels are made once and used by any number of rules.

CREATE TABLE channels (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,        -- never reused: deliveries keep referring to it
    project_id    INTEGER REFERENCES projects (id) ON DELETE CASCADE,  -- NULL: for the rules of every project
    name          TEXT,                                     -- NULL: made for a rule, and deleted with its last one
    channel_type  TEXT    NOT NULL,
    config        TEXT    NOT NULL,                         -- JSON, secrets included
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX channels_by_name ON channels (coalesce(project_id, 0), name);

CREATE TABLE rule_channels (
    rule_id       INTEGER NOT NULL REFERENCES alert_rules (id) ON DELETE CASCADE,
    channel_id    INTEGER NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    created_at_ms INTEGER NOT NULL,                         -- when the rule got the channel
    PRIMARY KEY (rule_id, channel_id)
) WITHOUT ROWID;
CREATE INDEX rule_channels_by_channel ON rule_channels (channel_id);

-- Rules with the same config had a channel each. They share the oldest now: in one project it is a channel of that
-- project, otherwise one for all projects.
CREATE TABLE channel_moves (old_id INTEGER PRIMARY KEY, new_id INTEGER NOT NULL);
INSERT INTO channel_moves
SELECT id, min(id) OVER (PARTITION BY channel_type, config) FROM alert_channels;

INSERT INTO sqlite_sequence (name, seq)
SELECT 'channels', seq FROM sqlite_sequence WHERE name = 'alert_channels';
INSERT INTO channels (id, project_id, channel_type, config, created_at_ms, updated_at_ms)
SELECT m.new_id, CASE WHEN count(r.project_id) = count(*) AND min(r.project_id) = max(r.project_id)
                      THEN min(r.project_id) END,
       c.channel_type, c.config, min(c.created_at_ms), min(c.created_at_ms)
  FROM channel_moves AS m
  JOIN alert_channels AS c ON c.id = m.old_id
  JOIN alert_rules AS r ON r.id = c.rule_id
 GROUP BY m.new_id
 ORDER BY m.new_id;
INSERT INTO rule_channels
SELECT c.rule_id, m.new_id, min(c.created_at_ms)
  FROM alert_channels AS c JOIN channel_moves AS m ON m.old_id = c.id
 GROUP BY c.rule_id, m.new_id;
UPDATE deliveries SET channel_id = (SELECT new_id FROM channel_moves WHERE old_id = channel_id)
 WHERE channel_id IN (SELECT old_id FROM channel_moves WHERE new_id <> old_id);

DROP TRIGGER deliveries_without_channel;
DROP TABLE alert_channels;
DROP TABLE channel_moves;

CREATE TRIGGER deliveries_without_channel BEFORE DELETE ON channels BEGIN
    UPDATE deliveries SET state = 'dismissed', last_error = 'the channel was deleted'
     WHERE state IN ('waiting', 'failed') AND channel_id = old.id;
END;
CREATE TRIGGER rule_channels_removed AFTER DELETE ON rule_channels BEGIN
    UPDATE deliveries SET state = 'dismissed', last_error = 'the channel was removed from the rule'
     WHERE state IN ('waiting', 'failed') AND rule_id = old.rule_id AND channel_id = old.channel_id;
    DELETE FROM channels
     WHERE id = old.channel_id AND name IS NULL AND id NOT IN (SELECT channel_id FROM rule_channels);
END;

-- The last try of a delivery: how long it took, and what a test was answered. The newest of a channel is found by its
-- index. A failed delivery keeps in next_try_at_ms when it failed.
ALTER TABLE deliveries ADD COLUMN last_duration_ms INTEGER;
ALTER TABLE deliveries ADD COLUMN last_answer TEXT;         -- of tests only: the beginning of the receiver's text
CREATE INDEX deliveries_by_channel ON deliveries (channel_id, id);

-- When each person last opened the delivery log, for the mark beside Alerts. The operator's id is 'operator'.
CREATE TABLE delivery_log_visits (
    user_id       TEXT    PRIMARY KEY,
    visited_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER delivery_log_visits_ended AFTER DELETE ON webauthn_users BEGIN
    DELETE FROM delivery_log_visits WHERE user_id = old.id;
END;

-- For whom an invitation is, and where it was sent.
ALTER TABLE invites ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE invites ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE invites ADD COLUMN mailed_at INTEGER;           -- seconds; NULL: no server accepted a mail with its link
