-- The relay takes what is due of each tenant in turn, and a plan's readers look up how each task stood after an event:
-- both by index.

CREATE INDEX IF NOT EXISTS tasks_to_ring_by_tenant ON tasks (tenant_id, ring_at) WHERE ring_at IS NOT NULL;
DROP INDEX IF EXISTS tasks_to_ring;
-- commit
CREATE INDEX IF NOT EXISTS executions_to_ring_by_tenant ON executions (tenant_id, ring_at) WHERE ring_at IS NOT NULL;
DROP INDEX IF EXISTS executions_to_ring;
-- commit
CREATE INDEX IF NOT EXISTS events_of_states ON events (tenant_id, execution_id, task_id, seq)
 WHERE task_state IS NOT NULL;
