-- name: route_by_position
SELECT x.name AS tenant, e.id AS execution_id, t.id AS task_id, t.position, e.in_plan, e.queue, a.name AS agent,
       t.agent_id
  FROM executions e JOIN tasks t ON t.tenant_id = e.tenant_id AND t.execution_id = e.id AND t.position = $3
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN tenants x ON x.id = e.tenant_id
 WHERE e.tenant_id = $1 AND e.id = $2;

-- name: route_by_task
SELECT x.name AS tenant, e.id AS execution_id, t.id AS task_id, t.position, e.in_plan, e.queue, a.name AS agent,
       t.agent_id
  FROM tasks t JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN tenants x ON x.id = t.tenant_id
 WHERE t.tenant_id = $1 AND t.id = $2;

-- name: lock_task
-- Lock an execution, then one of its tasks, and read both as they are now.
WITH e AS MATERIALIZED (
    SELECT id, state AS execution_state, in_plan, queue FROM executions WHERE tenant_id = $1 AND id = $2 FOR UPDATE
)
SELECT t.id, t.position, t.state, t.version, t.turn, t.turn_open, t.interrupt_turn, t.accepted_seq, t.claimed_seq,
       t.open_questions, t.title, e.execution_state, e.in_plan
  FROM e JOIN tasks t ON t.tenant_id = $1 AND t.execution_id = e.id AND t.id = $3
   FOR UPDATE OF t;

-- name: task_states
-- The states of an execution's tasks; exact while its row is locked.
SELECT id, position, title, state, open_questions, waiting_since FROM tasks
 WHERE tenant_id = $1 AND execution_id = $2
 ORDER BY position;

-- name: open_questions
-- A task's version and the questions it asks.
SELECT version, state, open_questions FROM tasks WHERE tenant_id = $1 AND id = $2;
