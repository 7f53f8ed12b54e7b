-- Alerts: rules, whom they tell, what fired, what became of telling it. Rules and channels belong to people; the
-- process in workers/alerts.py writes the rest.

CREATE TABLE alert_rules (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,   -- never reused: firings keep naming it
    project_id         INTEGER REFERENCES projects (id) ON DELETE CASCADE,  -- NULL: every project
    name               TEXT    NOT NULL,
    rule_type          TEXT    NOT NULL,                    -- bloop/alerts/rules.py
    config             TEXT    NOT NULL,                    -- JSON
    enabled            INTEGER NOT NULL DEFAULT 1,
    description        TEXT,
    environment_filter TEXT,
    source_filter      TEXT,
    cooldown_secs      INTEGER,                             -- NULL: alerting.cooldown_secs
    created_by         TEXT REFERENCES webauthn_users (id) ON DELETE SET NULL,
    created_at_ms      INTEGER NOT NULL,
    updated_at_ms      INTEGER NOT NULL,
    after_signal_id    INTEGER NOT NULL DEFAULT 0           -- what happened before it was made or switched on is not its
);
CREATE INDEX alert_rules_by_project ON alert_rules (project_id);

CREATE TRIGGER alert_rules_start_now AFTER INSERT ON alert_rules BEGIN
    UPDATE alert_rules SET after_signal_id = (SELECT coalesce(max(id), 0) FROM signals) WHERE id = new.id;
END;
CREATE TRIGGER alert_rules_start_again AFTER UPDATE OF enabled ON alert_rules WHEN new.enabled > old.enabled BEGIN
    UPDATE alert_rules SET after_signal_id = (SELECT coalesce(max(id), 0) FROM signals) WHERE id = new.id;
END;

CREATE TABLE alert_channels (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    rule_id       INTEGER NOT NULL REFERENCES alert_rules (id) ON DELETE CASCADE,
    channel_type  TEXT    NOT NULL,
    config        TEXT    NOT NULL,                         -- JSON, secrets included
    created_at_ms INTEGER NOT NULL
);
CREATE INDEX alert_channels_by_rule ON alert_channels (rule_id);

-- What fired. Kept when the rule is gone; `message` has everything a reader needs.
CREATE TABLE alert_firings (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    rule_id      INTEGER,                                   -- no foreign key: the rule may be gone
    rule_name    TEXT    NOT NULL,
    rule_type    TEXT    NOT NULL,                          -- the rule's, 'test' or 'digest'
    project_id   INTEGER,                                   -- NULL: a digest over several projects
    issue_id     INTEGER,
    signal_id    INTEGER,                                   -- what set it off; NULL: a count, a test, a digest
    key          TEXT    NOT NULL,                          -- what the cooldown goes by: a fingerprint or a count's name
    fired_at_ms  INTEGER NOT NULL,
    is_test      INTEGER NOT NULL DEFAULT 0,
    message      TEXT    NOT NULL,                          -- JSON of bloop/alerts/message.py
    held_until_ms INTEGER,                                  -- waits for this digest; NULL: it was told, alone or in one
    digest_id    INTEGER,                                   -- the firing that told it
    UNIQUE (rule_id, signal_id)
);
CREATE INDEX alert_firings_by_rule ON alert_firings (rule_id, id);
CREATE INDEX alert_firings_by_project ON alert_firings (project_id, id);
CREATE INDEX alert_firings_by_issue ON alert_firings (issue_id, id);
CREATE INDEX alert_firings_held ON alert_firings (rule_id, held_until_ms) WHERE held_until_ms IS NOT NULL;

-- When each rule last fired about each thing.
CREATE TABLE alert_cooldowns (
    rule_id     INTEGER NOT NULL REFERENCES alert_rules (id) ON DELETE CASCADE,
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    key         TEXT    NOT NULL,
    fired_at_ms INTEGER NOT NULL,
    PRIMARY KEY (rule_id, project_id, key)
) WITHOUT ROWID;

-- One row per firing and channel.
CREATE TABLE deliveries (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    firing_id      INTEGER NOT NULL REFERENCES alert_firings (id) ON DELETE CASCADE,
    rule_id        INTEGER,
    channel_id     INTEGER,                                 -- NULL: the installation's fallback of that type
    channel_type   TEXT    NOT NULL,
    target         TEXT    NOT NULL,                        -- for people: a host or an address, never a secret
    message_key    TEXT    NOT NULL UNIQUE,                 -- UUID sent along: a receiver can tell a repeat by it
    state          TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed', 'dismissed')),
    attempts       INTEGER NOT NULL DEFAULT 0,
    next_try_at_ms INTEGER NOT NULL,
    last_error     TEXT,
    last_status    INTEGER,
    created_at_ms  INTEGER NOT NULL,
    sent_at_ms     INTEGER
);
CREATE INDEX deliveries_by_state ON deliveries (state, next_try_at_ms);
CREATE INDEX deliveries_by_firing ON deliveries (firing_id);

-- Nobody waits for what can no longer be sent.
CREATE TRIGGER deliveries_without_rule BEFORE DELETE ON alert_rules BEGIN
    UPDATE deliveries SET state = 'dismissed', last_error = 'the rule was deleted'
     WHERE state IN ('waiting', 'failed') AND rule_id = old.id;
END;
CREATE TRIGGER deliveries_without_channel AFTER DELETE ON alert_channels BEGIN
    UPDATE deliveries SET state = 'dismissed', last_error = 'the channel was deleted'
     WHERE state IN ('waiting', 'failed') AND channel_id = old.id;
END;

-- Up to which signal and through which minute everything was looked at. It starts at the newest: an upgrade announces
-- no history.
CREATE TABLE alert_cursor (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    signal_id INTEGER NOT NULL,
    minute_ms INTEGER NOT NULL                              -- 0: none yet
);
INSERT INTO alert_cursor SELECT 1, coalesce(max(id), 0), 0 FROM signals;

-- Events by minute of receipt, for windows of minutes; counted by the writer beside the hours and kept for nine days.
-- The minute stands before the issue: what a busy minute adds lies on a few pages of the file, not on one per issue.
CREATE TABLE minute_counts (
    project_id  INTEGER NOT NULL,
    minute_ms   INTEGER NOT NULL,
    issue_id    INTEGER NOT NULL,                           -- no foreign key: it would need an index of its own
    environment TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    event_count INTEGER NOT NULL,
    PRIMARY KEY (project_id, minute_ms, issue_id, environment, source)
) WITHOUT ROWID;

-- Whose events windows leave out.
CREATE INDEX issues_silent ON issues (project_id) WHERE status IN ('ignored', 'muted');

-- Two rules everybody wants. They tell nobody until they get a channel or the installation has a fallback.
INSERT INTO alert_rules (name, rule_type, config, created_at_ms, updated_at_ms)
VALUES ('New issues', 'new_issue', '{}', unixepoch() * 1000, unixepoch() * 1000),
       ('Regressions', 'regression', '{}', unixepoch() * 1000, unixepoch() * 1000);
