-- Since when somebody is to decide whether the person's words were an opt-out; marketing waits until then.
ALTER TABLE contacts ADD COLUMN review_since bigint;

-- Messages that may have been an opt-out, for a person of ours to read; one at a time for each of those who wrote.
CREATE TABLE consent_reviews (
    id {identity},
    contact_id bigint NOT NULL,
    -- The first message that gave reason to.
    inbound_sid text NOT NULL,
    created_at bigint NOT NULL,
    decided_at bigint,
    decision text,
    actor_kind text,
    actor_id text
);
CREATE UNIQUE INDEX consent_reviews_open ON consent_reviews (contact_id) WHERE decided_at IS NULL;
CREATE INDEX consent_reviews_by_age ON consent_reviews (created_at, id) WHERE decided_at IS NULL;

-- How many said yes and no each day (days since 1970, UTC), by where it came from: kept with the ledger's lines.
CREATE TABLE consent_days (
    day integer NOT NULL,
    source text NOT NULL,
    consent text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (day, source, consent)
);
INSERT INTO consent_days (day, source, consent, count)
SELECT CAST(at / 86400000000 AS integer), source, consent, count(*) FROM consent_ledger WHERE topic_id IS NULL
GROUP BY 1, 2, 3;

-- Until when Twilio's list of what people wrote to a sender was read.
CREATE TABLE inbound_watermarks (
    sender_id {uuid} PRIMARY KEY,
    fetched_until bigint NOT NULL
);

CREATE INDEX suppressions_by_age ON suppressions (created_at, phone_hash);
