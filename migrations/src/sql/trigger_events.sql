-- What happened elsewhere: who told it, when, and about whom. Nothing of it is personal.
CREATE TABLE trigger_events (
    number {identity},
    -- The first 16 bytes of the SHA-256 of its id: the same id twice is one event, also after its person was erased.
    id_hash {bytes} NOT NULL UNIQUE,
    name text NOT NULL,
    occurred_at bigint,
    received_at bigint NOT NULL,
    -- Null: it is about many (trigger_event_data.definition).
    contact_id bigint,
    actor_kind text NOT NULL,
    actor_id text NOT NULL
);
CREATE INDEX trigger_events_by_contact ON trigger_events (contact_id, number) WHERE contact_id IS NOT NULL;
CREATE INDEX trigger_events_by_name ON trigger_events (name, number);

-- What it says. Goes when its person is erased.
CREATE TABLE trigger_event_data (
    number bigint PRIMARY KEY,
    id text NOT NULL,
    definition text,
    data text NOT NULL
){without_rowid};

-- One row for each run that listened: what the event came to there. The planner's work, while there is no outcome.
CREATE TABLE event_plans (
    run_id {uuid} NOT NULL,
    event bigint NOT NULL,
    outcome text,
    -- Of an event about many: the contacts up to here are planned.
    plan_cursor bigint,
    messages bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, event)
){without_rowid};
CREATE INDEX event_plans_open ON event_plans (run_id, event) WHERE outcome IS NULL;
CREATE INDEX event_plans_by_event ON event_plans (event);

-- Every name that came, and how often.
CREATE TABLE trigger_event_names (
    name text PRIMARY KEY,
    count bigint NOT NULL,
    last_at bigint NOT NULL
){without_rowid};

-- The name that a run listens to, while it does.
ALTER TABLE runs ADD COLUMN event_name text;
CREATE INDEX runs_listening ON runs (event_name) WHERE event_name IS NOT NULL AND finished_at IS NULL;

-- A message's occurrence is its event's number.
{wider_occurrence}
