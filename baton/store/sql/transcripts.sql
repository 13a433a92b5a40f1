-- part: shortened
-- A text; of one that has more than so many bytes, its beginning and its end. A character takes four of them at most.
CASE WHEN octet_length(${}) <= :longest::integer THEN ${}
     ELSE left(${}, :longest::integer / 8) || E'\n[… the middle is left out …]\n'
          || right(${}, :longest::integer / 8) END

-- name: transcript_task
-- A task, its agent, and the results of what it depends on.
SELECT ${agent}, coalesce(t.result_schema, a.result_schema) AS wanted_schema, t.title,
       ${shortened(description)} AS description, t.attachments, t.turn, t.rested_questions,
       CASE WHEN t.depends_on = '{}' THEN '[]' ELSE
           (SELECT jsonb_agg(jsonb_build_object('position', d.position, 'title', d.title,
                                                'result', coalesce(${shortened(result)}, ''))
                             ORDER BY d.position)
              FROM tasks d
             WHERE d.tenant_id = t.tenant_id AND d.execution_id = t.execution_id AND d.position = ANY (t.depends_on))
       END AS dependencies,
       EXISTS (SELECT FROM artifacts r WHERE r.tenant_id = t.tenant_id AND r.task_id = t.id) AS has_artifacts,
       t.compaction_asked IS NOT NULL AS asks_for_summary
  FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
 WHERE t.tenant_id = :tenant AND t.id = :task;

-- part: is_read
-- Whether a step reads the message `m`: once a turn has claimed it, unless it was too large to be read at all.
(m.turn IS NOT NULL OR m.failed_turns <> '{}')
AND NOT (m.state = :message.dead AND coalesce(m.reason, '') = 'transcript_too_large')

-- name: transcript_messages
-- Here and below kept_seq, kept_turn and kept_step say from where on a task is read as it is: 0 for all; end_turn is
-- the first turn that is not read.
SELECT id, turn, failed_turns, seq, ${shortened(text)} AS text, answers, attachments FROM messages m
 WHERE tenant_id = :tenant AND task_id = :task AND seq >= :kept_seq AND ${is_read}
   AND coalesce(turn, failed_turns[array_upper(failed_turns, 1)]) < :end_turn
 ORDER BY seq;

-- name: transcript_pinned
-- Pinned messages of the turns before.
SELECT id, turn, failed_turns, seq, ${shortened(text)} AS text, answers, attachments FROM messages m
 WHERE tenant_id = :tenant AND task_id = :task AND pinned AND turn < :kept_turn AND ${is_read}
 ORDER BY seq;

-- name: transcript_steps
SELECT turn, step, state, text, response, calls, questions, error_code, refused FROM steps
 WHERE tenant_id = :tenant AND task_id = :task AND (turn, step) >= (:kept_turn, :kept_step) AND state <> :step.running
   AND turn < :end_turn
 ORDER BY turn, step;

-- name: unfinished_text
-- What has been said of the answer that a step goes on with: the steps before it that the token limit cut
-- (`baton.agents.replies.leaves_off`), back to one that is something else. What was only asked in between is nothing.
WITH earlier AS (
    SELECT turn, step, text, state = :step.recorded AND response IS NULL AS is_silent,
           coalesce(state = :step.recorded AND response ->> 'finish_reason' = 'length'
                    AND (calls = '[]' OR calls -> 0 ->> 'id' = 'call_go_on'), false) AS is_cut
      FROM steps
     WHERE tenant_id = :tenant AND task_id = :task AND (turn, step) < (:turn, :step)
), whole AS (
    SELECT turn, step FROM earlier WHERE NOT is_silent AND NOT is_cut ORDER BY turn DESC, step DESC LIMIT 1
)
SELECT coalesce(string_agg(e.text, '' ORDER BY e.turn, e.step), '')
  FROM earlier e LEFT JOIN whole w ON true
 WHERE e.is_cut AND (w.turn IS NULL OR (e.turn, e.step) > (w.turn, w.step));

-- name: transcript_results
SELECT turn, step, call_id, content, failed, CASE WHEN edited THEN arguments END AS edited FROM tool_calls
 WHERE tenant_id = :tenant AND task_id = :task AND (turn, step) >= (:kept_turn, :kept_step) AND state = :call.done
   AND turn < :end_turn
 ORDER BY turn, step, ordinal;

-- name: timeline_messages
-- The newest messages below a number, and below the newest steps and calls before a place, newest first.
${cut_from}
SELECT id, seq, text, state, accepted_at, pg_column_size(text) AS stored FROM messages
 WHERE tenant_id = :tenant AND task_id = :task AND state <> :message.withdrawn AND seq < :seq
 ORDER BY seq DESC
 LIMIT :limit
${cut_to};

-- name: timeline_steps
-- The steps of a task, with what each asked in the order of its calls (jsonb keeps no order of its keys).
${cut_from}
SELECT s.turn, s.step, s.state, s.text, s.error_code, s.started_at, s.ended_at,
       (SELECT coalesce(jsonb_agg(q.question ORDER BY c.n, q.call_id), '[]')
          FROM jsonb_each(s.questions) AS q (call_id, question)
               LEFT JOIN jsonb_array_elements(s.calls) WITH ORDINALITY AS c (call, n) ON c.call ->> 'id' = q.call_id
       ) AS asked,
       (SELECT string_agg(part ->> 'content', E'\n\n' ORDER BY n)
          FROM jsonb_array_elements(s.response -> 'parts') WITH ORDINALITY AS p (part, n)
         WHERE part ->> 'part_kind' = 'thinking') AS reasoning,
       pg_column_size(s.text) + pg_column_size(s.questions) + coalesce(pg_column_size(s.response), 0) AS stored
  FROM steps s
 WHERE s.tenant_id = :tenant AND s.task_id = :task AND (s.turn, s.step) < (:from_turn::bigint, :from_step::bigint)
 ORDER BY s.turn DESC, s.step DESC
 LIMIT :limit
${cut_to};

-- name: timeline_calls
-- The tool calls of a task. One that was not made before its turn ended has begun when its step came to its end.
${cut_from}
SELECT c.turn, c.step, c.ordinal, c.call_id, c.name, c.arguments, c.state = :call.done AS done, c.content, c.failed,
       coalesce(c.started_at, s.ended_at, s.started_at) AS started_at, c.ended_at,
       pg_column_size(c.arguments) + coalesce(pg_column_size(c.content), 0) AS stored
  FROM tool_calls c JOIN steps s ON s.tenant_id = c.tenant_id AND s.task_id = c.task_id AND s.turn = c.turn
       AND s.step = c.step
 WHERE c.tenant_id = :tenant AND c.task_id = :task
   AND (c.turn, c.step, c.ordinal) < (:from_turn::bigint, :from_step::bigint, :from_call::bigint)
 ORDER BY c.turn DESC, c.step DESC, c.ordinal DESC
 LIMIT :limit
${cut_to};

-- name: asked_by_limits
-- The questions that limits raised, in order, with what was answered.
SELECT q.key AS call_id, m.text AS answer, m.turn
  FROM steps s
       CROSS JOIN jsonb_each(s.questions) q
       LEFT JOIN messages m ON m.tenant_id = s.tenant_id AND m.task_id = s.task_id
            AND q.value ->> 'id' = ANY (m.answers) AND m.state <> :message.withdrawn
 WHERE s.tenant_id = :tenant AND s.task_id = :task AND s.response IS NULL AND starts_with(q.key, :prefix)
 ORDER BY s.turn, s.step, m.seq;

-- name: transcript_sizes
-- What a transcript that is too long to be loaded holds: in turns before :turn (earlier), in how many of the first of
-- them up to :most bytes (turns), and the first that is beyond (before); in texts that people have written, and in how
-- many (count). reads_all: one of the agent's models makes no use of summaries.
WITH said AS (
    SELECT coalesce(m.turn, m.failed_turns[array_upper(m.failed_turns, 1)]) AS turn, octet_length(m.text) AS bytes,
           true AS is_text
      FROM messages m
     WHERE m.tenant_id = :tenant AND m.task_id = :task AND m.seq >= :kept_seq AND ${is_read}
    UNION ALL
    SELECT s.turn, octet_length(s.text) + coalesce(pg_column_size(s.response), 0), false FROM steps s
     WHERE s.tenant_id = :tenant AND s.task_id = :task AND s.state <> :step.running
       AND (s.turn, s.step) >= (:kept_turn::integer, :kept_step::integer)
    UNION ALL
    SELECT k.turn, coalesce(pg_column_size(k.content), 0), false FROM tool_calls k
     WHERE k.tenant_id = :tenant AND k.task_id = :task AND k.state = :call.done
       AND (k.turn, k.step) >= (:kept_turn::integer, :kept_step::integer)
    UNION ALL
    SELECT NULL, octet_length(m.text), true FROM messages m
     WHERE m.tenant_id = :tenant AND m.task_id = :task AND m.pinned AND m.turn < :kept_turn::integer AND ${is_read}
    UNION ALL
    SELECT NULL, octet_length(coalesce(d.result, '')), true FROM tasks t JOIN tasks d
           ON d.tenant_id = t.tenant_id AND d.execution_id = t.execution_id AND d.position = ANY (t.depends_on)
     WHERE t.tenant_id = :tenant AND t.id = :task
    UNION ALL
    SELECT NULL, octet_length(t.description), true FROM tasks t WHERE t.tenant_id = :tenant AND t.id = :task
), turns AS (
    SELECT turn, sum(bytes) AS bytes, sum(sum(bytes)) OVER (ORDER BY turn) AS so_far
      FROM said WHERE turn < :turn::integer GROUP BY turn
)
SELECT (SELECT coalesce(sum(bytes), 0) FROM turns) AS earlier,
       (SELECT count(*) FROM turns WHERE so_far <= :most::bigint) AS turns,
       coalesce((SELECT min(turn) FROM turns WHERE so_far > :most::bigint), :turn::integer) AS before,
       (SELECT coalesce(sum(bytes), 0) FROM said WHERE is_text) AS texts,
       (SELECT count(*) FROM said WHERE is_text) AS count,
       (SELECT a.model = :scripted::text
               OR a.fallbacks @> jsonb_build_array(jsonb_build_object('model', :scripted::text))
          FROM tasks t JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
         WHERE t.tenant_id = :tenant AND t.id = :task) AS reads_all;

-- name: step_budget
-- How much a step would read, without reading it (texts as they are, JSON as it is stored), what its task has used up,
-- what bounds it, and the summary that it would read, if there is one. An attempt that was lost with its worker counts
-- as one call. asked: a limit has raised a question; refused: how many answers of the turn were no valid results.
WITH c AS (
    ${newest_compaction}
)
SELECT coalesce(octet_length(t.description), 0)
       + CASE WHEN t.depends_on = '{}' THEN 0 ELSE
             coalesce((SELECT sum(octet_length(d.result)) FROM tasks d
                        WHERE d.tenant_id = :tenant AND d.execution_id = t.execution_id
                          AND d.position = ANY (t.depends_on)), 0) END
       + coalesce((SELECT sum(octet_length(m.text)) FROM messages m
                    WHERE m.tenant_id = :tenant AND m.task_id = :task
                      AND m.seq >= coalesce(c.kept_seq, 0) AND ${is_read}), 0)
       + CASE WHEN c.kept_turn IS NULL THEN 0 ELSE
             coalesce((SELECT sum(octet_length(m.text)) FROM messages m
                        WHERE m.tenant_id = :tenant AND m.task_id = :task AND m.pinned AND m.turn < c.kept_turn
                          AND ${is_read}), 0) END
       + spent.bytes
       + coalesce((SELECT sum(coalesce(pg_column_size(k.content), 0)) FROM tool_calls k
                    WHERE k.tenant_id = :tenant AND k.task_id = :task AND k.state = :call.done
                      AND (k.turn, k.step) >= (coalesce(c.kept_turn, 0), coalesce(c.kept_step, 0))), 0)
       AS transcript_bytes,
       t.model_calls + spent.lost AS calls, t.input_tokens + t.output_tokens AS tokens, coalesce(t.usd, 0) AS usd,
       spent.calls_in_turn, spent.seconds, spent.asked, spent.refused,
       a.limits AS of_agent, t.limits AS of_task, e.limits AS of_execution, t.execution_id, c.*
  FROM tasks t
       JOIN agents a ON a.tenant_id = t.tenant_id AND a.id = t.agent_id
       JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id
       LEFT JOIN c ON true
       CROSS JOIN LATERAL (
           SELECT coalesce(sum(octet_length(text) + coalesce(pg_column_size(response), 0))
                           FILTER (WHERE state <> :step.running AND
                                   (turn, step) >= (coalesce(c.kept_turn, 0), coalesce(c.kept_step, 0))), 0) AS bytes,
                  coalesce(sum(${lost}) FILTER (WHERE state = :step.running), 0) AS lost,
                  coalesce(sum(model_calls + CASE WHEN state = :step.running THEN ${lost} ELSE 0 END)
                           FILTER (WHERE turn = :turn), 0) AS calls_in_turn,
                  coalesce(extract(epoch FROM sum(coalesce(ended_at, clock_timestamp()) - started_at)), 0) AS seconds,
                  coalesce(bool_or(response IS NULL AND questions <> '{}'), false) AS asked,
                  count(*) FILTER (WHERE turn = :turn AND refused <> '') AS refused
             FROM steps WHERE tenant_id = :tenant AND task_id = :task
       ) spent
 WHERE t.tenant_id = :tenant AND t.id = :task;
