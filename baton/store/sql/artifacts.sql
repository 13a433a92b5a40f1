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
