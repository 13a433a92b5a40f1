-- name: message_now
-- A message as it is; exact while its task's row is locked.
SELECT seq, state, turn, text, attachments, answers, origin, sender, author
  FROM messages WHERE tenant_id = :tenant AND id = :message;

-- name: edit_message
UPDATE messages SET text = :text, attachments = :attachments WHERE tenant_id = :tenant AND id = :message;

-- name: pin_message
UPDATE messages SET pinned = :pinned WHERE tenant_id = :tenant AND id = :message AND pinned <> :pinned RETURNING true;

-- name: withdraw_message
-- Take an unclaimed message out of a locked task. Tells of the others that are unclaimed: which is the last, and
-- whether each answers one of the questions that the task rested with.
WITH gone AS (
    UPDATE messages SET state = :message.withdrawn, ended_at = clock_timestamp()
     WHERE tenant_id = :tenant AND id = :message
)
SELECT coalesce(max(seq), 0) AS newest, coalesce(bool_and(answers && :question_ids::text[]), true) AS all_answer
  FROM messages WHERE tenant_id = :tenant AND task_id = :task AND state = :message.accepted AND id <> :message;

-- name: come_back
-- A task that is over again, as it was before somebody reopened it.
UPDATE tasks SET error_code = rested_error WHERE tenant_id = :tenant AND id = :task
RETURNING result, result_json, error_code;

-- name: redrive_message
-- Put a dead message at the end of its locked task's queue. Its receipt keeps the number that its sender was told.
-- decides: the approvals that it closes.
WITH t AS (
    UPDATE tasks SET accepted_seq = accepted_seq + 1, error_code = NULL WHERE tenant_id = :tenant AND id = :task
    RETURNING accepted_seq
)
UPDATE messages m
   SET seq = t.accepted_seq, state = :message.accepted, turn = NULL, reason = NULL, claimed_at = NULL, ended_at = NULL,
       failed_turns = CASE WHEN m.turn IS NULL THEN m.failed_turns ELSE m.failed_turns || m.turn END,
       receipt = jsonb_build_object('seq', m.seq) || m.receipt, decides = :decides
  FROM t WHERE m.tenant_id = :tenant AND m.id = :message
RETURNING m.seq;

-- name: errand_home
-- What an errand's id names: a message, or a task's description (0).
SELECT m.task_id, m.seq FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = :tenant AND m.id = :errand AND ${of_agent}
UNION ALL
SELECT t.id, 0 FROM tasks t WHERE t.tenant_id = :tenant AND t.id = :errand AND ${of_agent};

-- name: list_errands
-- The last errands of a task, newest first, in one snapshot. lowest, highest: their numbers; withdrawn: whether
-- withdrawn ones count.
${cut_from}
WITH told AS (
    SELECT m.id, m.seq, m.text, m.metadata, m.state, m.turn, m.reason, m.accepted_at AS given_at, m.ended_at
      FROM messages m
     WHERE m.tenant_id = :tenant AND m.task_id = :task AND m.seq BETWEEN :lowest AND :highest
       AND (:withdrawn OR m.state <> :message.withdrawn)
     ORDER BY m.seq DESC
     LIMIT :limit
), page AS (
    SELECT * FROM told
     UNION ALL
    SELECT t.id, 0, t.description, ${own_metadata(x)}, NULL, CASE WHEN t.turn > 0 THEN 1 END, NULL, t.created_at, NULL
      FROM tasks t JOIN executions x ON x.tenant_id = t.tenant_id AND x.id = t.execution_id
     WHERE t.tenant_id = :tenant AND t.id = :task AND :lowest::bigint <= 0
     ORDER BY seq DESC
     LIMIT :limit
)
SELECT p.id, p.seq, p.text, p.metadata, p.state AS message_state, p.turn, p.given_at,
       t.id AS task_id, t.execution_id, t.agent_id, t.state AS task_state, t.turn AS task_turn, t.interrupt_turn,
       t.unclaimed, t.version AS task_version, x.event_seq AS last_event,
       coalesce(p.reason, CASE WHEN last.turn = t.turn OR p.turn IS NULL THEN t.error_code END) AS error,
       first.started_at, coalesce(last.ended_at, p.ended_at) AS ended_at,
       last.turn AS last_turn, last.state AS last_turn_state,
       CASE WHEN p.turn IS NULL
            THEN EXISTS (SELECT FROM messages n
                          WHERE n.tenant_id = :tenant AND n.task_id = :task AND n.seq > p.seq AND n.turn IS NULL
                            AND n.state <> :message.withdrawn)
            ELSE EXISTS (SELECT FROM messages n
                          WHERE n.tenant_id = :tenant AND n.task_id = :task AND n.turn = p.turn AND n.seq > p.seq)
       END AS superseded,
       coalesce(step.text, '') AS answer,
       (SELECT coalesce(jsonb_agg(q.question ORDER BY s.step, c.n, q.call_id), '[]')
          FROM steps s
               CROSS JOIN jsonb_each(s.questions) AS q (call_id, question)
               LEFT JOIN jsonb_array_elements(s.calls) WITH ORDINALITY AS c (call, n) ON c.call ->> 'id' = q.call_id
         WHERE s.tenant_id = :tenant AND s.task_id = :task AND s.turn = last.turn) AS asked,
       coalesce(before.first_event, 0) AS after_event,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(h.tool, h.arguments) ORDER BY h.step, c.ordinal), '[]')
          FROM approvals h JOIN tool_calls c ON c.tenant_id = h.tenant_id AND c.task_id = h.task_id
               AND c.turn = h.turn AND c.step = h.step AND c.call_id = h.call_id
         WHERE h.tenant_id = :tenant AND h.task_id = :task AND h.turn = last.turn) AS held,
       pg_column_size(p.text) + pg_column_size(p.metadata) + coalesce(pg_column_size(step.text), 0) AS stored
  FROM page p
       JOIN tasks t ON t.tenant_id = :tenant AND t.id = :task
       JOIN executions x ON x.tenant_id = :tenant AND x.id = t.execution_id
       LEFT JOIN turns first ON first.tenant_id = :tenant AND first.task_id = :task AND first.turn = p.turn
       LEFT JOIN LATERAL (
           SELECT n.turn FROM turns n
            WHERE n.tenant_id = :tenant AND n.task_id = :task AND n.turn > p.turn AND n.messages > 0
            ORDER BY n.turn
            LIMIT 1
       ) next ON true
       LEFT JOIN turns last ON last.tenant_id = :tenant AND last.task_id = :task
            AND last.turn = CASE WHEN p.turn IS NOT NULL THEN coalesce(next.turn - 1, t.turn) END
       LEFT JOIN LATERAL (
           SELECT s.first_event FROM steps s
            WHERE s.tenant_id = :tenant AND s.task_id = :task AND s.turn < p.turn
            ORDER BY s.turn DESC, s.step DESC
            LIMIT 1
       ) before ON true
       LEFT JOIN LATERAL (
           SELECT s.text FROM steps s
            WHERE s.tenant_id = :tenant AND s.task_id = :task AND s.turn = last.turn
            ORDER BY s.step DESC
            LIMIT 1
       ) step ON true
 ORDER BY p.seq DESC
${cut_to};

-- name: last_said
-- What was said last under a field of the metadata, up to a message's number (seq); the execution's counts as first.
SELECT said FROM (
    (SELECT m.seq, m.metadata ->> :field::text AS said FROM messages m
      WHERE m.tenant_id = :tenant AND m.task_id = :task AND m.seq <= :seq AND m.metadata ? :field::text
      ORDER BY m.seq DESC
      LIMIT 1)
    UNION ALL
    SELECT 0, (${own_metadata(x)}) ->> :field::text
      FROM tasks t JOIN executions x ON x.tenant_id = t.tenant_id AND x.id = t.execution_id
     WHERE t.tenant_id = :tenant AND t.id = :task
) told
 ORDER BY seq DESC
 LIMIT 1;
