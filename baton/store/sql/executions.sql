-- name: create_execution
-- An execution, its tasks and its first events, in one statement.
-- $1 tenant, $2 id, $3 in plan, $4 agent, $5 title, $6 summary, $7 plan, $8 plan generation id, $9 metadata, $10 queue,
-- $11 the execution's and every task's state, $12 seconds until the relay rings,
-- $13 tasks [{id, position, title, description, attachments, depends_on, granted_tools, plan_only}], $14 event types, $15 data of each.
-- A plan's tasks stay as they are until its workflow looks; a single task starts at once, and its events name it.
WITH e AS (
    INSERT INTO executions (tenant_id, id, in_plan, agent_id, title, summary, plan, plan_generation_id, metadata, queue,
                            state, event_seq, ring_at, started_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, cardinality($14::text[]),
            CASE WHEN $3 THEN now() + make_interval(secs => $12) END, CASE WHEN $11 = 'running' THEN now() END)
    RETURNING created_at
), t AS (
    INSERT INTO tasks (tenant_id, id, execution_id, position, title, description, attachments, depends_on, granted_tools,
                       plan_only, agent_id, state, rested, ring_at, started_at)
    SELECT $1, id, $2, position, title, description, attachments, depends_on, granted_tools, plan_only, $4, $11, $11,
           CASE WHEN NOT $3 THEN now() + make_interval(secs => $12) END, CASE WHEN $11 = 'running' THEN now() END
      FROM jsonb_to_recordset($13)
           AS task (id uuid, position bigint, title text, description text, attachments jsonb, depends_on bigint[],
                    granted_tools text[], plan_only boolean)
     ORDER BY position
    RETURNING id, position
), ev AS (
    INSERT INTO events (tenant_id, execution_id, seq, type, task_id, position, task_state, execution_state, data)
    SELECT $1, $2, n, type, t.id, t.position, CASE WHEN t.id IS NOT NULL THEN $11 END,
           CASE WHEN n = cardinality($14::text[]) THEN $11 END, data
      FROM unnest($14::text[], $15::jsonb[]) WITH ORDINALITY AS new (type, data, n)
           LEFT JOIN t ON NOT $3 AND n > 1
)
SELECT created_at FROM e;

-- name: is_of_agent
SELECT NOT EXISTS (SELECT FROM tasks WHERE tenant_id = $1 AND execution_id = $2 AND agent_id <> $3);
