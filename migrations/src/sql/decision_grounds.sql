-- What the checks of a decision saw that said yes. Few differ: one row is for all decisions that saw the same.
CREATE TABLE decision_grounds (
    -- Of the text: the first eight bytes of its SHA-256 (store::messages::Grounds).
    id bigint PRIMARY KEY,
    -- A JSON object: the word of a check → what it saw. No personal data.
    seen text NOT NULL
);
ALTER TABLE decisions ADD COLUMN grounds bigint;
