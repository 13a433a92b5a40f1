-- What sweeps and turns look for, each nearly nothing of a table that may have millions of rows: running tasks and plans
-- that nobody is going to look at, turns under way, and what the next turn of a task reads. By ids, not by times: those
-- change with every write of a turn.

-- concurrently
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_forgotten ON tasks (tenant_id, id)
 WHERE state = 'running' AND NOT turn_open AND ring_at IS NULL;

-- commit
-- concurrently
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_at_work ON tasks (tenant_id, id) WHERE turn_open;

-- commit
-- concurrently
CREATE INDEX CONCURRENTLY IF NOT EXISTS executions_forgotten ON executions (tenant_id, id)
 WHERE in_plan AND state IN ('pending', 'running') AND ring_at IS NULL;

-- commit
-- concurrently
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_unclaimed ON messages (tenant_id, task_id, seq) WHERE state = 'accepted';
