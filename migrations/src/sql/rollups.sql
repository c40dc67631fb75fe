-- How many messages came how far, by the hour in which they did: whose they were, to which country, with which code. Moved
-- in the transaction that moves the messages (store::messages::rollups).
CREATE TABLE message_rollups (
    -- Its first microsecond.
    hour bigint NOT NULL,
    -- All zeros for messages outside a run.
    run_id {uuid} NOT NULL,
    sender_id {uuid} NOT NULL,
    -- The number's region; empty where it is not known any more.
    country text NOT NULL,
    -- domain::message::State::rank
    state smallint NOT NULL,
    -- The provider's code of a failure; 0 without one.
    code integer NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (run_id, hour, sender_id, country, state, code)
){without_rowid};
