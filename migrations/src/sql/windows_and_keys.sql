-- When a person last wrote to one of our WhatsApp addresses: for a day after that, free text may go out from there.
CREATE TABLE service_windows (
    contact_id bigint NOT NULL,
    -- A sender's address: a number, or the Messaging Service that the number belongs to.
    our_address text NOT NULL,
    last_inbound_at bigint NOT NULL,
    PRIMARY KEY (contact_id, our_address)
){without_rowid};
INSERT INTO service_windows (contact_id, our_address, last_inbound_at)
    SELECT i.contact_id, i.our_address, MAX(i.received_at) FROM inbound_messages i
    JOIN contacts c ON c.contact_id = i.contact_id WHERE i.channel = 'whatsapp' GROUP BY i.contact_id, i.our_address;

-- Whose attempt at a request it is: a repeat may take over what its first process left behind …
ALTER TABLE idempotency_keys ADD COLUMN claim bigint NOT NULL DEFAULT 0;
-- … after this time, until which that process is believed to be at work.
ALTER TABLE idempotency_keys ADD COLUMN lease_until bigint NOT NULL DEFAULT 0;
-- Set in the use case's transaction: the request took effect.
ALTER TABLE idempotency_keys ADD COLUMN applied {bool} NOT NULL DEFAULT FALSE;

-- Every ENCRYPTION_KEY that this database was ever written with, by its check value.
CREATE TABLE encryption_keys (
    check_value {bytes} PRIMARY KEY,
    first_used_at bigint NOT NULL
);
INSERT INTO encryption_keys (check_value, first_used_at) SELECT key_check, created_at FROM installation;
