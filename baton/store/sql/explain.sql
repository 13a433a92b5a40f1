-- name: explain_task
-- A task, the step that is at work or was last tried, and the tool calls that are being made.
SELECT t.id, t.execution_id, t.state, t.version, t.turn, t.turn_open, t.interrupt_turn, t.unclaimed, t.open_questions,
       t.open_approvals, t.ring_at, t.rings,
       t.timer_at, t.waiting_since, t.updated_at, t.error_code, t.completed_at, e.queue,
       s.step, s.attempt, s.failures, s.started_at AS step_started_at,
       (SELECT min(m.accepted_at) FROM messages m
         WHERE m.tenant_id = $1 AND m.task_id = t.id AND m.state = 'accepted') AS oldest_unclaimed,
       ARRAY(SELECT c.name FROM tool_calls c
              WHERE c.tenant_id = $1 AND c.task_id = t.id AND c.turn BETWEEN t.turn - 1 AND t.turn
                AND c.state = 'running') AS tools,
       (SELECT jsonb_agg(jsonb_build_object('position', d.position, 'title', d.title, 'state', d.state)
                         ORDER BY d.position)
          FROM tasks d
         WHERE d.tenant_id = $1 AND d.execution_id = t.execution_id AND d.position = ANY (t.depends_on)
           AND d.state <> 'succeeded') AS unfinished
  FROM tasks t JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
  LEFT JOIN LATERAL (SELECT * FROM steps s WHERE s.tenant_id = $1 AND s.task_id = t.id AND s.turn = t.turn AND t.turn_open
                      ORDER BY s.step DESC LIMIT 1) s ON true
 WHERE t.tenant_id = $1 AND t.id = $2;
