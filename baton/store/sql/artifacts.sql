-- name: add_artifact
INSERT INTO artifacts (tenant_id, id, task_id, turn, step, call_id, media_type, content, whole_bytes)
VALUES (:tenant, :artifact, :task, :turn, :step, :call, :media_type, :held, :whole_bytes);

-- name: route_by_artifact
SELECT c.task_id FROM artifacts c JOIN tasks t ON t.tenant_id = c.tenant_id AND t.id = c.task_id
 WHERE c.tenant_id = :tenant AND c.id = :artifact AND ${of_agent};

-- name: artifact_part
-- execution: only one of its tasks' artifacts, NULL for any.
SELECT a.id, a.task_id, t.execution_id, a.turn, a.step, a.call_id, c.name AS tool, a.media_type, a.whole_bytes,
       octet_length(a.content) AS size, substring(a.content FROM :first::integer FOR :length::integer) AS part
  FROM artifacts a
       JOIN tool_calls c ON c.tenant_id = a.tenant_id AND c.task_id = a.task_id AND c.turn = a.turn
            AND c.step = a.step AND c.call_id = a.call_id
       JOIN tasks t ON t.tenant_id = a.tenant_id AND t.id = a.task_id
 WHERE a.tenant_id = :tenant AND a.id = :artifact AND (:execution::uuid IS NULL OR t.execution_id = :execution);

-- name: list_artifacts
-- A page of the artifacts of an execution, or of one of its tasks, in the order in which they were made.
${cut_from}
SELECT a.id, a.task_id, t.execution_id, a.turn, a.step, a.call_id, c.name AS tool, a.media_type,
       octet_length(a.content) AS size, a.whole_bytes, a.created_at,
       octet_length(a.call_id) + octet_length(c.name) AS stored
  FROM tasks t
       JOIN artifacts a ON a.tenant_id = t.tenant_id AND a.task_id = t.id
       JOIN tool_calls c ON c.tenant_id = a.tenant_id AND c.task_id = a.task_id AND c.turn = a.turn
            AND c.step = a.step AND c.call_id = a.call_id
 WHERE t.tenant_id = :tenant AND t.execution_id = :execution AND (:task::uuid IS NULL OR t.id = :task)
   AND (:after_time::timestamptz IS NULL OR (a.created_at, a.id) > (:after_time, :after_id))
 ORDER BY a.created_at, a.id
 LIMIT :limit
${cut_to};
