-- The schema of both databases, written once. Words in {braces} are replaced by each database's own (see dialect.rs):
-- {identity} a 64-bit key the database hands out, {uuid}, {bytes}, {json}, {bool};
-- {month_key:c} the primary key of a table that PostgreSQL partitions by month; {by_month} the partitioning itself.
-- Instants are bigint: microseconds since the Unix epoch, UTC.

CREATE TABLE installation (
    id smallint PRIMARY KEY,
    instance_id {uuid} NOT NULL,
    account_sid text NOT NULL,
    public_url text NOT NULL,
    key_check {bytes} NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE settings (
    key text PRIMARY KEY,
    value text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    updated_at bigint NOT NULL
);

-- People and programs -------------------------------------------------------------------------------------------

CREATE TABLE accounts (
    id {uuid} PRIMARY KEY,
    email text NOT NULL UNIQUE,
    role text NOT NULL,
    password_hash text NOT NULL,
    password_is_temporary {bool} NOT NULL DEFAULT FALSE,
    disabled {bool} NOT NULL DEFAULT FALSE,
    last_login_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1
);

CREATE TABLE sessions (
    id text PRIMARY KEY,
    -- Whose it is, once somebody logged in: a changed password ends them all.
    account_id {uuid},
    data text NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_account ON sessions (account_id) WHERE account_id IS NOT NULL;

-- Tries to log in that have not succeeded, to slow down guessing. The subject is a hash: people type passwords into the
-- wrong field.
CREATE TABLE login_failures (
    subject text PRIMARY KEY,
    count integer NOT NULL,
    last_at bigint NOT NULL
);

CREATE TABLE api_keys (
    id {uuid} PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL,
    key_hash {bytes} NOT NULL UNIQUE,
    created_by text NOT NULL,
    created_at bigint NOT NULL,
    last_used_at bigint,
    revoked_at bigint
);

CREATE TABLE idempotency_keys (
    owner text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash {bytes} NOT NULL,
    answer_status smallint,
    answer_type text,
    answer_body {bytes},
    created_at bigint NOT NULL,
    PRIMARY KEY (owner, route, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- What admins and programs did. Chained: each row's hash covers the one before it in its stream.
CREATE TABLE audit_log (
    stream text NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    request_id text,
    action text NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    detail text NOT NULL,
    private {bytes},
    prev_hash {bytes} NOT NULL,
    hash {bytes} NOT NULL,
    PRIMARY KEY (stream, seq)
);
CREATE INDEX audit_log_by_time ON audit_log (at);

-- Where each chain stands; locked while rows are appended.
CREATE TABLE chain_heads (
    stream text PRIMARY KEY,
    seq bigint NOT NULL,
    hash {bytes} NOT NULL
);

-- Contacts and consent ------------------------------------------------------------------------------------------

CREATE TABLE contacts (
    phone text PRIMARY KEY,
    contact_id bigint NOT NULL UNIQUE,
    attributes {json} NOT NULL,
    -- What segments search: domain::text::shadow(attributes). Texts without their case, dates as instants; only what
    -- differs from `attributes`.
    folded {json} NOT NULL,
    name text,
    -- The folded name, and the part after its last blank: what `q` searches by prefix.
    name_folded text NOT NULL DEFAULT '',
    name_last_folded text NOT NULL DEFAULT '',
    country text,
    timezone text,
    locale text,
    consent text NOT NULL DEFAULT 'unknown',
    consent_changed_at bigint,
    suppressed {bool} NOT NULL DEFAULT FALSE,
    last_inbound_at bigint,
    last_read_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
-- Lists go by contact_id, which rises with time.
CREATE INDEX contacts_by_consent ON contacts (consent, contact_id);
CREATE INDEX contacts_by_name ON contacts (name_folded {text_prefix}) WHERE name_folded <> '';
CREATE INDEX contacts_by_last_name ON contacts (name_last_folded {text_prefix}) WHERE name_last_folded <> '';
{contacts_prefix_index}
{contacts_attribute_index}

-- How many contacts there are, by consent: maintained by the program in the transaction that changes them.
CREATE TABLE contact_counts (
    consent text PRIMARY KEY,
    count bigint NOT NULL
);

-- The key that a person's sealed parts are sealed with; destroyed at erasure.
CREATE TABLE contact_keys (
    contact_id bigint PRIMARY KEY,
    wrapped {bytes} NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE topics (
    id {uuid} PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1
);

CREATE TABLE subscriptions (
    contact_id bigint NOT NULL,
    topic_id {uuid} NOT NULL,
    state text NOT NULL,
    changed_at bigint NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (contact_id, topic_id)
){without_rowid};
CREATE INDEX subscriptions_by_topic ON subscriptions (topic_id, state, contact_id);

CREATE TABLE consent_ledger (
    stream text NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    contact_id bigint NOT NULL,
    -- Null: everything; else only this topic.
    topic_id {uuid},
    consent text NOT NULL,
    source text NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    -- An import and its line, a message's SID: no personal data.
    reference text,
    -- The words of the evidence, sealed with the contact's key.
    evidence {bytes},
    prev_hash {bytes} NOT NULL,
    hash {bytes} NOT NULL,
    PRIMARY KEY (stream, seq)
);
CREATE INDEX consent_ledger_by_contact ON consent_ledger (contact_id, at);
CREATE INDEX consent_ledger_opt_outs ON consent_ledger (at) WHERE consent = 'opted_out' AND topic_id IS NULL;

CREATE TABLE suppressions (
    -- HMAC-SHA-256 of the E.164 number with a key derived from ENCRYPTION_KEY.
    phone_hash {bytes} PRIMARY KEY,
    key_id text NOT NULL,
    reason text NOT NULL,
    contact_id bigint,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE imports (
    id {uuid} PRIMARY KEY,
    file_name text,
    file_path text NOT NULL,
    format text NOT NULL,
    options text NOT NULL,
    status text NOT NULL,
    rows_read bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    suppressed bigint NOT NULL DEFAULT 0,
    by_reason text NOT NULL DEFAULT '{}',
    warnings text NOT NULL DEFAULT '{}',
    columns text NOT NULL DEFAULT '[]',
    error text,
    bytes_total bigint NOT NULL,
    -- Where the next record begins, in bytes and in lines; moved with every chunk.
    bytes_done bigint NOT NULL DEFAULT 0,
    lines_done bigint NOT NULL DEFAULT 1,
    -- Until then the worker that has it is believed to be alive.
    lease_until bigint NOT NULL DEFAULT 0,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    created_at bigint NOT NULL,
    started_at bigint,
    finished_at bigint
);
CREATE INDEX imports_by_age ON imports (created_at, id);

CREATE TABLE import_rejects (
    import_id {uuid} NOT NULL,
    line bigint NOT NULL,
    reason text NOT NULL,
    value text NOT NULL,
    raw text NOT NULL,
    PRIMARY KEY (import_id, line)
){without_rowid};

-- Exactly the people of a file. `flags` remembers what rows of earlier chunks came to (store::imports::Seen).
CREATE TABLE import_contacts (
    import_id {uuid} NOT NULL,
    contact_id bigint NOT NULL,
    flags smallint NOT NULL DEFAULT 0,
    profile_before bigint,
    PRIMARY KEY (import_id, contact_id)
){without_rowid};

-- What to say, to whom, from where -------------------------------------------------------------------------------

CREATE TABLE segments (
    id {uuid} PRIMARY KEY,
    name text NOT NULL UNIQUE,
    name_folded text NOT NULL DEFAULT '',
    definition text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1
);

CREATE TABLE templates (
    id {uuid} PRIMARY KEY,
    name text NOT NULL UNIQUE,
    name_folded text NOT NULL DEFAULT '',
    channel text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);

CREATE TABLE template_versions (
    template_id {uuid} NOT NULL,
    version bigint NOT NULL,
    category text NOT NULL,
    default_locale text NOT NULL,
    variants text NOT NULL,
    variables text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (template_id, version)
);

CREATE TABLE senders (
    id {uuid} PRIMARY KEY,
    name text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    account_sid text NOT NULL,
    rate_per_second integer NOT NULL,
    enabled {bool} NOT NULL DEFAULT TRUE,
    is_default {bool} NOT NULL DEFAULT FALSE,
    sending text NOT NULL DEFAULT 'on',
    hold_reason text,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    UNIQUE (channel, address)
);

CREATE TABLE campaigns (
    id {uuid} PRIMARY KEY,
    name text NOT NULL,
    name_folded text NOT NULL,
    topic_id {uuid},
    template_id {uuid},
    segment_id {uuid},
    sender_id {uuid},
    trigger_json text NOT NULL,
    rate_per_second integer,
    quiet_hours text,
    send_before text,
    late text NOT NULL,
    repeat text NOT NULL,
    on_unknown text NOT NULL,
    weight integer NOT NULL DEFAULT 1,
    status text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
CREATE INDEX campaigns_by_age ON campaigns (created_at, id);

-- Runs and messages ------------------------------------------------------------------------------------------------

CREATE TABLE runs (
    id {uuid} PRIMARY KEY,
    campaign_id {uuid} NOT NULL,
    number integer NOT NULL,
    due_at bigint NOT NULL,
    status text NOT NULL,
    -- What the run executes, frozen at launch.
    template_id {uuid} NOT NULL,
    template_version bigint NOT NULL,
    definition text NOT NULL,
    topic_id {uuid},
    sender_id {uuid} NOT NULL,
    rules text NOT NULL,
    rate_per_second integer,
    weight integer NOT NULL DEFAULT 1,
    -- Planning goes through the contacts by contact_id; everything up to here is planned.
    plan_cursor bigint,
    planned {bool} NOT NULL DEFAULT FALSE,
    -- The segment's relative times ("within the last 30 days") count from here.
    snapshot_at bigint NOT NULL,
    reason text,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    created_at bigint NOT NULL,
    started_at bigint,
    finished_at bigint,
    UNIQUE (campaign_id, number),
    UNIQUE (campaign_id, due_at)
);
-- A cancelled run is finished when the last of its messages is settled.
CREATE INDEX runs_open ON runs (status) WHERE finished_at IS NULL;

-- One row of counters a run: planned is the sum of all the others, at every commit.
CREATE TABLE run_ledgers (
    run_id {uuid} PRIMARY KEY,
    planned bigint NOT NULL DEFAULT 0,
    queued bigint NOT NULL DEFAULT 0,
    sending bigint NOT NULL DEFAULT 0,
    unknown bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    sent bigint NOT NULL DEFAULT 0,
    delivered bigint NOT NULL DEFAULT 0,
    read bigint NOT NULL DEFAULT 0,
    undelivered bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    CHECK (planned = queued + sending + unknown + accepted + sent + delivered + read + undelivered + failed + skipped + cancelled)
);

-- Skips by reason (kind 'reason') and failures by provider code (kind 'code').
CREATE TABLE run_tallies (
    run_id {uuid} NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (run_id, kind, key)
);

CREATE TABLE messages (
    id {identity},
    run_id {uuid},
    contact_id bigint NOT NULL,
    occurrence integer NOT NULL DEFAULT 0,
    campaign_id {uuid},
    sender_id {uuid} NOT NULL,
    -- Single sends and tests: what to render. A run's messages take the run's.
    template_id {uuid},
    template_version bigint,
    kind smallint NOT NULL,
    priority smallint NOT NULL,
    -- domain::message::State::rank
    state smallint NOT NULL,
    attempt smallint NOT NULL DEFAULT 0,
    arm smallint,
    -- yyyymm of creation: the partition of everything that belongs to the message.
    month integer NOT NULL,
    reason text,
    error_code integer,
    provider_sid text,
    not_before bigint NOT NULL,
    lease_until bigint,
    lease_owner bigint,
    price bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (run_id, contact_id, occurrence)
){fillfactor};
CREATE INDEX messages_due ON messages (run_id, not_before, id) WHERE state = 0;
CREATE INDEX messages_leased ON messages (lease_until) WHERE state = 1;
CREATE INDEX messages_unknown ON messages (updated_at) WHERE state = 2;
CREATE INDEX messages_by_contact ON messages (contact_id, id);
CREATE UNIQUE INDEX messages_by_sid ON messages (provider_sid) WHERE provider_sid IS NOT NULL;

-- The text as handed over; a single send's variables. May be emptied by erasure and retention.
CREATE TABLE message_texts (
    message_id bigint PRIMARY KEY,
    body text,
    variables text
);

-- Changes of state that no callback explains (those are the receipts). None is written for queued and sending.
CREATE TABLE transitions (
    id {month_identity},
    month integer NOT NULL,
    message_id bigint NOT NULL,
    at bigint NOT NULL,
    from_state smallint NOT NULL,
    to_state smallint NOT NULL,
    by text NOT NULL,
    attempt smallint NOT NULL,
    reason text,
    error_code integer,
    actor_id text{month_key:id}
){by_month};
CREATE INDEX transitions_by_message ON transitions (message_id);

CREATE TABLE decisions (
    id {month_identity},
    month integer NOT NULL,
    message_id bigint NOT NULL,
    at bigint NOT NULL,
    attempt smallint NOT NULL,
    outcome text NOT NULL,
    reason text,
    rules_version smallint NOT NULL,
    -- The checks that were made and passed, one bit each (domain::reason::Check).
    checks bigint NOT NULL,
    -- Only what deviated: the failed check's data.
    detail text{month_key:id}
){by_month};
CREATE INDEX decisions_by_message ON decisions (message_id);

-- Webhooks ---------------------------------------------------------------------------------------------------------

CREATE TABLE webhook_events (
    id {month_identity},
    month integer NOT NULL,
    received_at bigint NOT NULL,
    kind text NOT NULL,
    account_sid text,
    provider_sid text,
    message_id bigint,
    attempt smallint,
    status text,
    error_code integer,
    idempotency_token text,
    outcome text NOT NULL,
    reason text{month_key:id}
){by_month};
CREATE INDEX webhook_events_by_sid ON webhook_events (provider_sid);
CREATE INDEX webhook_events_by_message ON webhook_events (message_id) WHERE message_id IS NOT NULL;

-- Raw forms, sealed with their period's key; the guarded purge may empty this table.
CREATE TABLE webhook_bodies (
    event_id bigint PRIMARY KEY,
    period integer NOT NULL,
    sealed {bytes} NOT NULL
);

CREATE TABLE period_keys (
    period integer PRIMARY KEY,
    wrapped {bytes} NOT NULL
);

-- Status callbacks, normalised: one row per SID, status and error code. `month` is the message's.
CREATE TABLE receipts (
    message_id bigint NOT NULL,
    month integer NOT NULL,
    provider_sid text NOT NULL,
    status text NOT NULL,
    error_code integer NOT NULL DEFAULT 0,
    -- domain::message::State::rank; null for a status that is not known.
    state smallint,
    moved {bool} NOT NULL,
    at bigint NOT NULL,
    event_id bigint NOT NULL,
    PRIMARY KEY (message_id, provider_sid, status, error_code, month)
){by_month};

CREATE TABLE receipt_repeats (
    message_id bigint NOT NULL,
    provider_sid text NOT NULL,
    status text NOT NULL,
    error_code integer NOT NULL DEFAULT 0,
    count integer NOT NULL,
    last_at bigint NOT NULL,
    PRIMARY KEY (message_id, provider_sid, status, error_code)
);

CREATE TABLE inbound_messages (
    id {identity},
    provider_sid text NOT NULL UNIQUE,
    contact_id bigint NOT NULL,
    channel text NOT NULL,
    our_address text NOT NULL,
    received_at bigint NOT NULL,
    keyword text,
    media_count integer NOT NULL DEFAULT 0,
    replied_sid text,
    event_id bigint NOT NULL
);
CREATE INDEX inbound_by_contact ON inbound_messages (contact_id, received_at);
CREATE INDEX inbound_by_age ON inbound_messages (received_at, id);

CREATE TABLE inbound_texts (
    inbound_id bigint PRIMARY KEY,
    body text NOT NULL,
    media text NOT NULL DEFAULT '[]'
);

-- Retention: the only deletion from append-only tables. On SQLite their triggers look for an open permit.
CREATE TABLE retention_permits (
    id {identity},
    opened_at bigint NOT NULL,
    reason text NOT NULL
);
