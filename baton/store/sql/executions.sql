-- part: execution
-- An execution `e` with its agent `a`. asks: whether a task of it waits for an answer, and not for consent alone.
e.id, e.in_plan, e.title, e.summary, e.state, e.queue, e.plan_generation_id, e.metadata, e.event_seq, e.created_at,
e.started_at, e.completed_at, e.updated_at, e.limits, ${asks} AS asks,
a.id AS agent_id, a.number AS agent_number, a.name AS agent_name

-- part: asks
EXISTS (SELECT FROM tasks t WHERE t.tenant_id = :tenant AND t.execution_id = e.id
                              AND t.state = :task.waiting AND t.open_questions <> '[]')

-- part: listed
-- Which executions `e` a list has. states, in_plan (plans only, or single tasks only), agent, execution: NULL for all.
-- asks: of those that wait only such as do for an answer (true) or for consent alone (false), NULL for both. id_part:
-- what their ids hold. metadata: see `has_metadata`. shared: of an agent's also those that have tasks of others.
e.tenant_id = :tenant
   AND (:states::text[] IS NULL OR e.state = ANY (:states))
   AND (:in_plan::boolean IS NULL OR e.in_plan = :in_plan)
   AND (:agent::uuid IS NULL OR (e.agent_id = :agent AND (:shared OR NOT e.shared)))
   AND (:asks::boolean IS NULL OR e.state <> :execution.waiting OR :asks = ${asks})
   AND (:execution::uuid IS NULL OR e.id = :execution)
   AND (:id_part::text IS NULL OR strpos(e.id::text, :id_part) > 0)
   AND (:metadata::jsonb IS NULL OR ${has_metadata})

-- part: has_metadata
-- Whether the metadata of an execution `e` is as it should be: metadata says [{path, value}], with values as text.
NOT EXISTS (SELECT FROM jsonb_to_recordset(:metadata) AS w (path text[], value text)
             WHERE e.metadata #>> w.path IS DISTINCT FROM w.value)

-- part: is_agents
-- Whether an execution `e` is for callers that are bound to an agent: all its tasks are that agent's. Null: for others.
(:agent::uuid IS NULL OR (e.agent_id = :agent AND NOT e.shared))

-- name: create_execution
-- An execution, its tasks and its first events, in one statement. state: its own and every task's. tasks: [{id,
-- position, title, description, attachments, depends_on, granted_tools, plan_only, limits, result_schema, agent}],
-- the last two NULL for the agent's and the execution's. types and data of its events.
-- A plan's tasks stay as they are until its workflow looks; a single task starts at once, and its events name it.
WITH e AS (
    INSERT INTO executions (tenant_id, id, in_plan, agent_id, title, summary, plan, plan_generation_id, metadata, queue,
                            limits, shared, state, event_seq, ring_at, started_at)
    VALUES (:tenant, :execution, :in_plan, :agent, :title, :summary, :plan, :plan_generation_id, :metadata, :queue,
            :limits, :shared, :state, cardinality(:types::text[]),
            CASE WHEN :in_plan THEN now() + make_interval(secs => :ring_seconds) END,
            CASE WHEN :state = :execution.running THEN now() END)
    RETURNING created_at
), t AS (
    INSERT INTO tasks (tenant_id, id, execution_id, position, title, description, attachments, depends_on,
                       granted_tools, plan_only, limits, result_schema, agent_id, state, rested, ring_at, started_at)
    SELECT :tenant, id, :execution, position, title, description, attachments, depends_on, granted_tools, plan_only,
           limits, result_schema, coalesce(agent, :agent), :state, :state,
           CASE WHEN NOT :in_plan THEN now() + make_interval(secs => :ring_seconds) END,
           CASE WHEN :state = :task.running THEN now() END
      FROM jsonb_to_recordset(:tasks)
           AS task (id uuid, position bigint, title text, description text, attachments jsonb, depends_on bigint[],
                    granted_tools text[], plan_only boolean, limits jsonb, result_schema jsonb,
                    agent uuid)
     ORDER BY position
    RETURNING id, position, number
), ev AS (
    INSERT INTO events (tenant_id, execution_id, seq, type, task_id, position, task_state, execution_state, data)
    SELECT :tenant, :execution, n, type, t.id, t.position, CASE WHEN t.id IS NOT NULL THEN :state END,
           CASE WHEN n = cardinality(:types::text[]) THEN :state END, data
      FROM unnest(:types::text[], :data::jsonb[]) WITH ORDINALITY AS new (type, data, n)
           LEFT JOIN t ON NOT :in_plan AND n > 1
)
SELECT created_at, ARRAY(SELECT number FROM t ORDER BY position) AS numbers FROM e;

-- name: created_execution
-- What never changes of an execution that was made; its tasks by position.
SELECT e.created_at, a.id AS agent_id, a.number AS agent_number, a.name AS agent_name, t.tasks, t.numbers, t.agents
  FROM executions e JOIN agents a ON a.tenant_id = e.tenant_id AND a.id = e.agent_id,
       LATERAL (SELECT array_agg(w.id ORDER BY w.position) AS tasks, array_agg(w.number ORDER BY w.position) AS numbers,
                       jsonb_agg(jsonb_build_object('id', b.id, 'number', b.number, 'name', b.name) ORDER BY w.position)
                           AS agents
                  FROM tasks w JOIN agents b ON b.tenant_id = w.tenant_id AND b.id = w.agent_id
                 WHERE w.tenant_id = e.tenant_id AND w.execution_id = e.id) t
 WHERE e.tenant_id = :tenant AND e.id = :execution;

-- name: execution_route
-- Where an execution lives. None of that ever changes. agent: only one whose tasks are all that agent's, or NULL.
SELECT x.name AS tenant, e.queue, e.in_plan, left(e.title, 100) AS title,
       CASE WHEN NOT e.shared THEN e.agent_id END AS agent_id
  FROM executions e JOIN tenants x ON x.id = e.tenant_id
 WHERE e.tenant_id = :tenant AND e.id = :execution AND ${is_agents};

-- name: execution_view
SELECT ${execution}, e.plan
  FROM executions e JOIN agents a ON a.tenant_id = e.tenant_id AND a.id = e.agent_id
 WHERE e.tenant_id = :tenant AND e.id = :execution;

-- name: list_executions
-- A page of a tenant's executions, newest first, with how many of their tasks are in each state, and what all of them
-- have used. after_time, after_id: where the page before ended, or NULL.
${cut_from}
SELECT ${execution}, ${stored_execution}, '{}'::jsonb AS plan,
       c.counts, c.input_tokens, c.output_tokens, c.cached_tokens, c.reasoning_tokens, c.model_calls, c.usd
  FROM executions e JOIN agents a ON a.tenant_id = e.tenant_id AND a.id = e.agent_id
       CROSS JOIN LATERAL (
           SELECT coalesce(jsonb_object_agg(s.state, s.n), '{}') AS counts,
                  sum(s.input_tokens)::bigint AS input_tokens, sum(s.output_tokens)::bigint AS output_tokens,
                  sum(s.cached_tokens)::bigint AS cached_tokens, sum(s.reasoning_tokens)::bigint AS reasoning_tokens,
                  sum(s.model_calls)::bigint AS model_calls, sum(s.usd) AS usd
             FROM (SELECT t.state, count(*) AS n, sum(t.input_tokens) AS input_tokens,
                          sum(t.output_tokens) AS output_tokens, sum(t.cached_tokens) AS cached_tokens,
                          sum(t.reasoning_tokens) AS reasoning_tokens, sum(t.model_calls) AS model_calls,
                          sum(t.usd) AS usd
                     FROM tasks t
                    WHERE t.tenant_id = :tenant AND t.execution_id = e.id GROUP BY t.state) s
       ) c
 WHERE ${listed}
   AND (:after_time::timestamptz IS NULL OR (e.created_at, e.id) < (:after_time, :after_id::uuid))
 ORDER BY e.created_at DESC, e.id DESC
 LIMIT :limit OFFSET :offset
${cut_to};

-- name: count_executions
-- How many `list_executions` has in all.
SELECT count(*) FROM executions e WHERE ${listed};
