-- part: task
-- A task `t` with its agent `a`.
${task_with(t)}

-- part: task_with
-- The same, with the texts that the table of that name has of it.
t.id, t.number, t.execution_id, t.position, t.title, ${}.description, t.depends_on, t.state, t.version, t.turn,
t.turn_open, t.unclaimed AS queued, ${}.open_questions, ${}.open_approvals, t.granted_tools, t.plan_only,
t.waiting_since, ${}.result, t.result_json, t.error_code,
CASE WHEN t.error_code IS NOT NULL THEN
    (SELECT s.error_message FROM steps s WHERE s.tenant_id = t.tenant_id AND s.task_id = t.id AND s.turn = t.turn
      ORDER BY s.step DESC LIMIT 1) END AS error_message,
t.created_at, t.started_at, t.completed_at, t.updated_at,
t.input_tokens, t.output_tokens, t.cached_tokens, t.reasoning_tokens, t.model_calls, t.usd, t.limits,
a.id AS agent_id, a.number AS agent_number, a.name AS agent_name

-- name: task_view
SELECT ${task}
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = :tenant AND t.id = :task;

-- part: own_metadata
-- What is shown with a task of the metadata of its execution: nothing of a plan's that has several agents, which is no
-- one agent's. What its execution shows is another matter.
CASE WHEN ${}.shared THEN '{}'::jsonb ELSE ${}.metadata END

-- name: task_details
SELECT ${task}, ${own_metadata(e)} AS metadata
  FROM tasks t
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
 WHERE t.tenant_id = :tenant AND t.id = :task;

-- name: tasks_of_execution
-- All tasks of an execution, by position. After most_bytes of their texts they come without these (cut), the first one
-- never: what they take on disk cuts before they are read, as in `cut_from`, and then what they hold. One scan: a join
-- of thousands of tasks with themselves is planned as if they were few, right after they have changed.
SELECT ${task_with(x)}, t.cut
  FROM (
      SELECT s.*,
             NOT s.near OR coalesce(sum(CASE WHEN s.near THEN
                 octet_length(s.description) + coalesce(octet_length(s.result), 0)
                 + octet_length(s.open_questions::text) + octet_length(s.open_approvals::text) END)
             OVER (ORDER BY s.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) >= :most_bytes AS cut
        FROM (
            SELECT t.*,
                   coalesce(sum(l.stored) OVER (ORDER BY t.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                            0) < :most_bytes AS near
              FROM tasks t CROSS JOIN LATERAL (SELECT ${stored_task}) l
             WHERE t.tenant_id = :tenant AND t.execution_id = :execution
        ) s
  ) t JOIN agents a ON a.tenant_id = :tenant AND a.id = t.agent_id
      CROSS JOIN LATERAL (
          SELECT CASE WHEN t.cut THEN '' ELSE t.description END AS description,
                 CASE WHEN NOT t.cut THEN t.result END AS result,
                 CASE WHEN t.cut THEN '[]' ELSE t.open_questions END AS open_questions,
                 CASE WHEN t.cut THEN '[]' ELSE t.open_approvals END AS open_approvals
      ) x
 ORDER BY t.position;

-- name: only_tasks
-- The tasks of those of the executions that are no plans.
${cut_from}
SELECT ${task},
       ${stored_task}
  FROM executions e JOIN tasks t ON t.tenant_id = e.tenant_id AND t.execution_id = e.id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE e.tenant_id = :tenant AND e.id = ANY (:executions::uuid[]) AND NOT e.in_plan
 LIMIT :limit
${cut_to};

-- name: list_waiting_tasks
-- The inbox: tasks that wait, longest first. after_time, after_id: where the page before ended, or NULL.
${cut_from}
SELECT ${task},
       ${stored_task}
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = :tenant AND t.state = :task.waiting AND t.waiting_since IS NOT NULL
   AND (:after_time::timestamptz IS NULL OR (t.waiting_since, t.id) > (:after_time, :after_id::uuid))
   AND (:agent::uuid IS NULL OR t.agent_id = :agent)
 ORDER BY t.waiting_since, t.id
 LIMIT :limit
${cut_to};

-- name: list_tasks
-- A page of a tenant's tasks, newest first. states, execution, agent: NULL for all; before: the number at which the
-- page before ended, or NULL.
${cut_from}
SELECT ${task},
       ${stored_task}
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = :tenant
   AND (:states::text[] IS NULL OR t.state = ANY (:states))
   AND (:execution::uuid IS NULL OR t.execution_id = :execution)
   AND (:before::bigint IS NULL OR t.number < :before)
   AND (:agent::uuid IS NULL OR t.agent_id = :agent)
 ORDER BY t.number DESC
 LIMIT :limit
${cut_to};

-- part: stands_so
-- states, and open_turns (whether a turn is under way), pairwise, or NULL for all; agent or NULL; metadata of the
-- execution, see `has_metadata`, or NULL.
t.tenant_id = :tenant
   AND (:states::text[] IS NULL
        OR (t.state, t.turn_open) IN (SELECT s, o FROM unnest(:states::text[], :open_turns::boolean[]) AS w (s, o)))
   AND (:agent::uuid IS NULL OR t.agent_id = :agent)
   AND (:metadata::jsonb IS NULL
        OR EXISTS (SELECT FROM executions e WHERE e.tenant_id = t.tenant_id AND e.id = t.execution_id
                                              AND NOT e.shared AND ${has_metadata}))

-- name: page_task_details
-- A page of a tenant's tasks, newest first.
${cut_from}
SELECT ${task}, e.metadata, pg_column_size(e.metadata) + ${stored_task}
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       CROSS JOIN LATERAL (
           SELECT ${own_metadata(x)} AS metadata FROM executions x
            WHERE x.tenant_id = t.tenant_id AND x.id = t.execution_id OFFSET 0
       ) e
 WHERE ${stands_so}
 ORDER BY t.number DESC
 LIMIT :limit OFFSET :offset
${cut_to};

-- name: count_tasks
SELECT count(*) FROM tasks t WHERE ${stands_so};

-- name: list_single_tasks
-- A page of the tasks of executions that are no plans, newest first. states, agent: NULL for all.
${cut_from}
SELECT ${task},
       ${stored_task}
  FROM executions e
       JOIN tasks t ON t.tenant_id = e.tenant_id AND t.execution_id = e.id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE e.tenant_id = :tenant AND NOT e.in_plan
   AND (:states::text[] IS NULL OR e.state = ANY (:states))
   AND (:agent::uuid IS NULL OR e.agent_id = :agent)
 ORDER BY e.created_at DESC, e.id DESC
 LIMIT :limit OFFSET :offset
${cut_to};

-- name: list_tasks_with_errands
-- A page of a tenant's tasks that are not archived, newest first, each with what decides the state of its last errand:
-- no errand comes after that, so that it is not superseded. agent or NULL; before: the number at which the page before
-- ended, or NULL.
${cut_from}
SELECT t.id, t.number, t.title, pg_column_size(t.title) AS stored, t.created_at,
       t.state AS task_state, t.turn AS task_turn, t.interrupt_turn, t.unclaimed,
       told.state AS message_state, last.turn AS last_turn, last.state AS last_turn_state,
       CASE WHEN told.seq IS NOT NULL THEN told.turn WHEN t.turn > 0 THEN 1 END AS turn
  FROM tasks t
       LEFT JOIN LATERAL (
           SELECT m.seq, m.state, m.turn FROM messages m
            WHERE m.tenant_id = t.tenant_id AND m.task_id = t.id AND m.state <> :message.withdrawn
            ORDER BY m.seq DESC
            LIMIT 1
       ) told ON true
       LEFT JOIN turns last ON last.tenant_id = t.tenant_id AND last.task_id = t.id AND last.turn = t.turn
 WHERE t.tenant_id = :tenant AND t.archived_at IS NULL
   AND (:agent::uuid IS NULL OR t.agent_id = :agent)
   AND (:before::bigint IS NULL OR t.number < :before)
 ORDER BY t.number DESC
 LIMIT :limit
${cut_to};

-- name: archive_task
-- Again changes nothing.
UPDATE tasks SET archived_at = coalesce(archived_at, now()) WHERE tenant_id = :tenant AND id = :task RETURNING id;

-- name: explain_task
-- A task, the step that is at work or was last tried, the tool calls that are being made, and the last that failed.
-- agent: of the tasks that it needs, only that one's are named; NULL for all. heard_at: of the log's last 1,000 events.
SELECT t.id, t.execution_id, t.state, t.version, t.turn, t.turn_open, t.interrupt_turn, t.unclaimed, t.open_questions,
       t.open_approvals, t.ring_at, t.rings, t.timer_at, t.waiting_since, t.updated_at, t.error_code, t.completed_at,
       t.input_tokens, t.output_tokens, t.cached_tokens, t.reasoning_tokens, t.model_calls, t.usd,
       a.id AS agent_id, a.number AS agent_number, a.name AS agent_name, e.queue, s.step, s.attempt, s.failures,
       s.error_message, s.started_at AS step_started_at,
       (SELECT max(v.at)
          FROM (SELECT v.at, v.task_id, v.type FROM events v
                 WHERE v.tenant_id = :tenant AND v.execution_id = t.execution_id AND t.turn_open
                 ORDER BY v.seq DESC
                 LIMIT 1000) v
         WHERE v.task_id = t.id AND v.type IN (:event.text_delta, :event.reasoning_delta)) AS heard_at,
       (SELECT min(m.accepted_at) FROM messages m
         WHERE m.tenant_id = :tenant AND m.task_id = t.id AND m.state = :message.accepted) AS oldest_unclaimed,
       ARRAY(SELECT c.name FROM tool_calls c
              WHERE c.tenant_id = :tenant AND c.task_id = t.id AND c.turn BETWEEN t.turn - 1 AND t.turn
                AND c.state = :call.running) AS tools,
       (SELECT jsonb_agg(jsonb_build_object('call_id', f.call_id, 'tool', f.name, 'message', f.message)
                         ORDER BY f.step, f.ordinal)
          FROM (SELECT c.call_id, c.name, c.step, c.ordinal, left(c.content #>> '{}', 1000) AS message
                  FROM tool_calls c
                 WHERE c.tenant_id = :tenant AND c.task_id = t.id AND c.turn = t.turn AND c.failed
                   AND t.state <> :task.succeeded
                 ORDER BY c.step DESC, c.ordinal DESC
                 LIMIT 3) f) AS failed_calls,
       (SELECT jsonb_agg(jsonb_build_object('position', d.position, 'state', d.state,
                                             'title',
                                             CASE WHEN :agent::uuid IS NULL OR d.agent_id = :agent THEN d.title END)
                         ORDER BY d.position)
          FROM tasks d
         WHERE d.tenant_id = :tenant AND d.execution_id = t.execution_id AND d.position = ANY (t.depends_on)
           AND d.state <> :task.succeeded) AS unfinished
  FROM tasks t
       JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       LEFT JOIN LATERAL (
           SELECT * FROM steps s
            WHERE s.tenant_id = :tenant AND s.task_id = t.id AND s.turn = t.turn
              AND (t.turn_open OR t.state = :task.failed)
            ORDER BY s.step DESC
            LIMIT 1
       ) s ON true
 WHERE t.tenant_id = :tenant AND t.id = :task;
