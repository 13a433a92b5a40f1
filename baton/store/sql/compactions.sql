-- part: compaction
c.number, c.turn, c.step, c.reason, c.kept_turn, c.kept_step, c.kept_seq, c.summary, c.left_out, c.questions,
c.refused_bytes, c.model, c.agent_model, c.created_at, c.undone_at

-- part: newest_compaction
-- The one that the model reads: the newest that is not undone.
SELECT ${compaction} FROM compactions c
 WHERE c.tenant_id = :tenant AND c.task_id = :task AND c.undone_at IS NULL
 ORDER BY c.number DESC
 LIMIT 1

-- name: read_compaction
${newest_compaction};

-- name: compaction_by_number
SELECT ${compaction}
  FROM compactions c
 WHERE c.tenant_id = :tenant AND c.task_id = :task AND c.number = :number::bigint;

-- name: add_compaction
INSERT INTO compactions (tenant_id, task_id, number, turn, step, reason, kept_turn, kept_step, kept_seq, summary,
                         left_out, questions, refused_bytes, model, agent_model)
SELECT :tenant, :task, coalesce(max(number), 0) + 1, :turn, :step, :reason, :kept_turn::integer, :kept_step::integer,
       :kept_seq::bigint, :summary, :left_out::jsonb, :questions::jsonb, :refused_bytes::bigint, :model, :agent_model
  FROM compactions WHERE tenant_id = :tenant AND task_id = :task
RETURNING number;

-- name: undo_compaction
UPDATE compactions SET undone_at = clock_timestamp()
 WHERE tenant_id = :tenant AND task_id = :task AND number = :number::bigint AND undone_at IS NULL
RETURNING true;

-- name: redo_compaction
UPDATE compactions SET undone_at = NULL
 WHERE tenant_id = :tenant AND task_id = :task AND number = :number::bigint AND undone_at IS NOT NULL
RETURNING true;

-- name: list_compactions
-- A page of a task's compactions, newest first. before: the number at which the page before ended, or NULL.
${cut_from}
SELECT ${compaction}, pg_column_size(c.summary) + pg_column_size(c.questions) AS stored
  FROM compactions c
 WHERE c.tenant_id = :tenant AND c.task_id = :task AND (:before::bigint IS NULL OR c.number < :before)
 ORDER BY c.number DESC
 LIMIT :limit
${cut_to};
