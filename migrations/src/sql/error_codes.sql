-- What admins changed of the provider's error codes; null: as built in.
CREATE TABLE error_codes (
    code integer PRIMARY KEY,
    class text,
    meaning text,
    remedy text,
    updated_at bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1
);

-- Which codes the provider gave, and in which words.
CREATE TABLE error_codes_heard (
    code integer PRIMARY KEY,
    times bigint NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    said text
);
