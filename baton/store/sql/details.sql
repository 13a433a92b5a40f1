-- name: task_details
SELECT t.id, t.number, t.execution_id, t.position, t.title, t.description, t.depends_on, t.state, t.version, t.turn,
       t.unclaimed AS queued, t.open_questions, t.open_approvals, t.granted_tools, t.plan_only, t.waiting_since, t.result,
       t.error_code, t.created_at, t.started_at, t.completed_at, t.updated_at,
       a.id AS agent_id, a.number AS agent_number, a.name AS agent_name, t.turn_open, e.metadata
  FROM tasks t
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
 WHERE t.tenant_id = $1 AND t.id = $2;

-- name: page_task_details
-- A page of a tenant's tasks, newest first. $2 states and $3 whether a turn is under way, pairwise, or NULL for all;
-- $4 agent or NULL, $5 limit, $6 offset.
SELECT t.id, t.number, t.execution_id, t.position, t.title, t.description, t.depends_on, t.state, t.version, t.turn,
       t.unclaimed AS queued, t.open_questions, t.open_approvals, t.granted_tools, t.plan_only, t.waiting_since, t.result,
       t.error_code, t.created_at, t.started_at, t.completed_at, t.updated_at,
       a.id AS agent_id, a.number AS agent_number, a.name AS agent_name, t.turn_open,
       (SELECT e.metadata FROM executions e WHERE e.tenant_id = t.tenant_id AND e.id = t.execution_id) AS metadata
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = $1
   AND ($2::text[] IS NULL OR (t.state, t.turn_open) IN (SELECT s, o FROM unnest($2::text[], $3::boolean[]) AS w (s, o)))
   AND ($4::uuid IS NULL OR t.agent_id = $4)
 ORDER BY t.number DESC
 LIMIT $5 OFFSET $6;

-- name: count_tasks
SELECT count(*) FROM tasks t
 WHERE t.tenant_id = $1
   AND ($2::text[] IS NULL OR (t.state, t.turn_open) IN (SELECT s, o FROM unnest($2::text[], $3::boolean[]) AS w (s, o)))
   AND ($4::uuid IS NULL OR t.agent_id = $4);

-- name: task_events
-- A page of what an execution's log says of one task, in order. $3 task, $4 types, $5 the number at which the page
-- before ended, $6 limit.
SELECT seq, type, at, data, task_id, position, task_state, execution_state
  FROM events
 WHERE tenant_id = $1 AND execution_id = $2 AND seq > $5 AND task_id = $3 AND type = ANY ($4)
 ORDER BY seq
 LIMIT $6;
