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

-- name: compactable
-- A task and its agent, who has asked for a summary of it already, and whether there is anything that one could stand
-- for: turns before the one that the next step is in, or answers in it, from the newest summary on; but not the last
-- answer, where the model has not read its results (`baton.domain.window.cut_for`).
WITH c AS (
    ${newest_compaction}
), answers AS (
    SELECT s.turn, s.step, row_number() OVER (PARTITION BY s.turn ORDER BY s.step) AS nth
      FROM steps s LEFT JOIN c ON true
     WHERE s.tenant_id = :tenant AND s.task_id = :task AND s.state <> :step.running AND s.response IS NOT NULL
       AND (s.turn, s.step) >= (coalesce(c.kept_turn, 0), coalesce(c.kept_step, 0))
), unread AS (
    SELECT l.turn FROM (SELECT turn, step FROM answers ORDER BY turn DESC, step DESC LIMIT 1) l
     WHERE EXISTS (SELECT FROM tool_calls k
                    WHERE k.tenant_id = :tenant AND k.task_id = :task AND k.state = :call.done
                      AND k.turn = l.turn AND k.step = l.step)
)
SELECT ${agent}, t.compaction_asked,
       EXISTS (SELECT FROM answers WHERE nth > 1)
       OR coalesce((SELECT kept_turn FROM c), 1)
          < coalesce((SELECT turn FROM unread), t.turn + (NOT t.turn_open)::integer) AS has_material
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = :tenant AND t.id = :task;

-- name: ask_for_compaction
UPDATE tasks SET compaction_asked = :wish::jsonb WHERE tenant_id = :tenant AND id = :task;

-- name: asked_compaction
-- Who has asked for a summary, now that there is one.
WITH was AS (
    SELECT compaction_asked FROM tasks WHERE tenant_id = :tenant AND id = :task AND compaction_asked IS NOT NULL
)
UPDATE tasks SET compaction_asked = NULL FROM was WHERE tenant_id = :tenant AND id = :task
RETURNING was.compaction_asked;

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
