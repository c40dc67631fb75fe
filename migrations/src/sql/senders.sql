-- Twilio accounts that senders belong to, besides the environment's own.
CREATE TABLE provider_accounts (
    account_sid text PRIMARY KEY,
    name text NOT NULL,
    -- Where its API is, when that is not where the environment's is.
    api_base text,
    -- JSON, sealed with the encryption key: auth token, and the API key when there is one.
    credentials {bytes} NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1
);

-- Each channel has one default.
CREATE UNIQUE INDEX senders_default ON senders (channel) WHERE is_default;

-- The breaker of a sender. Closed: no code. Open: the provider said with this code that nothing can go out from here.
ALTER TABLE senders ADD COLUMN blocked_code integer;
ALTER TABLE senders ADD COLUMN blocked_at bigint;
-- It came by callback: then an accepted probe proves nothing, only one that arrives.
ALTER TABLE senders ADD COLUMN blocked_by_callback {bool} NOT NULL DEFAULT FALSE;
-- When one message may try again, and which one it is that tries.
ALTER TABLE senders ADD COLUMN probe_at bigint;
ALTER TABLE senders ADD COLUMN probe_message bigint;
ALTER TABLE senders ADD COLUMN probes integer NOT NULL DEFAULT 0;
-- Failures of what was handed over before then say nothing new.
ALTER TABLE senders ADD COLUMN unblocked_at bigint NOT NULL DEFAULT 0;
-- Paused because its sender is blocked: it goes on by itself when the sender does.
ALTER TABLE runs ADD COLUMN blocked {bool} NOT NULL DEFAULT FALSE;

-- Who was written to first by us, and when last: counts against what Meta allows in 24 hours.
CREATE TABLE daily_recipients (
    account_sid text NOT NULL,
    contact_id bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (account_sid, contact_id)
){without_rowid};

-- Who did this to that: for the history of a message.
CREATE INDEX audit_log_by_entity ON audit_log (entity, entity_id, seq);

-- The programs that serve this database, as they last said of themselves.
CREATE TABLE processes (
    id {uuid} PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    role text NOT NULL,
    started_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    stopped_at bigint,
    -- JSON: what it is doing.
    figures text NOT NULL
);
