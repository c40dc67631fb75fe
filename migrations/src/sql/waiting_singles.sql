-- Messages outside of runs that wait for their turn, by sender in the order in which they are claimed: whoever sends from one
-- number does not go through what waits for another one. Campaigns' messages cost nothing here.
CREATE INDEX messages_singles ON messages (sender_id, priority, not_before, id) WHERE run_id IS NULL AND open = 0;
