-- Topics that subscribe nobody before they have said yes to a question of ours.
ALTER TABLE topics ADD COLUMN double_opt_in {bool} NOT NULL DEFAULT FALSE;
-- What is asked; null: words that the program brings.
ALTER TABLE topics ADD COLUMN question_template_id {uuid};

-- Who was asked, and what became of it.
CREATE TABLE opt_in_requests (
    id {identity},
    contact_id bigint NOT NULL,
    topic_id {uuid} NOT NULL,
    -- waiting, confirmed, expired, withdrawn
    state text NOT NULL,
    source text NOT NULL,
    asked_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    settled_at bigint,
    -- The question; null when there was no sender for it.
    message_id bigint,
    -- The answer.
    inbound_sid text
);
CREATE UNIQUE INDEX opt_in_requests_waiting ON opt_in_requests (contact_id, topic_id) WHERE state = 'waiting';
CREATE INDEX opt_in_requests_due ON opt_in_requests (expires_at, id) WHERE state = 'waiting';
CREATE INDEX opt_in_requests_by_contact ON opt_in_requests (contact_id);
CREATE INDEX opt_in_requests_by_state ON opt_in_requests (state, id);

-- Which rule answered whom by itself, and when: so that none answers without end.
CREATE TABLE auto_replies (
    id {identity},
    contact_id bigint NOT NULL,
    rule text NOT NULL,
    at bigint NOT NULL,
    message_id bigint NOT NULL
);
CREATE INDEX auto_replies_by_contact ON auto_replies (contact_id, at);
CREATE INDEX auto_replies_by_age ON auto_replies (at);
