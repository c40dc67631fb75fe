-- What is said with one person, as the inbox lists it: kept with the messages that it tells of, in their transaction. A
-- campaign's message makes none: it begins when the person writes, or somebody writes to that one person.
CREATE TABLE conversations (
    contact_id bigint PRIMARY KEY,
    -- Of what the person wrote, or was written to outside of campaigns.
    last_at bigint NOT NULL,
    last_inbound_at bigint,
    -- 'in' or 'out'
    last_direction text NOT NULL,
    -- Messages that nobody has seen yet; words that were answered by themselves (STOP …) do not count.
    unread integer NOT NULL DEFAULT 0,
    assignee {uuid},
    archived {bool} NOT NULL DEFAULT FALSE,
    version bigint NOT NULL DEFAULT 1
){without_rowid};
INSERT INTO conversations (contact_id, last_at, last_inbound_at, last_direction)
    SELECT s.contact_id, MAX(s.at), MAX(s.inbound_at),
        CASE WHEN MAX(s.inbound_at) >= MAX(s.at) THEN 'in' ELSE 'out' END
    FROM (
        SELECT i.contact_id, i.received_at AS at, i.received_at AS inbound_at FROM inbound_messages i
        UNION ALL
        SELECT m.contact_id, m.created_at AS at, NULL AS inbound_at FROM messages m WHERE m.kind = 2
    ) s
    JOIN contacts c ON c.contact_id = s.contact_id GROUP BY s.contact_id;
CREATE INDEX conversations_by_age ON conversations (last_at, contact_id);
CREATE INDEX conversations_by_state ON conversations (archived, last_at, contact_id);
CREATE INDEX conversations_unread ON conversations (last_at, contact_id) WHERE unread > 0;
CREATE INDEX conversations_by_assignee ON conversations (assignee, archived, last_at, contact_id)
    WHERE assignee IS NOT NULL;

-- Webhooks that nobody claimed or understood, for those who look for them. The usual ones are not in it.
CREATE INDEX webhook_events_trouble ON webhook_events (outcome, id) WHERE outcome IN ('orphan', 'unprocessable');
CREATE INDEX webhook_events_inbound ON webhook_events (id) WHERE kind = 'inbound';
