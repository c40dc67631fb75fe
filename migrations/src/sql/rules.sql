-- See store::installation::RULES.
ALTER TABLE installation ADD COLUMN rules integer NOT NULL DEFAULT 1;
