-- name: lock_plan
-- Lock an execution for the transaction.
SELECT state, event_seq FROM executions WHERE tenant_id = $1 AND id = $2 FOR UPDATE;

-- name: lock_plan_tasks
-- Lock an execution's tasks, by id.
SELECT id, position, title, state, version, depends_on, error_code, turn, ring_at, agent_id,
       open_questions, waiting_since
  FROM tasks WHERE tenant_id = $1 AND execution_id = $2
 ORDER BY id
   FOR UPDATE;

-- name: start_tasks
UPDATE tasks SET state = 'running', rested = 'running', rested_since = now(), version = version + 1, error_code = NULL,
       completed_at = NULL, rings = 0,
       started_at = coalesce(started_at, now()), ring_at = now() + make_interval(secs => $4), updated_at = now()
 WHERE tenant_id = $1 AND execution_id = $2 AND position = ANY ($3);

-- name: fail_tasks
UPDATE tasks SET state = 'failed', rested = 'failed', rested_since = now(), rested_error = $4, error_code = $4,
       version = version + 1, completed_at = now(),
       unclaimed = 0, ring_at = NULL, updated_at = now()
 WHERE tenant_id = $1 AND execution_id = $2 AND position = ANY ($3);

-- name: reset_tasks
UPDATE tasks SET state = 'pending', rested = 'pending', rested_since = now(), version = version + 1, error_code = NULL,
       completed_at = NULL, updated_at = now()
 WHERE tenant_id = $1 AND execution_id = $2 AND position = ANY ($3);

-- name: plan_heard
UPDATE executions SET ring_at = NULL, rings = 0 WHERE tenant_id = $1 AND id = $2 AND ring_at IS NOT NULL;

-- name: plan_route
SELECT x.name AS tenant, e.queue FROM executions e JOIN tenants x ON x.id = e.tenant_id
 WHERE e.tenant_id = $1 AND e.id = $2;
