-- Whether tasks of an execution are of other agents than its own: who may see one agent's things alone does not see it.

ALTER TABLE executions ADD COLUMN IF NOT EXISTS shared boolean NOT NULL DEFAULT false;
