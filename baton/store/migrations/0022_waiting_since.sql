-- A task that waits says since when: lists, ages and metrics are built on it, and one that did not say it would end all
-- counting. Tasks are read for it once, while others write to them.

UPDATE tasks SET waiting_since = updated_at WHERE state = 'waiting' AND waiting_since IS NULL;

ALTER TABLE tasks DROP CONSTRAINT IF EXISTS tasks_waiting_since,
    ADD CONSTRAINT tasks_waiting_since CHECK (state <> 'waiting' OR waiting_since IS NOT NULL) NOT VALID;

-- commit
ALTER TABLE tasks VALIDATE CONSTRAINT tasks_waiting_since;
