-- What the checks of a decision saw that said yes. Few differ: one row is for all decisions that saw the same.
CREATE TABLE decision_grounds (
    -- Of the text: the first eight bytes of its SHA-256 (store::messages::Grounds).
    id bigint PRIMARY KEY,
    -- As JSON: what each check saw, by its word, and the time zones (store::messages::Seen).
    seen text NOT NULL
);
ALTER TABLE decisions ADD COLUMN grounds bigint;
