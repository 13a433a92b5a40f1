-- name: transcript_task
-- A task, its agent, and the results of what it depends on.
SELECT t.title, t.description, t.attachments, t.turn, t.rested_questions, a.id AS agent_id, a.number, a.name, a.model, a.instructions, a.tools, a.policies, a.limits,
       a.mode, a.is_default, a.created_at,
       CASE WHEN t.depends_on = '{}' THEN '[]' ELSE
           (SELECT jsonb_agg(jsonb_build_object('position', d.position, 'title', d.title, 'result', coalesce(d.result, ''))
                             ORDER BY d.position)
              FROM tasks d
             WHERE d.tenant_id = t.tenant_id AND d.execution_id = t.execution_id AND d.position = ANY (t.depends_on))
       END AS dependencies
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = $1 AND t.id = $2;

-- name: transcript_messages
SELECT id, turn, failed_turns, seq, text, answers, attachments FROM messages
 WHERE tenant_id = $1 AND task_id = $2 AND (turn IS NOT NULL OR failed_turns <> '{}')
 ORDER BY seq;

-- name: transcript_steps
SELECT turn, step, state, text, response, calls, questions, error_code FROM steps
 WHERE tenant_id = $1 AND task_id = $2 AND state <> 'running'
 ORDER BY turn, step;

-- name: transcript_results
SELECT turn, step, call_id, content, failed, CASE WHEN edited THEN arguments END AS edited FROM tool_calls
 WHERE tenant_id = $1 AND task_id = $2 AND state = 'done'
 ORDER BY turn, step, ordinal;

