DROP TRIGGER webhook_events_append_only ON webhook_events;
DROP TRIGGER webhook_events_no_truncate ON webhook_events;
SELECT guard_retained('webhook_events');
DROP TRIGGER receipts_append_only ON receipts;
DROP TRIGGER receipts_no_truncate ON receipts;
SELECT guard_retained('receipts');

-- The partitions that go with the months up to this one (yyyymm), for DROP TABLE; null when there are none. A message's
-- receipts lie in the month of the message, and the last of them may have come later: such a month stays until the webhooks
-- have gone that they came with. Webhooks before receipts, as whoever stores callbacks locks them.
CREATE FUNCTION months_to_forget(up_to integer) RETURNS text LANGUAGE plpgsql AS $body$
DECLARE
    first_kept bigint := COALESCE((SELECT min(id) FROM webhook_events WHERE month > up_to), 9223372036854775807);
    child text;
    is_needed boolean;
    gone text;
BEGIN
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('webhook_events'::regclass, 'receipts'::regclass) AND c.relname ~ '_[0-9]{6}$'
        ORDER BY c.relname DESC
    LOOP
        CONTINUE WHEN right(child, 6)::integer > up_to;
        is_needed := FALSE;
        IF child LIKE 'receipts%' THEN
            EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE event_id >= $1)', child)
                INTO is_needed USING first_kept;
        END IF;
        IF NOT is_needed THEN
            gone := concat_ws(', ', gone, quote_ident(child));
        END IF;
    END LOOP;
    RETURN gone;
END
$body$;
