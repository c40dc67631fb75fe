-- When a campaign that is scheduled is due next.
ALTER TABLE campaigns ADD COLUMN next_due_at bigint;
ALTER TABLE campaigns ADD COLUMN catch_up text NOT NULL DEFAULT 'run';
-- Why it is paused or failed, when the scheduler did it.
ALTER TABLE campaigns ADD COLUMN reason text;
ALTER TABLE campaigns ADD COLUMN last_due_at bigint;
-- How many runs the schedule has made.
ALTER TABLE campaigns ADD COLUMN due_runs integer NOT NULL DEFAULT 0;
-- All that the scheduler looks at, however many campaigns wait.
CREATE INDEX campaigns_due ON campaigns (next_due_at, id)
    WHERE next_due_at IS NOT NULL AND status IN ('scheduled', 'running');

-- What became of each instant that a campaign was due: one row each, whoever was there.
CREATE TABLE due_times (
    campaign_id {uuid} NOT NULL,
    due_at bigint NOT NULL,
    outcome text NOT NULL,
    reason text,
    missed integer NOT NULL DEFAULT 0,
    run_id {uuid},
    decided_at bigint NOT NULL,
    PRIMARY KEY (campaign_id, due_at)
){without_rowid};
