-- What WhatsApp has approved, as Twilio last listed it. Only a copy: Twilio's list is the truth.
CREATE TABLE content_templates (
    sid text PRIMARY KEY,
    account_sid text NOT NULL,
    name text NOT NULL,
    language text NOT NULL,
    category text,
    approval text NOT NULL,
    reason text,
    body text NOT NULL,
    variables text NOT NULL,
    buttons text NOT NULL,
    synced_at bigint NOT NULL
);
CREATE INDEX content_templates_by_account ON content_templates (account_sid);

-- When each account is to be looked at next. One process takes a turn by moving `due_at`.
CREATE TABLE content_syncs (
    account_sid text PRIMARY KEY,
    due_at bigint NOT NULL,
    synced_at bigint,
    problem text
);
