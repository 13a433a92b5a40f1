-- name: limits_of_task
-- What bounds a task: its agent's limits, its own, and those of its execution.
SELECT a.limits AS of_agent, t.limits AS of_task, e.limits AS of_execution, t.execution_id
  FROM tasks t
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
 WHERE t.tenant_id = :tenant AND t.id = :task;

-- part: asks_for_plan
-- Whether the task `t` asks what a limit of its plan has raised.
(t.state = :task.waiting AND EXISTS (SELECT FROM jsonb_array_elements(t.open_questions) q
                                      WHERE starts_with(q ->> 'call_id', :prefix)))

-- name: plan_spent
-- What all tasks of an execution have used, and whether one of the others asks what to do about it. is_timed: the time
-- of their steps, too, which takes a look at each; what waits for an answer takes none.
SELECT sum(t.turn)::bigint AS turns, sum(t.model_calls)::bigint AS calls,
       sum(t.input_tokens + t.output_tokens)::bigint AS tokens, coalesce(sum(t.usd), 0) AS usd,
       CASE WHEN :is_timed THEN
           (SELECT coalesce(sum(extract(epoch FROM coalesce(s.ended_at, clock_timestamp()) - s.started_at)), 0)
              FROM tasks o JOIN steps s ON s.tenant_id = o.tenant_id AND s.task_id = o.id
             WHERE o.tenant_id = :tenant AND o.execution_id = :execution AND NOT ${only_waited(s)})
           ELSE 0 END::double precision AS seconds,
       bool_or(t.id <> :task AND ${asks_for_plan}) AS asked_elsewhere
  FROM tasks t
 WHERE t.tenant_id = :tenant AND t.execution_id = :execution;

-- name: asked_elsewhere
SELECT EXISTS (SELECT FROM tasks t
                WHERE t.tenant_id = :tenant AND t.execution_id = :execution AND t.id <> :task AND ${asks_for_plan});

-- name: asked_by_plan
-- The questions that limits of an execution raised in its tasks, in order, with what was answered. turn: the turn of
-- the task that the answer is for: one that read it, or was under way when it came.
SELECT q.key AS call_id, m.text AS answer,
       CASE WHEN s.task_id = :task THEN m.turn WHEN m.accepted_at >= u.started_at THEN u.turn END AS turn
  FROM tasks t
       JOIN steps s ON s.tenant_id = t.tenant_id AND s.task_id = t.id
       JOIN turns u ON u.tenant_id = t.tenant_id AND u.task_id = :task AND u.turn = :turn
       CROSS JOIN jsonb_each(s.questions) q
       LEFT JOIN messages m ON m.tenant_id = s.tenant_id AND m.task_id = s.task_id
            AND q.value ->> 'id' = ANY (m.answers) AND m.state <> :message.withdrawn
 WHERE t.tenant_id = :tenant AND t.execution_id = :execution AND s.response IS NULL AND starts_with(q.key, :prefix)
 ORDER BY s.ended_at, m.seq;
