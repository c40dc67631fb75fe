-- The run was paused because too many of its messages failed: who resumes it knows, and it is not paused for that again.
ALTER TABLE runs ADD COLUMN failing_told {bool} NOT NULL DEFAULT FALSE;
