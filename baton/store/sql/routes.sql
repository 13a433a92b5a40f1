-- part: route
-- Where a task lives. None of that ever changes.
SELECT x.name AS tenant, e.id AS execution_id, t.id AS task_id, t.position, e.in_plan, e.queue, t.title,
       left(e.title, 100) AS plan_title,
       t.agent_id, a.name AS agent, a.number AS agent_number
  FROM tasks t JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN tenants x ON x.id = t.tenant_id

-- part: of_agent
-- What is shown to whom: to callers that are bound to an agent, that agent's tasks alone. Null: to the others.
(:agent::uuid IS NULL OR t.agent_id = :agent)

-- name: route_by_position
${route}
 WHERE t.tenant_id = :tenant AND t.execution_id = :execution AND t.position = :position AND ${of_agent};

-- name: route_by_task
${route}
 WHERE t.tenant_id = :tenant AND t.id = :task AND ${of_agent};

-- name: routes_of_tasks
${route}
 WHERE t.tenant_id = :tenant AND t.id = ANY (:ids::uuid[]);

-- name: route_by_number
${route}
 WHERE t.tenant_id = :tenant AND t.number = :number AND ${of_agent};

-- name: route_by_execution
-- The only task of an execution that is no plan.
${route}
 WHERE t.tenant_id = :tenant AND t.execution_id = :execution AND NOT e.in_plan;

-- name: route_for_message
-- Which task a message to a whole execution is for: the one that asks the question, else the one that has waited
-- longest, else the only one that is under way or paused, else the only one that is not over, else the one that ended
-- last; no row where several are open and none of that is so. Exact while the execution's row is locked.
WITH stands AS (
    SELECT id, state, waiting_since, completed_at,
           open_questions @> jsonb_build_array(jsonb_build_object('id', :question::text)) AS asks_it,
           count(*) FILTER (WHERE state IN (:task.running, :task.paused)) OVER () AS begun,
           count(*) FILTER (WHERE state NOT IN :task.is_over) OVER () AS open
      FROM tasks WHERE tenant_id = :tenant AND execution_id = :execution
)
${route}
       JOIN stands s ON s.id = t.id
 WHERE t.tenant_id = :tenant AND t.execution_id = :execution
   AND (s.asks_it OR s.state = :task.waiting OR s.state IN :task.is_over OR s.open = 1
        OR (s.begun = 1 AND s.state IN (:task.running, :task.paused)))
 ORDER BY s.asks_it DESC,
          CASE s.state WHEN :task.waiting THEN 1 WHEN :task.running THEN 2 WHEN :task.paused THEN 2
                       WHEN :task.pending THEN 3 ELSE 4 END,
          s.waiting_since, s.completed_at DESC NULLS LAST, s.id
 LIMIT 1;

-- name: execution_exists
SELECT true FROM executions e WHERE e.tenant_id = :tenant AND e.id = :execution AND ${is_agents};
