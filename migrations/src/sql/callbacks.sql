-- The first month (yyyymm) whose callbacks are kept: webhooks that came before it, and receipts of messages from before it,
-- may have gone with their retention. Null while none has.
ALTER TABLE installation ADD COLUMN callbacks_since integer;
