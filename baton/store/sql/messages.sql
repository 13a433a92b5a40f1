-- name: send_message
-- Accept a message in one statement: existence, tenant, state, the message, its event, the flip of the task's state.
-- Decides from the task's own row alone, locked at its newest version (other tables are seen as of the statement's
-- start, which may lie before a lock was had). A duplicate idempotency key raises messages_idempotency_unique.
-- $1 tenant, $2 execution, $3 task, $4 message id, $5 text, $6 attachments, $7 metadata, $8 origin, $9 sender,
-- $10 mode or NULL, $11 idempotency key or NULL, $12 digest, $13 question or NULL, $14 the version the sender saw or
-- NULL, $15 the version at which an answer was checked against its question's schema, or NULL, $16 relay's delay,
-- $17 whether only a task that waits takes it, $18 granted tools, $19 plan only, or NULL.
WITH e AS MATERIALIZED (
    SELECT id, in_plan, state AS execution_state FROM executions WHERE tenant_id = $1 AND id = $2 FOR UPDATE
), locked AS MATERIALIZED (
    SELECT t.id, t.position, t.state, t.version, t.turn, t.turn_open, t.interrupt_turn, t.open_questions, t.answers_ruled,
           t.open_approvals, coalesce($10, a.mode) AS mode, e.in_plan, e.execution_state
      FROM e JOIN tasks t ON t.tenant_id = $1 AND t.execution_id = e.id AND t.id = $3
             JOIN agents a ON a.tenant_id = $1 AND a.id = t.agent_id
       FOR UPDATE OF t
), judged AS MATERIALIZED (
    SELECT *,
           CASE WHEN $17::boolean AND state <> 'waiting' THEN 'not_waiting'
                WHEN state = 'cancelled' THEN 'closed'
                WHEN $14::bigint IS NOT NULL AND version <> $14 THEN 'outdated'
                WHEN $13::text IS NOT NULL AND NOT open_questions @> jsonb_build_array(jsonb_build_object('id', $13::text))
                    THEN 'outdated'
                WHEN mode = 'reject' AND state IN ('pending', 'running') THEN 'busy'
                WHEN answers_ruled AND (state = 'waiting' OR $13::text IS NOT NULL)  -- it answers something
                     AND version IS DISTINCT FROM $15::bigint THEN 'unchecked'
                ELSE 'accepted' END AS verdict,
           -- what the message answers, and what stays open
           CASE WHEN state = 'waiting' AND $13::text IS NULL THEN open_questions
                WHEN $13::text IS NOT NULL
                    THEN jsonb_path_query_array(open_questions, '$[*] ? (@.id == $q)', jsonb_build_object('q', $13::text))
                ELSE '[]' END AS answered,
           CASE WHEN state = 'waiting' AND $13::text IS NULL THEN '[]'
                WHEN $13::text IS NOT NULL
                    THEN jsonb_path_query_array(open_questions, '$[*] ? (@.id != $q)', jsonb_build_object('q', $13::text))
                ELSE open_questions END AS still_open,
           -- what it closes: all approvals, unless it is for a question alone, beside which the task goes on waiting
           CASE WHEN state = 'waiting' AND $13::text IS NOT NULL THEN open_approvals ELSE '[]' END AS still_held
      FROM locked
), decided AS MATERIALIZED (
    SELECT *,
           CASE WHEN state = 'pending' OR (state = 'waiting' AND (still_open <> '[]' OR still_held <> '[]')) THEN state
                ELSE 'running' END AS next_state,
           CASE WHEN mode = 'interrupt' AND state = 'running' AND turn_open THEN turn ELSE 0 END AS interrupts
      FROM judged
), u AS (
    UPDATE tasks t
       SET accepted_seq = t.accepted_seq + 1, unclaimed = t.unclaimed + 1, version = t.version + 1, state = d.next_state,
           open_questions = d.still_open, open_approvals = d.still_held,
           answers_ruled = jsonb_path_exists(d.still_open, '$[*].schema ? (@ != null)'),
           interrupt_turn = greatest(t.interrupt_turn, d.interrupts),
           timer_at = CASE WHEN d.still_open = '[]' THEN NULL ELSE t.timer_at END,
           waiting_since = CASE WHEN d.next_state = 'waiting' THEN t.waiting_since END,
           completed_at = CASE WHEN d.next_state = 'running' THEN NULL ELSE t.completed_at END,
           error_code = CASE WHEN d.next_state = 'running' THEN NULL ELSE t.error_code END,
           ring_at = CASE WHEN (d.next_state = 'running' AND NOT d.turn_open) OR d.interrupts > 0
                          THEN coalesce(t.ring_at, now() + make_interval(secs => $16)) ELSE t.ring_at END,
           updated_at = now()
      FROM decided d
     WHERE t.tenant_id = $1 AND t.id = d.id AND d.verdict = 'accepted'
    RETURNING t.id, t.accepted_seq, t.version
), x AS (
    UPDATE executions ex
       SET event_seq = ex.event_seq + 1,
           state = CASE WHEN d.next_state = 'running' THEN 'running' ELSE ex.state END,
           completed_at = CASE WHEN d.next_state = 'running' THEN NULL ELSE ex.completed_at END,
           ring_at = CASE WHEN d.in_plan AND d.state IN ('succeeded', 'failed')
                          THEN coalesce(ex.ring_at, now() + make_interval(secs => $16)) ELSE ex.ring_at END,
           updated_at = now()
      FROM u, decided d
     WHERE ex.tenant_id = $1 AND ex.id = $2
    RETURNING ex.event_seq
), m AS (
    INSERT INTO messages (tenant_id, task_id, seq, id, text, attachments, metadata, origin, sender, answers, decides,
                          grants, plan_only, idempotency_key, digest, receipt)
    SELECT $1, u.id, u.accepted_seq, $4, $5, $6, $7, $8, $9,
           ARRAY(SELECT jsonb_path_query(d.answered, '$[*].id') #>> '{}'),
           CASE WHEN d.still_held = '[]' THEN ARRAY(SELECT jsonb_path_query(d.open_approvals, '$[*].id') #>> '{}')
                ELSE '{}' END,
           $18, $19, $11, $12,
           jsonb_build_object('state', d.next_state, 'version', u.version, 'turn', d.turn, 'turn_open', d.turn_open)
      FROM u, decided d
    RETURNING accepted_at, answers, decides
), ev AS (
    INSERT INTO events (tenant_id, execution_id, seq, type, task_id, position, task_state, execution_state, data)
    SELECT $1, $2, x.event_seq, 'message.accepted', u.id, d.position,
           CASE WHEN d.next_state <> d.state THEN d.next_state END,
           CASE WHEN d.next_state = 'running' AND d.execution_state <> 'running' THEN 'running' END,
           jsonb_build_object('message_id', $4::uuid, 'seq', u.accepted_seq, 'text', $5::text, 'origin', $8::text,
                              'sender', $9::text, 'answers', to_jsonb(m.answers), 'decides', to_jsonb(m.decides),
                              'queued', d.turn_open)
      FROM u, x, m, decided d
)
SELECT d.verdict, d.state AS was, d.next_state AS state, coalesce(u.version, d.version) AS version, d.turn, d.turn_open,
       d.interrupts, d.open_questions, d.in_plan, u.accepted_seq AS seq, m.accepted_at, x.event_seq
  FROM decided d LEFT JOIN u ON true LEFT JOIN m ON true LEFT JOIN x ON true;

-- name: message_by_key
-- The receipt of an earlier send under the same idempotency key.
SELECT m.id, m.seq, m.digest, m.accepted_at, m.receipt, m.task_id, t.execution_id
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = $1 AND m.task_id = $2 AND m.idempotency_key = $3;

-- name: message_of_execution_by_key
-- The receipt of an earlier send under the same idempotency key to any task of an execution: of several under that key,
-- which other doors may have let in, the one that said the same ($4) first. Exact while the execution's row is locked.
SELECT m.id, m.seq, m.digest, m.accepted_at, m.receipt, m.task_id, t.execution_id
  FROM tasks t JOIN messages m ON m.tenant_id = t.tenant_id AND m.task_id = t.id AND m.idempotency_key = $3
 WHERE t.tenant_id = $1 AND t.execution_id = $2
 ORDER BY m.digest = $4 DESC, m.accepted_at, m.id
 LIMIT 1;

-- name: has_news
-- Whether a message waits for a turn that answers none of the questions that the task rested with.
SELECT EXISTS (
    SELECT FROM messages m
     WHERE m.tenant_id = $1 AND m.task_id = $2 AND m.state = 'accepted'
       AND NOT m.answers && ARRAY(SELECT q.value ->> 'id' FROM tasks t, jsonb_array_elements(t.rested_questions) AS q
                                   WHERE t.tenant_id = $1 AND t.id = $2));
