-- part: event
-- An event of the log, `e`.
e.seq, e.type, e.at, e.data, e.task_id, e.position, e.task_state, e.execution_state

-- part: appended
-- Append events to an execution's log, numbered from the counter on its row: gapless, and visible in their order.
-- execution_state: the execution's new one (carried by the last event), or NULL.
bumped AS (
    UPDATE executions
       SET event_seq = event_seq + cardinality(:types::text[]), state = coalesce(:execution_state, state),
           updated_at = now(),
           started_at = CASE WHEN :execution_state = :execution.running THEN coalesce(started_at, now())
                             ELSE started_at END,
           completed_at = CASE WHEN :execution_state IN :execution.is_over THEN now()
                               WHEN :execution_state IS NOT NULL THEN NULL ELSE completed_at END
     WHERE tenant_id = :tenant AND id = :execution
    RETURNING event_seq
), numbered AS (
    INSERT INTO events (tenant_id, execution_id, seq, type, task_id, position, task_state, execution_state, data)
    SELECT :tenant, :execution, event_seq - cardinality(:types::text[]) + n, type, task_id, position, task_state,
           CASE WHEN n = cardinality(:types::text[]) THEN :execution_state END, data
      FROM bumped,
           unnest(:types::text[], :task_ids::uuid[], :positions::bigint[], :task_states::text[], :data::jsonb[])
               WITH ORDINALITY AS new (type, task_id, position, task_state, data, n)
)

-- name: append_events
WITH ${appended}
SELECT event_seq AS last FROM bumped;

-- name: events_after
-- A page of an execution's log, in order.
SELECT ${event}
  FROM events e
 WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.seq > :after
 ORDER BY e.seq
 LIMIT :limit;

-- name: events_of_types
-- A page of what an execution's log has of some types, or that changed the execution's state, in order. after: the
-- number at which the page before ended.
${cut_from}
SELECT ${event},
       pg_column_size(e.data) AS stored
  FROM events e
 WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.seq > :after
   AND (e.type = ANY (:types::text[]) OR e.execution_state IS NOT NULL)
 ORDER BY e.seq
 LIMIT :limit
${cut_to};

-- name: latest_events_of_types
-- The same, newest first.
${cut_from}
SELECT ${event},
       pg_column_size(e.data) AS stored
  FROM events e
 WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.seq < :before
   AND (e.type = ANY (:types::text[]) OR e.execution_state IS NOT NULL)
 ORDER BY e.seq DESC
 LIMIT :limit
${cut_to};

-- name: task_events
-- A page of what an execution's log says of one task, in order. after: the number at which the page before ended.
${cut_from}
SELECT ${event},
       pg_column_size(e.data) AS stored
  FROM events e
 WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.seq > :after
   AND e.task_id = :task AND e.type = ANY (:types)
 ORDER BY e.seq
 LIMIT :limit
${cut_to};

-- name: last_of_types
-- Which of some types, each of which changes a task's state, was said of it last.
SELECT e.type
  FROM events e
 WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.task_id = :task
   AND e.task_state IS NOT NULL AND e.type = ANY (:types::text[])
 ORDER BY e.seq DESC
 LIMIT 1;

-- name: log_head
-- The number of an execution's last event, of the oldest that can still be read, and the execution's state.
SELECT event_seq AS head, state,
       coalesce((SELECT min(seq) FROM events WHERE tenant_id = :tenant AND execution_id = :execution), 1) AS oldest
  FROM executions
 WHERE tenant_id = :tenant AND id = :execution;

-- part: so_far
ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING

-- name: feed_pages
-- What is new in each of several logs, in one snapshot. known: the last event that is known of each; limit: events per
-- log at most, most_bytes: after so many no other one. One row per event; one without an event for a log in which
-- nothing is new. (What a compressed row holds is only measured where the compressed ones before it are not too many.)
SELECT q.execution_id, x.event_seq AS head, x.state, x.pruned_seq, ${event}
  FROM unnest(:tenants::uuid[], :executions::uuid[], :known::bigint[]) AS q (tenant_id, execution_id, known)
       JOIN executions x ON x.tenant_id = q.tenant_id AND x.id = q.execution_id
       LEFT JOIN LATERAL (
           SELECT * FROM (
               SELECT *, sum(octet_length(data::text)) OVER (${so_far}) AS bytes_before FROM (
                   SELECT *, sum(pg_column_size(data)) OVER (${so_far}) AS stored_before FROM (
                       SELECT * FROM events
                        WHERE tenant_id = q.tenant_id AND execution_id = q.execution_id AND seq > q.known
                        ORDER BY seq
                        LIMIT :limit
                   ) newest
               ) stored
                WHERE coalesce(stored_before, 0) < :most_bytes
           ) measured
            WHERE coalesce(bytes_before, 0) < :most_bytes
       ) e ON true
 ORDER BY q.execution_id, e.seq;

-- name: feed_heads
-- Which of several logs have grown beyond what is known of them. Arguments as `feed_pages`.
SELECT q.execution_id
  FROM unnest(:tenants::uuid[], :executions::uuid[], :known::bigint[]) AS q (tenant_id, execution_id, known)
       JOIN executions x ON x.tenant_id = q.tenant_id AND x.id = q.execution_id
 WHERE x.event_seq > q.known;

-- name: feed_start
-- Where a log stands, and the state of one of its tasks (NULL for none) at that point: one snapshot.
SELECT x.event_seq AS head, x.state, x.pruned_seq, x.agent_id, t.id AS task_id, t.state AS task_state,
       coalesce((SELECT e.seq FROM events e WHERE e.tenant_id = :tenant AND e.execution_id = :execution
                  ORDER BY e.seq LIMIT 1), 1) AS oldest
  FROM executions x LEFT JOIN tasks t ON t.tenant_id = :tenant AND t.execution_id = x.id AND t.id = :task
 WHERE x.tenant_id = :tenant AND x.id = :execution;

-- part: asked_here
-- An event `e` of the execution that says a question or an approval: by an index of these.
e.tenant_id = :tenant AND e.execution_id = :execution AND e.type IN (:event.question_asked, :event.approval_asked)

-- name: asked_by_ids
-- What a task asked, of some ids. Where the log begins later, its row still says the questions that are open.
WITH said AS (
    SELECT e.type, e.data, coalesce(e.data ->> 'question_id', e.data ->> 'approval_id') AS id FROM events e
     WHERE ${asked_here} AND e.task_id = :task
)
SELECT type, data FROM said WHERE id = ANY (:asked::text[])
UNION ALL
SELECT :event.question_asked,
       jsonb_build_object('question_id', q -> 'id', 'text', q -> 'text', 'choices', q -> 'choices',
                          'schema', q -> 'schema')
  FROM tasks t CROSS JOIN jsonb_array_elements(t.open_questions) AS q
 WHERE t.tenant_id = :tenant AND t.id = :task AND q ->> 'id' = ANY (:asked)
   AND NOT EXISTS (SELECT FROM said WHERE said.id = q ->> 'id');

-- name: waiting_after
-- The tasks of an execution that waited, or were paused, after its event seq, by position: those that come first within
-- most_bytes of what they ask. What one asks its row says, while it has been in no other state since, else the log, by
-- what the event that brought it there names (or says itself, where older code wrote it).
WITH stood AS (
    SELECT t.id, t.position, stands.task_state AS state,
           CASE WHEN later.seq IS NULL THEN t.open_questions
                ELSE coalesce(asked.questions, stands.data -> 'questions') END AS questions,
           CASE WHEN later.seq IS NULL THEN t.open_approvals
                ELSE coalesce(asked.approvals, stands.data -> 'approvals') END AS approvals,
           CASE WHEN later.seq IS NULL THEN t.waiting_since ELSE stands.at END AS since
      FROM tasks t
           CROSS JOIN LATERAL (
               SELECT e.seq, e.task_state, e.data, e.at FROM events e
                WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.task_id = t.id AND e.seq <= :seq
                  AND e.task_state IS NOT NULL
                ORDER BY e.seq DESC
                LIMIT 1
           ) stands
           LEFT JOIN LATERAL (
               SELECT e.seq FROM events e
                WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.task_id = t.id AND e.seq > :seq
                  AND e.task_state IS NOT NULL
                LIMIT 1
           ) later ON true
           CROSS JOIN LATERAL (
               SELECT jsonb_agg(e.data ORDER BY e.seq) FILTER (WHERE e.type = :event.question_asked) AS questions,
                      jsonb_agg(e.data ORDER BY e.seq) FILTER (WHERE e.type = :event.approval_asked) AS approvals
                 FROM events e
                WHERE later.seq IS NOT NULL AND e.task_id = t.id AND ${asked_here}
                  AND (stands.data -> 'open_questions' ? (e.data ->> 'question_id')
                       OR stands.data -> 'open_approvals' ? (e.data ->> 'approval_id'))
           ) asked
     WHERE t.tenant_id = :tenant AND t.execution_id = :execution
       AND stands.task_state IN (:task.waiting, :task.paused)
), measured AS (
    SELECT s.*, sum(CASE WHEN s.state = :task.waiting
                         THEN octet_length(s.questions::text) + octet_length(s.approvals::text) ELSE 0 END)
                    OVER (ORDER BY s.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
      FROM stood s
)
SELECT id, position, state, questions, approvals, since
  FROM measured
 WHERE coalesce(before, 0) < :most_bytes
 ORDER BY position
 LIMIT :limit;
