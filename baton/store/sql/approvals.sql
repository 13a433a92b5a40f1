-- name: open_approvals
-- Calls of a locked task that wait for consent. approvals: as the task's row has them.
INSERT INTO approvals (tenant_id, id, task_id, turn, step, call_id, tool, arguments, digest, asked_at)
SELECT :tenant, id, :task, turn, step, call_id, tool, arguments, digest, asked_at
  FROM jsonb_to_recordset(:approvals)
       AS new (id uuid, turn integer, step integer, call_id text, tool text, arguments jsonb, digest text,
               asked_at timestamptz);

-- name: route_by_approval
SELECT c.task_id FROM approvals c JOIN tasks t ON t.tenant_id = c.tenant_id AND t.id = c.task_id
 WHERE c.tenant_id = :tenant AND c.id = :approval AND ${of_agent};

-- name: approval_parameters
-- What the arguments must obey that an open approval is given with; NULL where nothing is known of that.
SELECT c.parameters
  FROM approvals a JOIN tool_calls c ON c.tenant_id = a.tenant_id AND c.task_id = a.task_id AND c.turn = a.turn
                                    AND c.step = a.step AND c.call_id = a.call_id
 WHERE a.tenant_id = :tenant AND a.id = :approval AND a.state = :approval.open;

-- name: last_approvals
-- What became of the approvals that a turn up to this one asked for last.
SELECT id, state FROM approvals
 WHERE tenant_id = :tenant AND task_id = :task AND state <> :approval.open
   AND turn = (SELECT max(turn) FROM approvals WHERE tenant_id = :tenant AND task_id = :task AND turn <= :turn)
 ORDER BY step, asked_at, id;

-- name: decide_approval
-- edited: the arguments where they are others than asked for. Nothing where it was decided before.
UPDATE approvals
   SET state = :state, decided_by = :by, author = :author, reason = :reason, edited = :edited,
       approved_digest = :approved_digest, decided_at = clock_timestamp()
 WHERE tenant_id = :tenant AND id = :approval AND state = :approval.open;

-- name: release_call
-- A call that was held back may be made. edited: with these arguments instead of the model's, NULL for those.
UPDATE tool_calls SET state = :call.pending, arguments = coalesce(:edited, arguments), edited = :edited IS NOT NULL
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND call_id = :call
   AND state = :call.held;

-- name: held_calls
-- The calls of a step that are held back, with their approvals, in the order of the model.
SELECT a.id, c.call_id, c.name, c.arguments, a.digest
  FROM tool_calls c
       JOIN approvals a ON a.tenant_id = c.tenant_id AND a.task_id = c.task_id AND a.turn = c.turn AND a.step = c.step
                       AND a.call_id = c.call_id
 WHERE c.tenant_id = :tenant AND c.task_id = :task AND c.turn = :turn AND c.step = :step AND c.state = :call.held
 ORDER BY c.ordinal;

-- name: allow_tools
-- What messages allow from the turn on that claims them. plan_only: whether it may only plan from then on, or NULL.
UPDATE tasks
   SET granted_tools = ARRAY(SELECT DISTINCT tool FROM unnest(granted_tools || :granted::text[]) AS tool ORDER BY tool),
       plan_only = coalesce(:plan_only, plan_only)
 WHERE tenant_id = :tenant AND id = :task;

-- name: approval_view
-- An approval. A message closes it as it is accepted, which is recorded by the turn that claims the message: until then
-- the message says what became of it.
SELECT a.id, a.task_id, t.execution_id, t.agent_id, t.version, t.state AS task_state, a.turn, a.step, a.call_id,
       a.tool, a.arguments, a.digest, a.asked_at, a.edited, a.approved_digest,
       CASE WHEN m.id IS NULL THEN a.state
            WHEN a.tool = ANY (m.grants) THEN :approval.approved ELSE :approval.declined END AS state,
       coalesce(a.decided_by, m.sender) AS decided_by, coalesce(a.author, m.author) AS author,
       coalesce(a.decided_at, m.accepted_at) AS decided_at,
       coalesce(a.reason, CASE WHEN a.tool = ANY (m.grants) THEN '' ELSE left(m.text, 500) END) AS reason
  FROM approvals a
       JOIN tasks t ON t.tenant_id = a.tenant_id AND t.id = a.task_id
       LEFT JOIN LATERAL (
           SELECT id, sender, author, text, CASE WHEN plan_only THEN '{}' ELSE grants END AS grants, accepted_at
             FROM messages
            WHERE tenant_id = a.tenant_id AND task_id = a.task_id AND state = :message.accepted
              AND a.id::text = ANY (decides) AND a.state = :approval.open
              AND NOT t.open_approvals @> jsonb_build_array(jsonb_build_object('id', a.id::text))
            ORDER BY seq LIMIT 1
       ) m ON true
 WHERE a.tenant_id = :tenant AND a.id = :approval;
