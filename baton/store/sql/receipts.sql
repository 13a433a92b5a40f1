-- name: message_home
-- The task that a message was sent to: never changes.
SELECT task_id FROM messages WHERE tenant_id = $1 AND id = $2;

-- name: message_now
-- A message as it is; exact while its task's row is locked.
SELECT seq, state, turn, text, attachments, answers, origin, sender
  FROM messages WHERE tenant_id = $1 AND id = $2;

-- name: questions_answered
-- The questions that a message answered when it was accepted. Those that a turn has read are left in the steps alone,
-- those that no step asked in the task's row alone.
SELECT q.value AS question
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id,
       jsonb_array_elements(t.rested_questions) AS q
 WHERE m.tenant_id = $1 AND m.id = $2 AND q.value ->> 'id' = ANY (m.answers)
UNION ALL
SELECT q.value
  FROM messages m JOIN steps s ON s.tenant_id = m.tenant_id AND s.task_id = m.task_id,
       jsonb_each(s.questions) AS q
 WHERE m.tenant_id = $1 AND m.id = $2 AND q.value ->> 'id' = ANY (m.answers);

-- name: edit_message
UPDATE messages SET text = $3, attachments = $4 WHERE tenant_id = $1 AND id = $2;

-- name: withdraw_message
-- Take an unclaimed message out of a locked task. Tells of the others that are unclaimed: which is the last, and whether
-- each answers one of the questions $4 that the task rested with.
WITH gone AS (
    UPDATE messages SET state = 'withdrawn', ended_at = clock_timestamp() WHERE tenant_id = $1 AND id = $3
)
SELECT coalesce(max(seq), 0) AS newest, coalesce(bool_and(answers && $4::text[]), true) AS all_answer
  FROM messages WHERE tenant_id = $1 AND task_id = $2 AND state = 'accepted' AND id <> $3;

-- name: come_back
-- A task that is over again, as it was before somebody reopened it.
UPDATE tasks SET error_code = rested_error WHERE tenant_id = $1 AND id = $2 RETURNING result, error_code;

-- name: redrive_message
-- Put a dead message at the end of its locked task's queue. Its receipt keeps the number that its sender was told.
-- $4: the approvals that it closes.
WITH t AS (
    UPDATE tasks SET accepted_seq = accepted_seq + 1, error_code = NULL WHERE tenant_id = $1 AND id = $2
    RETURNING accepted_seq
)
UPDATE messages m
   SET seq = t.accepted_seq, state = 'accepted', turn = NULL, reason = NULL, claimed_at = NULL, ended_at = NULL,
       failed_turns = CASE WHEN m.turn IS NULL THEN m.failed_turns ELSE m.failed_turns || m.turn END,
       receipt = jsonb_build_object('seq', m.seq) || m.receipt, decides = $4
  FROM t WHERE m.tenant_id = $1 AND m.id = $3
RETURNING m.seq;
