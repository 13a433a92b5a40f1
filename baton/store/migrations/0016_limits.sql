-- What bounds a task, and all tasks of an execution together, beside what bounds the agent.

ALTER TABLE tasks ADD COLUMN IF NOT EXISTS limits jsonb NOT NULL DEFAULT '{}';
-- commit
ALTER TABLE executions ADD COLUMN IF NOT EXISTS limits jsonb NOT NULL DEFAULT '{}';
