-- Summaries that somebody asks for: of a task, who did so last and when, until a step has made one.

ALTER TABLE tasks ADD COLUMN IF NOT EXISTS compaction_asked jsonb;

ALTER TABLE compactions DROP CONSTRAINT IF EXISTS compactions_reason_known,
    ADD CONSTRAINT compactions_reason_known CHECK (reason = ANY ('{window,overflow,requested}')) NOT VALID;

-- commit
ALTER TABLE compactions VALIDATE CONSTRAINT compactions_reason_known;
