-- What tells a restored or copied database from the one that was served last: see docs/decisions/0036-restored-databases.md.
ALTER TABLE installation ADD COLUMN witness bigint NOT NULL DEFAULT 0;
-- PostgreSQL's own name of its cluster and this database; null where it does not say.
ALTER TABLE installation ADD COLUMN server text;
