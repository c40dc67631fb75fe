-- When a message was claimed last: what frequency caps count by. The claim writes the row anyway.
ALTER TABLE messages ADD COLUMN claimed_at bigint;
-- Until when a message waits for its person's morning: what a run's page counts. Null for nearly all, so that it costs a
-- message that does not wait nothing.
ALTER TABLE messages ADD COLUMN quiet_until bigint
    GENERATED ALWAYS AS (CASE WHEN state = 0 AND reason = 'quiet_hours' THEN not_before END) {generated};
CREATE INDEX messages_quiet ON messages (run_id, quiet_until, id) WHERE quiet_until IS NOT NULL;
