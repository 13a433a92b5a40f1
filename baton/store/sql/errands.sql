-- name: errand_home
-- What an errand's id names: a message, or a task's description (0).
SELECT task_id, seq FROM messages WHERE tenant_id = $1 AND id = $2
UNION ALL
SELECT id, 0 FROM tasks WHERE tenant_id = $1 AND id = $2;

-- name: list_errands
-- The last errands of a task, newest first, in one snapshot. $1 tenant, $2 task, $3 and $4 the lowest and the highest
-- number, $5 whether withdrawn ones count, $6 limit.
WITH told AS (
    SELECT m.id, m.seq, m.text, m.metadata, m.state, m.turn, m.reason, m.accepted_at AS given_at, m.ended_at
      FROM messages m
     WHERE m.tenant_id = $1 AND m.task_id = $2 AND m.seq BETWEEN $3 AND $4 AND ($5 OR m.state <> 'withdrawn')
     ORDER BY m.seq DESC
     LIMIT $6
), page AS (
    SELECT * FROM told
     UNION ALL
    SELECT t.id, 0, t.description, x.metadata, NULL, CASE WHEN t.turn > 0 THEN 1 END, NULL, t.created_at, NULL
      FROM tasks t JOIN executions x ON x.tenant_id = t.tenant_id AND x.id = t.execution_id
     WHERE t.tenant_id = $1 AND t.id = $2 AND $3::bigint <= 0
     ORDER BY seq DESC
     LIMIT $6
)
SELECT p.id, p.seq, p.text, p.metadata, p.state AS message_state, p.turn, p.given_at,
       t.id AS task_id, t.execution_id, t.agent_id, t.state AS task_state, t.turn AS task_turn, t.interrupt_turn,
       t.unclaimed, t.version AS task_version, x.event_seq AS last_event,
       coalesce(p.reason, CASE WHEN last.turn = t.turn OR p.turn IS NULL THEN t.error_code END) AS error,
       first.started_at, coalesce(last.ended_at, p.ended_at) AS ended_at,
       last.turn AS last_turn, last.state AS last_turn_state,
       CASE WHEN p.turn IS NULL
            THEN EXISTS (SELECT FROM messages n
                          WHERE n.tenant_id = $1 AND n.task_id = $2 AND n.seq > p.seq AND n.turn IS NULL
                            AND n.state <> 'withdrawn')
            ELSE EXISTS (SELECT FROM messages n
                          WHERE n.tenant_id = $1 AND n.task_id = $2 AND n.turn = p.turn AND n.seq > p.seq)
       END AS superseded,
       coalesce(step.text, '') AS answer,
       (SELECT coalesce(jsonb_agg(s.questions -> (c.call ->> 'id') ORDER BY s.step, c.n), '[]')
          FROM steps s, jsonb_array_elements(s.calls) WITH ORDINALITY AS c (call, n)
         WHERE s.tenant_id = $1 AND s.task_id = $2 AND s.turn = last.turn AND s.questions ? (c.call ->> 'id')) AS asked,
       coalesce(before.first_event, 0) AS after_event,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(h.tool, h.arguments) ORDER BY h.step, c.ordinal), '[]')
          FROM approvals h JOIN tool_calls c ON c.tenant_id = h.tenant_id AND c.task_id = h.task_id
               AND c.turn = h.turn AND c.step = h.step AND c.call_id = h.call_id
         WHERE h.tenant_id = $1 AND h.task_id = $2 AND h.turn = last.turn) AS held
  FROM page p
       JOIN tasks t ON t.tenant_id = $1 AND t.id = $2
       JOIN executions x ON x.tenant_id = $1 AND x.id = t.execution_id
       LEFT JOIN turns first ON first.tenant_id = $1 AND first.task_id = $2 AND first.turn = p.turn
       LEFT JOIN LATERAL (
           SELECT n.turn FROM turns n
            WHERE n.tenant_id = $1 AND n.task_id = $2 AND n.turn > p.turn AND n.messages > 0
            ORDER BY n.turn
            LIMIT 1
       ) next ON true
       LEFT JOIN turns last ON last.tenant_id = $1 AND last.task_id = $2
            AND last.turn = CASE WHEN p.turn IS NOT NULL THEN coalesce(next.turn - 1, t.turn) END
       LEFT JOIN LATERAL (
           SELECT s.first_event FROM steps s
            WHERE s.tenant_id = $1 AND s.task_id = $2 AND s.turn < p.turn
            ORDER BY s.turn DESC, s.step DESC
            LIMIT 1
       ) before ON true
       LEFT JOIN LATERAL (
           SELECT s.text FROM steps s
            WHERE s.tenant_id = $1 AND s.task_id = $2 AND s.turn = last.turn
            ORDER BY s.step DESC
            LIMIT 1
       ) step ON true
 ORDER BY p.seq DESC;

-- name: last_said
-- What was said last under a key ($4) of the metadata, up to a message's number ($3); the execution's counts as first.
SELECT said FROM (
    (SELECT m.seq, m.metadata ->> $4::text AS said FROM messages m
      WHERE m.tenant_id = $1 AND m.task_id = $2 AND m.seq <= $3 AND m.metadata ? $4::text
      ORDER BY m.seq DESC
      LIMIT 1)
    UNION ALL
    SELECT 0, x.metadata ->> $4::text
      FROM tasks t JOIN executions x ON x.tenant_id = t.tenant_id AND x.id = t.execution_id
     WHERE t.tenant_id = $1 AND t.id = $2
) told
 ORDER BY seq DESC
 LIMIT 1;

-- name: list_tasks_with_errands
-- A page of a tenant's tasks that are not archived, newest first, each with what decides the state of its last errand:
-- no errand comes after that, so that it is not superseded. $2 agent or NULL, $3 the number at which the page before
-- ended, or NULL, $4 limit.
SELECT t.id, t.number, t.title, t.created_at, t.state AS task_state, t.turn AS task_turn, t.interrupt_turn, t.unclaimed,
       told.state AS message_state, last.turn AS last_turn, last.state AS last_turn_state,
       CASE WHEN told.seq IS NOT NULL THEN told.turn WHEN t.turn > 0 THEN 1 END AS turn
  FROM tasks t
       LEFT JOIN LATERAL (
           SELECT m.seq, m.state, m.turn FROM messages m
            WHERE m.tenant_id = t.tenant_id AND m.task_id = t.id AND m.state <> 'withdrawn'
            ORDER BY m.seq DESC
            LIMIT 1
       ) told ON true
       LEFT JOIN turns last ON last.tenant_id = t.tenant_id AND last.task_id = t.id AND last.turn = t.turn
 WHERE t.tenant_id = $1 AND t.archived_at IS NULL
   AND ($2::uuid IS NULL OR t.agent_id = $2)
   AND ($3::bigint IS NULL OR t.number < $3)
 ORDER BY t.number DESC
 LIMIT $4;

-- name: archive_task
-- Again changes nothing.
UPDATE tasks SET archived_at = coalesce(archived_at, now()) WHERE tenant_id = $1 AND id = $2 RETURNING id;
