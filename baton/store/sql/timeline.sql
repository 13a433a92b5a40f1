-- name: timeline_messages
SELECT id, text, state, accepted_at FROM messages
 WHERE tenant_id = $1 AND task_id = $2 AND state <> 'withdrawn'
 ORDER BY seq;

-- name: timeline_steps
-- The steps of a task, with what each asked in the order of its calls (jsonb keeps no order of its keys).
SELECT s.turn, s.step, s.state, s.text, s.error_code, s.started_at, s.ended_at,
       (SELECT coalesce(jsonb_agg(s.questions -> (c.call ->> 'id') ORDER BY c.n), '[]')
          FROM jsonb_array_elements(s.calls) WITH ORDINALITY AS c (call, n)
         WHERE s.questions ? (c.call ->> 'id')) AS asked
  FROM steps s
 WHERE s.tenant_id = $1 AND s.task_id = $2
 ORDER BY s.turn, s.step;

-- name: timeline_calls
-- The tool calls of a task. One that was not made before its turn ended has begun when its step came to its end.
SELECT c.turn, c.step, c.call_id, c.name, c.arguments, c.state = 'done' AS done, c.content, c.failed,
       coalesce(c.started_at, s.ended_at, s.started_at) AS started_at, c.ended_at
  FROM tool_calls c JOIN steps s ON s.tenant_id = c.tenant_id AND s.task_id = c.task_id AND s.turn = c.turn
       AND s.step = c.step
 WHERE c.tenant_id = $1 AND c.task_id = $2
 ORDER BY c.turn, c.step, c.ordinal;

-- name: last_message_text
-- What a task was told last.
SELECT text FROM messages
 WHERE tenant_id = $1 AND task_id = $2 AND state <> 'withdrawn'
 ORDER BY seq DESC
 LIMIT 1;
