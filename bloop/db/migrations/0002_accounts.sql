-- Accounts: passkeys, invitations, links for one person, and what a session shows of its browser.
-- Times are Unix seconds unless the column ends in _ms.

CREATE TABLE passkeys (
    id            TEXT    PRIMARY KEY,                  -- UUID: what pages and the API call it
    user_id       TEXT    NOT NULL REFERENCES webauthn_users (id) ON DELETE CASCADE,
    credential_id BLOB    NOT NULL UNIQUE,              -- what the authenticator calls it
    public_key    BLOB    NOT NULL,                     -- COSE
    sign_count    INTEGER NOT NULL,
    transports    TEXT    NOT NULL DEFAULT '',          -- space separated, as the browser said
    name          TEXT    NOT NULL,
    is_synced     INTEGER NOT NULL DEFAULT 0,           -- it lives in an account that copies it between devices
    created_at    INTEGER NOT NULL,
    last_used_at  INTEGER,
    suspect_at    INTEGER                               -- its counter went backwards: perhaps somebody has a copy
);
CREATE INDEX passkeys_by_user ON passkeys (user_id, created_at);

CREATE TABLE invites (
    id           TEXT    PRIMARY KEY,
    token_hash   TEXT    NOT NULL UNIQUE,               -- hex SHA-256 of the link's token
    token_prefix TEXT    NOT NULL,                      -- its first 8 characters, to recognise it by
    created_by   TEXT REFERENCES webauthn_users (id) ON DELETE SET NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER,
    used_by      TEXT REFERENCES webauthn_users (id) ON DELETE SET NULL
);
CREATE INDEX invites_by_age ON invites (created_at);

-- A link is for one person; without one it is the set-up link, good only while there is no account.
ALTER TABLE login_links ADD COLUMN user_id TEXT REFERENCES webauthn_users (id) ON DELETE CASCADE;
ALTER TABLE login_links ADD COLUMN created_by TEXT REFERENCES webauthn_users (id) ON DELETE SET NULL;

ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';         -- 'Firefox on Linux'
ALTER TABLE sessions ADD COLUMN network TEXT NOT NULL DEFAULT '';       -- '192.0.2.0/24': never the whole address
ALTER TABLE sessions ADD COLUMN last_seen_at INTEGER;
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);

-- Challenges that were answered, kept until they would have run out anyway, so that none is answered twice.
CREATE TABLE spent_challenges (
    challenge_hash BLOB    PRIMARY KEY,                 -- SHA-256
    expires_at_ms  INTEGER NOT NULL
) WITHOUT ROWID;

-- Keys this installation made for itself and shows to nobody.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO secrets VALUES ('challenges', randomblob(32));
