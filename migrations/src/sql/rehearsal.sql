-- A run that only looks: nothing of it is claimed before it is launched, which makes it a run like any other.
ALTER TABLE runs ADD COLUMN rehearsal {bool} NOT NULL DEFAULT FALSE;
-- The campaign was changed since.
ALTER TABLE runs ADD COLUMN stale {bool} NOT NULL DEFAULT FALSE;
-- How many people were in the audience when it began: what its progress is measured by.
ALTER TABLE runs ADD COLUMN audience bigint;
ALTER TABLE runs ADD COLUMN rehearsed_at bigint;
-- SHA-256 over all decisions so far, hexadecimal; the plan's when it is complete.
ALTER TABLE runs ADD COLUMN plan_hash text;
-- What was expected of its sending when it began (domain::run::Curve as JSON).
ALTER TABLE runs ADD COLUMN forecast text;
CREATE INDEX runs_rehearsed ON runs (campaign_id) WHERE rehearsal;

-- What a rehearsal found: by outcome, reason, local hour of sending, missing variable, language without a variant.
CREATE TABLE rehearsal_counts (
    run_id {uuid} NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (run_id, kind, key)
){without_rowid};
