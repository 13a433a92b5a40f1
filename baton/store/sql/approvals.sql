-- name: open_approvals
-- Calls of a locked task that wait for consent. $3: approvals, as the task's row has them.
INSERT INTO approvals (tenant_id, id, task_id, turn, step, call_id, tool, arguments, digest, asked_at)
SELECT $1, id, $2, turn, step, call_id, tool, arguments, digest, asked_at
  FROM jsonb_to_recordset($3)
       AS new (id uuid, turn integer, step integer, call_id text, tool text, arguments jsonb, digest text,
               asked_at timestamptz);

-- name: route_by_approval
SELECT task_id FROM approvals WHERE tenant_id = $1 AND id = $2;

-- name: decide_approval
-- $3 state, $4 by whom, $5 reason, $6 the arguments where they are others than asked for, $7 the digest of what is
-- approved. Nothing where it was decided before.
UPDATE approvals
   SET state = $3, decided_by = $4, reason = $5, edited = $6, approved_digest = $7, decided_at = clock_timestamp()
 WHERE tenant_id = $1 AND id = $2 AND state = 'open';

-- name: release_call
-- A call that was held back may be made, $6: with these arguments instead of the model's, NULL for those.
UPDATE tool_calls SET state = 'pending', arguments = coalesce($6, arguments), edited = $6 IS NOT NULL
 WHERE tenant_id = $1 AND task_id = $2 AND turn = $3 AND step = $4 AND call_id = $5 AND state = 'held';

-- name: held_calls
-- The calls of a step that are held back, with their approvals, in the order of the model.
SELECT a.id, c.call_id, c.name, c.arguments, a.digest
  FROM tool_calls c
       JOIN approvals a ON a.tenant_id = c.tenant_id AND a.task_id = c.task_id AND a.turn = c.turn AND a.step = c.step
                       AND a.call_id = c.call_id
 WHERE c.tenant_id = $1 AND c.task_id = $2 AND c.turn = $3 AND c.step = $4 AND c.state = 'held'
 ORDER BY c.ordinal;

-- name: allow_tools
-- What messages allow from the turn on that claims them. $3: tools granted, $4: whether it may only plan, or NULL.
UPDATE tasks
   SET granted_tools = ARRAY(SELECT DISTINCT tool FROM unnest(granted_tools || $3::text[]) AS tool ORDER BY tool),
       plan_only = coalesce($4, plan_only)
 WHERE tenant_id = $1 AND id = $2;

-- name: approval_view
-- An approval. A message closes it as it is accepted, which is recorded by the turn that claims the message: until then
-- the message says what became of it.
SELECT a.id, a.task_id, t.execution_id, t.agent_id, t.version, t.state AS task_state, a.turn, a.step, a.call_id, a.tool, a.arguments, a.digest,
       a.asked_at, a.edited, a.approved_digest,
       CASE WHEN m.id IS NULL THEN a.state WHEN a.tool = ANY (m.grants) THEN 'approved' ELSE 'declined' END AS state,
       coalesce(a.decided_by, m.sender) AS decided_by, coalesce(a.decided_at, m.accepted_at) AS decided_at,
       coalesce(a.reason, CASE WHEN a.tool = ANY (m.grants) THEN '' ELSE left(m.text, 500) END) AS reason
  FROM approvals a
       JOIN tasks t ON t.tenant_id = a.tenant_id AND t.id = a.task_id
       LEFT JOIN LATERAL (
           SELECT id, sender, text, CASE WHEN plan_only THEN '{}' ELSE grants END AS grants, accepted_at FROM messages
            WHERE tenant_id = a.tenant_id AND task_id = a.task_id AND state = 'accepted' AND a.id::text = ANY (decides)
              AND a.state = 'open' AND NOT t.open_approvals @> jsonb_build_array(jsonb_build_object('id', a.id::text))
            ORDER BY seq LIMIT 1
       ) m ON true
 WHERE a.tenant_id = $1 AND a.id = $2;
