-- name: execution_view
-- `asks`: whether a task of it waits for an answer, and not for consent alone.
SELECT e.id, e.in_plan, e.title, e.summary, e.state, e.queue, e.plan_generation_id, e.plan, e.metadata, e.event_seq,
       e.created_at, e.started_at, e.completed_at, e.updated_at,
       EXISTS (SELECT FROM tasks t WHERE t.tenant_id = $1 AND t.execution_id = e.id
                                     AND t.state = 'waiting' AND t.open_questions <> '[]') AS asks,
       a.id AS agent_id, a.number AS agent_number, a.name AS agent_name
  FROM executions e JOIN agents a ON a.tenant_id = e.tenant_id AND a.id = e.agent_id
 WHERE e.tenant_id = $1 AND e.id = $2;

-- name: list_executions
-- A page of a tenant's executions, newest first. $2 states or NULL, $3 plans only, single tasks only, or NULL for both,
-- $4 agent or NULL, $5 and $6 where the page before ended or NULL, $7 limit, $8 offset, $9 of those that wait only such
-- as do for an answer (true) or for consent alone (false), or NULL for both.
SELECT e.id, e.in_plan, e.title, e.summary, e.state, e.queue, e.plan_generation_id, '{}'::jsonb AS plan, e.metadata,
       e.event_seq, e.created_at, e.started_at, e.completed_at, e.updated_at,
       EXISTS (SELECT FROM tasks t WHERE t.tenant_id = $1 AND t.execution_id = e.id
                                     AND t.state = 'waiting' AND t.open_questions <> '[]') AS asks,
       a.id AS agent_id, a.number AS agent_number, a.name AS agent_name,
       (SELECT coalesce(jsonb_object_agg(c.state, c.n), '{}')
          FROM (SELECT t.state, count(*) AS n FROM tasks t
                 WHERE t.tenant_id = $1 AND t.execution_id = e.id GROUP BY t.state) c) AS counts
  FROM executions e JOIN agents a ON a.tenant_id = e.tenant_id AND a.id = e.agent_id
 WHERE e.tenant_id = $1
   AND ($2::text[] IS NULL OR e.state = ANY ($2))
   AND ($3::boolean IS NULL OR e.in_plan = $3)
   AND ($4::uuid IS NULL OR e.agent_id = $4)
   AND ($5::timestamptz IS NULL OR (e.created_at, e.id) < ($5, $6::uuid))
   AND ($9::boolean IS NULL OR e.state <> 'waiting'
        OR $9 = EXISTS (SELECT FROM tasks t WHERE t.tenant_id = $1 AND t.execution_id = e.id
                                              AND t.state = 'waiting' AND t.open_questions <> '[]'))
 ORDER BY e.created_at DESC, e.id DESC
 LIMIT $7 OFFSET $8;

-- name: count_executions
-- How many `list_executions` has in all. $5: its $9.
SELECT count(*) FROM executions e
 WHERE e.tenant_id = $1
   AND ($2::text[] IS NULL OR e.state = ANY ($2))
   AND ($3::boolean IS NULL OR e.in_plan = $3)
   AND ($4::uuid IS NULL OR e.agent_id = $4)
   AND ($5::boolean IS NULL OR e.state <> 'waiting'
        OR $5 = EXISTS (SELECT FROM tasks t WHERE t.tenant_id = $1 AND t.execution_id = e.id
                                              AND t.state = 'waiting' AND t.open_questions <> '[]'));

-- name: task_view
SELECT t.id, t.number, t.execution_id, t.position, t.title, t.description, t.depends_on, t.state, t.version, t.turn,
       t.unclaimed AS queued, t.open_questions, t.open_approvals, t.granted_tools, t.plan_only, t.waiting_since, t.result, t.error_code, t.created_at,
       t.started_at, t.completed_at, t.updated_at, a.id AS agent_id, a.number AS agent_number, a.name AS agent_name
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = $1 AND t.id = $2;

-- name: tasks_of_execution
SELECT t.id, t.number, t.execution_id, t.position, t.title, t.description, t.depends_on, t.state, t.version, t.turn,
       t.unclaimed AS queued, t.open_questions, t.open_approvals, t.granted_tools, t.plan_only, t.waiting_since, t.result, t.error_code, t.created_at,
       t.started_at, t.completed_at, t.updated_at, a.id AS agent_id, a.number AS agent_number, a.name AS agent_name
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = $1 AND t.execution_id = $2
 ORDER BY t.position;

-- name: only_tasks
-- The tasks of those of the executions $2 that are no plans.
SELECT t.id, t.number, t.execution_id, t.position, t.title, t.description, t.depends_on, t.state, t.version, t.turn,
       t.unclaimed AS queued, t.open_questions, t.open_approvals, t.granted_tools, t.plan_only, t.waiting_since, t.result, t.error_code, t.created_at,
       t.started_at, t.completed_at, t.updated_at, a.id AS agent_id, a.number AS agent_number, a.name AS agent_name
  FROM executions e JOIN tasks t ON t.tenant_id = e.tenant_id AND t.execution_id = e.id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE e.tenant_id = $1 AND e.id = ANY ($2::uuid[]) AND NOT e.in_plan;

-- name: list_waiting_tasks
-- The inbox: tasks that wait, longest first. $2 and $3: where the page before ended, or NULL. $4 limit, $5 agent or NULL.
SELECT t.id, t.number, t.execution_id, t.position, t.title, t.description, t.depends_on, t.state, t.version, t.turn,
       t.unclaimed AS queued, t.open_questions, t.open_approvals, t.granted_tools, t.plan_only, t.waiting_since, t.result, t.error_code, t.created_at,
       t.started_at, t.completed_at, t.updated_at, a.id AS agent_id, a.number AS agent_number, a.name AS agent_name
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = $1 AND t.state = 'waiting' AND t.waiting_since IS NOT NULL
   AND ($2::timestamptz IS NULL OR (t.waiting_since, t.id) > ($2, $3::uuid))
   AND ($5::uuid IS NULL OR t.agent_id = $5)
 ORDER BY t.waiting_since, t.id
 LIMIT $4;

-- name: list_tasks
-- A page of a tenant's tasks, newest first. $2 states or NULL, $3 execution or NULL, $4 the number at which the page
-- before ended, or NULL, $5 limit, $6 agent or NULL.
SELECT t.id, t.number, t.execution_id, t.position, t.title, t.description, t.depends_on, t.state, t.version, t.turn,
       t.unclaimed AS queued, t.open_questions, t.open_approvals, t.granted_tools, t.plan_only, t.waiting_since, t.result, t.error_code, t.created_at,
       t.started_at, t.completed_at, t.updated_at, a.id AS agent_id, a.number AS agent_number, a.name AS agent_name
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = $1
   AND ($2::text[] IS NULL OR t.state = ANY ($2))
   AND ($3::uuid IS NULL OR t.execution_id = $3)
   AND ($4::bigint IS NULL OR t.number < $4)
   AND ($6::uuid IS NULL OR t.agent_id = $6)
 ORDER BY t.number DESC
 LIMIT $5;

-- name: list_messages
-- A page of a task's messages, in order. $3: the number at which the page before ended. $4 limit, $5 states or NULL.
SELECT m.id, m.seq, m.task_id, t.execution_id, m.state, m.turn, m.text, m.attachments, m.origin, m.sender, m.answers,
       m.reason, m.accepted_at, m.claimed_at, m.ended_at, t.version AS task_version
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = $1 AND m.task_id = $2 AND m.seq > $3 AND ($5::text[] IS NULL OR m.state = ANY ($5))
 ORDER BY m.seq
 LIMIT $4;

-- name: list_dead_messages
-- A page of a tenant's dead messages, those first that died first. $2 and $3: where the page before ended, or NULL.
-- $4 limit, $5 agent or NULL.
SELECT m.id, m.seq, m.task_id, t.execution_id, m.state, m.turn, m.text, m.attachments, m.origin, m.sender, m.answers,
       m.reason, m.accepted_at, m.claimed_at, m.ended_at, t.version AS task_version
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = $1 AND m.state = 'dead' AND ($2::timestamptz IS NULL OR (m.ended_at, m.id) > ($2, $3::uuid))
   AND ($5::uuid IS NULL OR t.agent_id = $5)
 ORDER BY m.ended_at, m.id
 LIMIT $4;

-- name: message_view
SELECT m.id, m.seq, m.task_id, t.execution_id, m.state, m.turn, m.text, m.attachments, m.origin, m.sender, m.answers,
       m.reason, m.accepted_at, m.claimed_at, m.ended_at, t.version AS task_version
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = $1 AND m.id = $2;

-- name: execution_usage
-- Tokens that an execution's steps have used.
SELECT coalesce(sum(s.input_tokens), 0)::bigint AS input, coalesce(sum(s.output_tokens), 0)::bigint AS output
  FROM tasks t JOIN steps s ON s.tenant_id = t.tenant_id AND s.task_id = t.id
 WHERE t.tenant_id = $1 AND t.execution_id = $2 AND ($3::uuid IS NULL OR t.id = $3);

-- name: list_single_tasks
-- A page of the tasks of executions that are no plans, newest first, with what their steps have used. $2 states or NULL,
-- $3 agent or NULL, $4 limit, $5 offset.
SELECT t.id, t.number, t.execution_id, t.position, t.title, t.description, t.depends_on, t.state, t.version, t.turn,
       t.unclaimed AS queued, t.open_questions, t.open_approvals, t.granted_tools, t.plan_only, t.waiting_since, t.result, t.error_code, t.created_at,
       t.started_at, t.completed_at, t.updated_at, a.id AS agent_id, a.number AS agent_number, a.name AS agent_name,
       used.input, used.output
  FROM executions e
       JOIN tasks t ON t.tenant_id = e.tenant_id AND t.execution_id = e.id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       CROSS JOIN LATERAL (
           SELECT coalesce(sum(s.input_tokens), 0)::bigint AS input, coalesce(sum(s.output_tokens), 0)::bigint AS output
             FROM steps s WHERE s.tenant_id = t.tenant_id AND s.task_id = t.id
       ) used
 WHERE e.tenant_id = $1 AND NOT e.in_plan
   AND ($2::text[] IS NULL OR e.state = ANY ($2))
   AND ($3::uuid IS NULL OR e.agent_id = $3)
 ORDER BY e.created_at DESC, e.id DESC
 LIMIT $4 OFFSET $5;
