-- name: begin_turn
-- Begin a turn of a locked task: claim all accepted messages. $4: the number that the event of its first step will have,
-- NULL where calls were held back: then the messages' texts are reasons, and the step begins later.
WITH claimed AS (
    UPDATE messages SET state = 'claimed', turn = $3, claimed_at = now()
     WHERE tenant_id = $1 AND task_id = $2 AND state = 'accepted'
    RETURNING id, seq, decides, grants, plan_only, sender, CASE WHEN $4::bigint IS NULL THEN text END AS reason
), turn AS (
    INSERT INTO turns (tenant_id, task_id, turn, messages) SELECT $1, $2, $3, count(*) FROM claimed
), step AS (
    INSERT INTO steps (tenant_id, task_id, turn, step, first_event) SELECT $1, $2, $3, 0, $4::bigint WHERE $4 IS NOT NULL
)
SELECT id, seq, decides, grants, plan_only, sender, reason FROM claimed ORDER BY seq;

-- name: begin_step
INSERT INTO steps (tenant_id, task_id, turn, step, first_event) VALUES ($1, $2, $3, $4, $5);

-- name: read_step
-- A step, and what its present attempt has streamed, NULL for nothing.
SELECT s.state, s.attempt,
       (SELECT string_agg(e.data ->> 'text', '' ORDER BY e.seq) FROM events e
         WHERE e.tenant_id = $1 AND e.execution_id = $5 AND e.seq > s.first_event
           AND e.task_id = $2 AND e.type = 'text.delta' AND (e.data ->> 'attempt')::integer = s.attempt
           AND (e.data ->> 'step')::integer = s.step) AS streamed
  FROM steps s
 WHERE s.tenant_id = $1 AND s.task_id = $2 AND s.turn = $3 AND s.step = $4;

-- name: step_questions
-- The questions that a step asked, in the order of its calls (jsonb keeps no order of its keys).
SELECT s.questions -> (c.call ->> 'id') AS question
  FROM steps s, jsonb_array_elements(s.calls) WITH ORDINALITY AS c (call, n)
 WHERE s.tenant_id = $1 AND s.task_id = $2 AND s.turn = $3 AND s.step = $4 AND s.questions ? (c.call ->> 'id')
 ORDER BY c.n;

-- name: retry_step
UPDATE steps SET attempt = attempt + 1 WHERE tenant_id = $1 AND task_id = $2 AND turn = $3 AND step = $4
RETURNING attempt, failures;

-- name: count_failure
-- An attempt that the model failed; a later attempt's row is left alone.
UPDATE steps SET failures = failures + 1
 WHERE tenant_id = $1 AND task_id = $2 AND turn = $3 AND step = $4 AND attempt = $5 AND state = 'running'
RETURNING failures;

-- name: end_step
-- Record what a step came to, unless it is over or a later attempt has it.
UPDATE steps
   SET state = $6, text = $7, response = $8, calls = $9, questions = $10, input_tokens = $11, output_tokens = $12,
       ended_at = clock_timestamp()
 WHERE tenant_id = $1 AND task_id = $2 AND turn = $3 AND step = $4 AND state = 'running' AND attempt = $5
RETURNING true;

-- name: add_tool_calls
INSERT INTO tool_calls (tenant_id, task_id, turn, step, call_id, ordinal, name, arguments, state)
SELECT $1, $2, $3, $4, call_id, n, name, arguments, state
  FROM unnest($5::text[], $6::text[], $7::jsonb[], $8::text[])
       WITH ORDINALITY AS new (call_id, name, arguments, state, n);

-- name: tool_calls_left
-- The calls of a step that are still to be made or to be decided on, in the order of the model.
SELECT call_id, name, arguments, state = 'held' AS is_held FROM tool_calls
 WHERE tenant_id = $1 AND task_id = $2 AND turn = $3 AND step = $4 AND state <> 'done'
 ORDER BY ordinal;

-- name: start_tool_call
-- Start a call that may be made. With what its approval covers, where it needed one, and what its agent may call now.
UPDATE tool_calls c SET state = 'running', started_at = coalesce(c.started_at, clock_timestamp())
 WHERE c.tenant_id = $1 AND c.task_id = $2 AND c.turn = $3 AND c.step = $4 AND c.call_id = $5
   AND c.state IN ('pending', 'running')
RETURNING c.name, c.arguments,
          (SELECT jsonb_build_object('tools', g.tools, 'policies', g.policies)
             FROM tasks t JOIN agents g ON g.tenant_id = t.tenant_id AND g.id = t.agent_id
            WHERE t.tenant_id = $1 AND t.id = $2) AS agent,
          (SELECT jsonb_build_object('state', a.state, 'digest', a.approved_digest) FROM approvals a
            WHERE a.tenant_id = $1 AND a.task_id = $2 AND a.turn = $3 AND a.step = $4 AND a.call_id = $5) AS approval;

-- name: end_tool_call
UPDATE tool_calls SET state = 'done', content = $6, failed = $7, ended_at = clock_timestamp()
 WHERE tenant_id = $1 AND task_id = $2 AND turn = $3 AND step = $4 AND call_id = $5 AND state <> 'done'
RETURNING name;

-- name: end_turn
-- End a locked task's open turn. Its messages become $6 ('processed' or 'dead'), with the reason $7 where they are dead,
-- which is the error of a step that was at work, too.
-- Calls that were not made, also those that the turn before had held back, are done with the result $8; those held back
-- for approvals that this turn opens ($9) stay.
WITH turn AS (
    UPDATE turns SET state = $4, outcome = $5, ended_at = clock_timestamp()
     WHERE tenant_id = $1 AND task_id = $2 AND turn = $3
), steps_left AS (
    UPDATE steps SET state = CASE WHEN $4 = 'failed' THEN 'failed' ELSE 'interrupted' END, error_code = $7,
           ended_at = clock_timestamp()
     WHERE tenant_id = $1 AND task_id = $2 AND turn = $3 AND state = 'running'
), calls_left AS (
    UPDATE tool_calls SET state = 'done', failed = true, content = $8, ended_at = clock_timestamp()
     WHERE tenant_id = $1 AND task_id = $2 AND turn BETWEEN $3 - 1 AND $3
       AND (state IN ('pending', 'running') OR (state = 'held' AND NOT $9))
), told AS (
    UPDATE messages SET state = $6, reason = $7, ended_at = clock_timestamp()
     WHERE tenant_id = $1 AND task_id = $2 AND turn = $3 AND state = 'claimed'
    RETURNING id, seq
)
SELECT id, seq FROM told ORDER BY seq;

-- name: set_result
-- What a turn came to that ended its task, or would have if no message had come meanwhile ($4 then is NULL).
UPDATE tasks SET result = $3, error_code = $4, rested_error = $5 WHERE tenant_id = $1 AND id = $2;

-- name: bury_unclaimed
-- Messages that no turn will read any more.
WITH dead AS (
    UPDATE messages SET state = 'dead', reason = $3, ended_at = clock_timestamp()
     WHERE tenant_id = $1 AND task_id = $2 AND state = 'accepted'
    RETURNING id, seq
)
SELECT id, seq FROM dead ORDER BY seq;

-- name: ring_plan
-- The plan is to look at its tasks: rung by the relay unless that was done before.
UPDATE executions SET ring_at = coalesce(ring_at, now() + make_interval(secs => $3)), rings = 0
 WHERE tenant_id = $1 AND id = $2;
