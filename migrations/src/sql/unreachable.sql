-- Numbers that messages did not come to, by channel: how many in a row, and the last of them. A number that was reached
-- since is not one of them any more (store::messages::unreachable); nothing has to be deleted for it.
CREATE TABLE unreachable (
    contact_id bigint NOT NULL,
    channel text NOT NULL,
    failures integer NOT NULL,
    last_at bigint NOT NULL,
    message_id bigint NOT NULL,
    error_code integer NOT NULL,
    PRIMARY KEY (contact_id, channel)
){without_rowid};
