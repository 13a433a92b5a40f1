-- part: sent
-- Messages on their way: a JSON array with an object for each, which names what it has.
SELECT *
  FROM jsonb_to_recordset(:sends::text::jsonb) AS s(
       execution_id uuid, task_id uuid, message_id uuid, text text, attachments jsonb, metadata jsonb, origin text,
       sender text, author jsonb, own_mode text, idempotency_key text, digest bytea, question text,
       if_versions bigint[], checked_version bigint, only_if_waiting boolean, grants text[], plan_only boolean,
       pinned boolean)

-- part: sent_to_execution
SELECT ex.in_plan, ex.state AS execution_state FROM executions ex
 WHERE ex.tenant_id = :tenant AND ex.id = s.execution_id

-- part: sent_to_task
SELECT t.position, t.state, t.version, t.turn, t.turn_open, t.accepted_seq, t.open_questions, t.answers_ruled,
       t.open_approvals, coalesce(s.own_mode, a.mode) AS mode
  FROM tasks t JOIN agents a ON a.tenant_id = :tenant AND a.id = t.agent_id
 WHERE t.tenant_id = :tenant AND t.execution_id = s.execution_id AND t.id = s.task_id

-- part: accepted
-- What becomes of messages to tasks that are `locked`, no two of which are of one execution: the message, its event,
-- the flip of the task's state. Decides from the task's own row alone, locked at its newest version (other tables are
-- seen as of the statement's start, which may lie before a lock was had). The message comes first: a repeated
-- idempotency key stores none, and then nothing else changes.
judged AS MATERIALIZED (
    SELECT *,
           CASE WHEN only_if_waiting AND state <> :task.waiting THEN 'not_waiting'
                WHEN state = :task.cancelled THEN 'closed'
                WHEN version <> ALL (if_versions) THEN 'outdated'
                WHEN question IS NOT NULL
                     AND NOT open_questions @> jsonb_build_array(jsonb_build_object('id', question))
                    THEN 'outdated'
                WHEN mode = :mode.reject AND state IN (:task.pending, :task.running) THEN 'busy'
                WHEN answers_ruled AND (state = :task.waiting OR question IS NOT NULL)  -- it answers something
                     AND version IS DISTINCT FROM checked_version THEN 'unchecked'
                ELSE 'fine' END AS verdict,
           -- what the message answers, and what stays open
           CASE WHEN question IS NOT NULL
                    THEN jsonb_path_query_array(open_questions, '$[*] ? (@.id == $q)',
                                                jsonb_build_object('q', question))
                WHEN state = :task.waiting THEN open_questions
                ELSE '[]' END AS answered,
           CASE WHEN question IS NOT NULL
                    THEN jsonb_path_query_array(open_questions, '$[*] ? (@.id != $q)',
                                                jsonb_build_object('q', question))
                WHEN state = :task.waiting THEN '[]'
                ELSE open_questions END AS still_open,
           -- what it closes: all approvals, unless it is for a question alone, beside which the task goes on waiting
           CASE WHEN state = :task.waiting AND question IS NOT NULL THEN open_approvals
                ELSE '[]' END AS still_held
      FROM locked
), decided AS MATERIALIZED (
    SELECT *,
           CASE WHEN state = :task.pending OR (state = :task.waiting AND (still_open <> '[]' OR still_held <> '[]'))
                THEN state ELSE :task.running END AS next_state,
           CASE WHEN mode = :mode.interrupt AND state = :task.running AND turn_open THEN turn ELSE 0 END AS interrupts
      FROM judged
), m AS (
    INSERT INTO messages (tenant_id, task_id, seq, id, text, attachments, metadata, origin, sender, author, answers,
                          decides, grants, plan_only, pinned, idempotency_key, digest, receipt)
    SELECT :tenant, d.task_id, d.accepted_seq + 1, d.message_id, d.text, d.attachments, d.metadata, d.origin, d.sender,
           d.author, ARRAY(SELECT jsonb_path_query(d.answered, '$[*].id') #>> '{}'),
           CASE WHEN d.still_held = '[]' THEN ARRAY(SELECT jsonb_path_query(d.open_approvals, '$[*].id') #>> '{}')
                ELSE '{}' END,
           d.grants, d.plan_only, d.pinned, d.idempotency_key, d.digest,
           jsonb_build_object('state', d.next_state, 'version', d.version + 1, 'turn', d.turn, 'turn_open', d.turn_open)
      FROM decided d
     WHERE d.verdict = 'fine'
    ON CONFLICT (tenant_id, task_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING task_id, accepted_at, answers, decides
), u AS (
    UPDATE tasks t
       SET state = d.next_state, version = t.version + 1,
           accepted_seq = t.accepted_seq + 1, unclaimed = t.unclaimed + 1,
           open_questions = d.still_open, open_approvals = d.still_held,
           answers_ruled = jsonb_path_exists(d.still_open, '$[*].schema ? (@ != null)'),
           interrupt_turn = greatest(t.interrupt_turn, d.interrupts),
           timer_at = CASE WHEN d.still_open = '[]' THEN NULL ELSE t.timer_at END,
           waiting_since = CASE WHEN d.next_state = :task.waiting THEN t.waiting_since END,
           completed_at = CASE WHEN d.next_state = :task.running THEN NULL ELSE t.completed_at END,
           error_code = CASE WHEN d.next_state = :task.running THEN NULL ELSE t.error_code END,
           ring_at = CASE WHEN (d.next_state = :task.running AND NOT d.turn_open) OR d.interrupts > 0
                          THEN coalesce(t.ring_at, now() + make_interval(secs => :ring_seconds)) ELSE t.ring_at END,
           updated_at = now()
      FROM m JOIN decided d ON d.task_id = m.task_id AND d.verdict = 'fine'
     WHERE t.tenant_id = :tenant AND t.id = d.task_id
    RETURNING t.id, t.accepted_seq, t.version, m.accepted_at, m.answers, m.decides, d.execution_id, d.execution_state,
              d.in_plan, d.state AS was, d.next_state, d.position, d.turn_open, d.message_id, d.text, d.origin,
              d.sender, d.author
), x AS (
    UPDATE executions ex
       SET event_seq = ex.event_seq + 1,
           state = CASE WHEN u.next_state = :task.running THEN :execution.running ELSE ex.state END,
           completed_at = CASE WHEN u.next_state = :task.running THEN NULL ELSE ex.completed_at END,
           ring_at = CASE WHEN u.in_plan AND u.was IN (:task.succeeded, :task.failed)
                          THEN coalesce(ex.ring_at, now() + make_interval(secs => :ring_seconds)) ELSE ex.ring_at END,
           updated_at = now()
      FROM u
     WHERE ex.tenant_id = :tenant AND ex.id = u.execution_id
    RETURNING ex.event_seq, u.*
), ev AS (
    INSERT INTO events (tenant_id, execution_id, seq, type, task_id, position, task_state, execution_state, data)
    SELECT :tenant, x.execution_id, x.event_seq, :event.message_accepted, x.id, x.position,
           CASE WHEN x.next_state <> x.was THEN x.next_state END,
           CASE WHEN x.next_state = :task.running AND x.execution_state <> :execution.running
                THEN :execution.running END,
           jsonb_build_object('message_id', x.message_id, 'seq', x.accepted_seq, 'text', x.text,
                              'origin', x.origin, 'sender', x.sender, 'author', x.author,
                              'answers', to_jsonb(x.answers), 'decides', to_jsonb(x.decides), 'queued', x.turn_open)
      FROM x
)
SELECT d.message_id, CASE WHEN d.verdict = 'fine' AND x.id IS NULL THEN 'repeated' ELSE d.verdict END AS verdict,
       d.state AS was, d.next_state AS state, coalesce(x.version, d.version) AS version, d.turn, d.turn_open,
       d.interrupts, d.open_questions, x.accepted_seq AS seq, x.accepted_at, x.event_seq
  FROM decided d LEFT JOIN x ON x.id = d.task_id

-- name: send_message
-- Accept a message in one statement. Waits for the locks.
WITH locked AS MATERIALIZED (
    SELECT *
      FROM (${sent}) AS s CROSS JOIN LATERAL (${sent_to_execution} FOR UPDATE) AS e
           CROSS JOIN LATERAL (${sent_to_task} FOR UPDATE OF t) AS l
), ${accepted};

-- name: send_together
-- Accept messages in one statement, each to another execution; leaves out those for which it had to wait.
WITH locked AS MATERIALIZED (
    SELECT *
      FROM (${sent}) AS s CROSS JOIN LATERAL (${sent_to_execution} FOR UPDATE SKIP LOCKED) AS e
           CROSS JOIN LATERAL (${sent_to_task} FOR UPDATE OF t SKIP LOCKED) AS l
), ${accepted};

-- name: message_by_key
-- The receipt of an earlier send under the same idempotency key.
SELECT m.id, m.seq, m.digest, m.accepted_at, m.receipt, m.task_id, t.execution_id
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = :tenant AND m.task_id = :task AND m.idempotency_key = :idempotency_key;

-- name: message_of_execution_by_key
-- The receipt of an earlier send under the same idempotency key to any task of an execution: of several under that key,
-- which other doors may have let in, the one that said the same first. Exact while the execution's row is locked.
SELECT m.id, m.seq, m.digest, m.accepted_at, m.receipt, m.task_id, t.execution_id
  FROM tasks t
       JOIN messages m ON m.tenant_id = t.tenant_id AND m.task_id = t.id AND m.idempotency_key = :idempotency_key
 WHERE t.tenant_id = :tenant AND t.execution_id = :execution
 ORDER BY m.digest = :digest DESC, m.accepted_at, m.id
 LIMIT 1;

-- name: tasks_with_news
-- Those of the tasks for which a message waits that answers none of the questions that its task rested with.
SELECT DISTINCT t.id
  FROM tasks t JOIN messages m ON m.tenant_id = t.tenant_id AND m.task_id = t.id AND m.state = :message.accepted
 WHERE t.tenant_id = :tenant AND t.id = ANY (:ids::uuid[])
   AND NOT m.answers && ARRAY(SELECT q.value ->> 'id' FROM jsonb_array_elements(t.rested_questions) AS q);

-- part: message
-- A message `m` of the task `t`.
m.id, m.seq, m.task_id, t.execution_id, m.state, m.turn, m.text, m.attachments, m.origin, m.sender, m.author, m.answers,
m.reason, m.pinned, m.accepted_at, m.claimed_at, m.ended_at, t.version AS task_version

-- name: message_view
SELECT ${message}
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = :tenant AND m.id = :message;

-- name: list_messages
-- A page of a task's messages, in order. after: the number at which the page before ended. states: NULL for all.
${cut_from}
SELECT ${message},
       pg_column_size(m.text) + pg_column_size(m.attachments) AS stored
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = :tenant AND m.task_id = :task AND m.seq > :after
   AND (:states::text[] IS NULL OR m.state = ANY (:states))
 ORDER BY m.seq
 LIMIT :limit
${cut_to};

-- name: list_dead_messages
-- A page of a tenant's dead messages, those first that died first. after_time, after_id: where the page before ended,
-- or NULL. agent: NULL for all.
${cut_from}
SELECT ${message},
       pg_column_size(m.text) + pg_column_size(m.attachments) AS stored
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = :tenant AND m.state = :message.dead
   AND (:after_time::timestamptz IS NULL OR (m.ended_at, m.id) > (:after_time, :after_id::uuid))
   AND (:agent::uuid IS NULL OR t.agent_id = :agent)
 ORDER BY m.ended_at, m.id
 LIMIT :limit
${cut_to};

-- name: last_message_text
-- What a task was told last.
SELECT text FROM messages
 WHERE tenant_id = :tenant AND task_id = :task AND state <> :message.withdrawn
 ORDER BY seq DESC
 LIMIT 1;

-- name: message_home
-- The task that a message was sent to: never changes.
SELECT m.task_id FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 WHERE m.tenant_id = :tenant AND m.id = :message AND ${of_agent};

-- name: questions_answered
-- The questions that a message answered when it was accepted. Those that a turn has read are left in the steps alone,
-- those that no step asked in the task's row alone.
SELECT q.value AS question
  FROM messages m JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id,
       jsonb_array_elements(t.rested_questions) AS q
 WHERE m.tenant_id = :tenant AND m.id = :message AND q.value ->> 'id' = ANY (m.answers)
UNION ALL
SELECT q.value
  FROM messages m JOIN steps s ON s.tenant_id = m.tenant_id AND s.task_id = m.task_id,
       jsonb_each(s.questions) AS q
 WHERE m.tenant_id = :tenant AND m.id = :message AND q.value ->> 'id' = ANY (m.answers);
