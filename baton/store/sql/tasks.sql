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

-- name: route_by_number
SELECT x.name AS tenant, e.id AS execution_id, t.id AS task_id, t.position, e.in_plan, e.queue, a.name AS agent,
       t.agent_id, a.number AS agent_number, t.title
  FROM tasks t JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN tenants x ON x.id = t.tenant_id
 WHERE t.tenant_id = $1 AND t.number = $2;

-- name: lock_task
-- Lock an execution, then one of its tasks, and read both as they are now.
WITH e AS MATERIALIZED (
    SELECT id, state AS execution_state, in_plan, event_seq FROM executions
     WHERE tenant_id = $1 AND id = $2 FOR UPDATE
)
SELECT t.id, t.position, t.state, t.version, t.turn, t.turn_open, t.interrupt_turn, t.accepted_seq, t.unclaimed,
       t.open_questions, t.open_approvals, t.held_step, t.rested, t.rested_questions, t.rested_seq, t.rested_approvals,
       t.granted_tools, t.plan_only, t.title, t.rested_since, now() AS locked_at, e.execution_state, e.in_plan,
       e.event_seq
  FROM e JOIN tasks t ON t.tenant_id = $1 AND t.execution_id = e.id AND t.id = $3
   FOR UPDATE OF t;

-- name: task_states
-- The states of an execution's tasks; exact while its row is locked.
SELECT id, position, title, state, open_questions, open_approvals, waiting_since FROM tasks
 WHERE tenant_id = $1 AND execution_id = $2
 ORDER BY position;

-- name: bell
SELECT version, CASE WHEN turn_open THEN turn ELSE turn + 1 END AS turn,
       CASE WHEN interrupt_turn >= turn AND (turn_open OR state = 'cancelled') THEN turn ELSE 0 END AS interrupt
  FROM tasks WHERE tenant_id = $1 AND id = $2;

-- name: route_by_only_task
-- The only task of an execution that is no plan, by the execution's uuid or by the task's own (also in a plan).
SELECT x.name AS tenant, e.id AS execution_id, t.id AS task_id, t.position, e.in_plan, e.queue, a.name AS agent,
       t.agent_id
  FROM executions e JOIN tasks t ON t.tenant_id = e.tenant_id AND t.execution_id = e.id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN tenants x ON x.id = e.tenant_id
 WHERE e.tenant_id = $1 AND e.id = $2 AND NOT e.in_plan
UNION ALL
SELECT x.name AS tenant, e.id AS execution_id, t.id AS task_id, t.position, e.in_plan, e.queue, a.name AS agent,
       t.agent_id
  FROM tasks t JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN tenants x ON x.id = t.tenant_id
 WHERE t.tenant_id = $1 AND t.id = $2
 LIMIT 1;

-- name: route_of_execution
-- Where an execution's only task lives; without a task for a plan, which may have many.
SELECT x.name AS tenant, e.id AS execution_id, t.id AS task_id, t.position, e.in_plan, e.queue, a.name AS agent,
       t.agent_id
  FROM executions e JOIN tenants x ON x.id = e.tenant_id
       LEFT JOIN tasks t ON t.tenant_id = e.tenant_id AND t.execution_id = e.id AND NOT e.in_plan
       LEFT JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE e.tenant_id = $1 AND e.id = $2;

-- name: route_for_message
-- Which task a message to a whole execution is for: the one that asks the question $3, else the one that has waited
-- longest, else the only one that is under way or paused, else the only one that is not over, else the one that ended
-- last; no row where several are open and none of that is so. Exact while the execution's row is locked.
WITH stands AS (
    SELECT tenant_id, execution_id, id, position, agent_id, state, waiting_since, completed_at,
           open_questions @> jsonb_build_array(jsonb_build_object('id', $3::text)) AS asks_it,
           count(*) FILTER (WHERE state IN ('running', 'paused')) OVER () AS begun,
           count(*) FILTER (WHERE state NOT IN ('succeeded', 'failed', 'cancelled')) OVER () AS open
      FROM tasks WHERE tenant_id = $1 AND execution_id = $2
)
SELECT x.name AS tenant, e.id AS execution_id, t.id AS task_id, t.position, e.in_plan, e.queue, a.name AS agent,
       t.agent_id
  FROM executions e JOIN stands t ON t.tenant_id = e.tenant_id AND t.execution_id = e.id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN tenants x ON x.id = e.tenant_id
 WHERE e.tenant_id = $1 AND e.id = $2
   AND (t.asks_it OR t.state IN ('waiting', 'succeeded', 'failed', 'cancelled') OR t.open = 1
        OR (t.begun = 1 AND t.state IN ('running', 'paused')))
 ORDER BY t.asks_it DESC,
          CASE t.state WHEN 'waiting' THEN 1 WHEN 'running' THEN 2 WHEN 'paused' THEN 2 WHEN 'pending' THEN 3 ELSE 4 END,
          t.waiting_since, t.completed_at DESC NULLS LAST, t.id
 LIMIT 1;

-- name: execution_exists
SELECT true FROM executions WHERE tenant_id = $1 AND id = $2;

-- name: save_mailbox
-- What the mailbox's rules decided for a locked task ($9), and the events that say so ($2 to $8).
-- $18: seconds until the relay rings, NULL for never; $19: when a question's time comes; $20 to $22 and $24: what it would
-- be without its unclaimed messages; $23: whether a ring that is due stays so; $25: the step whose calls are held back,
-- $26: open approvals. A task that comes back to where it rested waits, or is over, since it first was.
WITH saved AS (
    UPDATE tasks
       SET state = $10, version = $11, turn = $12, turn_open = $13, interrupt_turn = $14, unclaimed = $15,
           open_questions = $16, answers_ruled = $17, timer_at = $19, updated_at = now(), held_step = $25,
           open_approvals = $26,
           ring_at = coalesce(CASE WHEN $23 THEN ring_at END, now() + make_interval(secs => $18)),
           rings = CASE WHEN $23 THEN rings ELSE 0 END,
           rested = $20, rested_questions = $21, rested_seq = $22, rested_approvals = $24,
           rested_since = CASE WHEN rested = $20 THEN rested_since ELSE now() END,
           waiting_since = CASE WHEN $10 = 'waiting' THEN CASE WHEN rested = $10 THEN rested_since ELSE now() END END,
           started_at = CASE WHEN $10 = 'running' THEN coalesce(started_at, now()) ELSE started_at END,
           completed_at = CASE WHEN $10 IN ('succeeded', 'failed', 'cancelled')
                               THEN CASE WHEN rested = $10 THEN rested_since ELSE now() END END
     WHERE tenant_id = $1 AND id = $9
), :appended
SELECT event_seq AS last FROM bumped;

-- name: heard
-- The workflow has looked and there was nothing to do: nobody need ring.
UPDATE tasks SET ring_at = NULL, rings = 0 WHERE tenant_id = $1 AND id = $2 AND ring_at IS NOT NULL;
