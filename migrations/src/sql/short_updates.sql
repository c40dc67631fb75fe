-- A message changes its state five times or more. These two follow from its state by themselves, so that whatever an
-- index goes by changes only while a message is in the queue, claimed, or of unknown outcome: how far it has come at the
-- provider touches no index.
ALTER TABLE messages ADD COLUMN open smallint GENERATED ALWAYS AS (CASE WHEN state <= 2 THEN state END) {generated};
ALTER TABLE messages ADD COLUMN unknown_at bigint GENERATED ALWAYS AS (CASE WHEN state = 2 THEN updated_at END) {generated};
DROP INDEX messages_due;
DROP INDEX messages_leased;
DROP INDEX messages_unknown;
CREATE INDEX messages_due ON messages (run_id, not_before, id) WHERE open = 0;
CREATE INDEX messages_leased ON messages (lease_until) WHERE open = 1;
CREATE INDEX messages_unknown ON messages (unknown_at) WHERE unknown_at IS NOT NULL;

-- A callback that only raised its message is found by the message's receipts, and the message by its SID. All others are
-- found by these.
DROP INDEX webhook_events_by_sid;
DROP INDEX webhook_events_by_message;
CREATE INDEX webhook_events_by_sid ON webhook_events (provider_sid)
    WHERE (outcome <> 'applied' OR kind <> 'status' OR reason IS NOT NULL);
CREATE INDEX webhook_events_by_message ON webhook_events (message_id)
    WHERE message_id IS NOT NULL AND (outcome <> 'applied' OR kind <> 'status' OR reason IS NOT NULL);
-- When people last read something, apart from what is known of them: each message that is read changes it, and would write
-- all indexes of contacts anew.
CREATE TABLE contact_reads (
    contact_id bigint PRIMARY KEY,
    last_read_at bigint NOT NULL
){without_rowid};
INSERT INTO contact_reads (contact_id, last_read_at)
    SELECT contact_id, last_read_at FROM contacts WHERE last_read_at IS NOT NULL;

-- The raw forms that were stored together, as one: compressed, then sealed. They are nearly alike, so that together they
-- take a tenth. Those of earlier versions stay in webhook_bodies until their retention has passed.
CREATE TABLE webhook_blocks (
    -- The least id of its events.
    id bigint PRIMARY KEY,
    period integer NOT NULL,
    sealed {bytes} NOT NULL
);
ALTER TABLE webhook_events ADD COLUMN block bigint;
{short_updates_on_postgres}
