-- What results must be: a JSON Schema of an agent ('{}': nothing) or of a task (NULL: its agent's), whether a task's
-- result is JSON that obeys one, and why an answer was not taken for a result.

ALTER TABLE agents ADD COLUMN IF NOT EXISTS result_schema jsonb NOT NULL DEFAULT '{}';
-- commit
ALTER TABLE tasks ADD COLUMN IF NOT EXISTS result_schema jsonb,
                  ADD COLUMN IF NOT EXISTS result_json boolean NOT NULL DEFAULT false;
-- commit
ALTER TABLE steps ADD COLUMN IF NOT EXISTS refused text NOT NULL DEFAULT '';
