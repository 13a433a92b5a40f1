-- part: appended
-- Append events to an execution's log, numbered from the counter on its row: gapless, and visible in their order.
-- $1 tenant, $2 execution, $3 types, $4 task ids, $5 positions, $6 task states, $7 data, $8 the execution's new state or
-- NULL (carried by the last event).
bumped AS (
    UPDATE executions
       SET event_seq = event_seq + cardinality($3::text[]), state = coalesce($8, state), updated_at = now(),
           started_at = CASE WHEN $8 = 'running' THEN coalesce(started_at, now()) ELSE started_at END,
           completed_at = CASE WHEN $8 IN ('succeeded', 'failed', 'cancelled') THEN now()
                               WHEN $8 IS NOT NULL THEN NULL ELSE completed_at END
     WHERE tenant_id = $1 AND id = $2
    RETURNING event_seq
), numbered AS (
    INSERT INTO events (tenant_id, execution_id, seq, type, task_id, position, task_state, execution_state, data)
    SELECT $1, $2, event_seq - cardinality($3::text[]) + n, type, task_id, position, task_state,
           CASE WHEN n = cardinality($3::text[]) THEN $8 END, data
      FROM bumped,
           unnest($3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::jsonb[]) WITH ORDINALITY
               AS new (type, task_id, position, task_state, data, n)
)

-- name: append_events
WITH :appended
SELECT event_seq AS last FROM bumped;

-- name: events_after
-- A page of an execution's log, in order.
SELECT seq, type, at, data, task_id, position, task_state, execution_state
  FROM events
 WHERE tenant_id = $1 AND execution_id = $2 AND seq > $3
 ORDER BY seq
 LIMIT $4;

-- name: events_of_types
-- A page of what an execution's log has of some types, or that changed the execution's state, in order. $3 types, $4 the
-- number at which the page before ended, $5 limit.
SELECT seq, type, at, data, task_id, position, task_state, execution_state
  FROM events
 WHERE tenant_id = $1 AND execution_id = $2 AND seq > $4 AND (type = ANY ($3::text[]) OR execution_state IS NOT NULL)
 ORDER BY seq
 LIMIT $5;

-- name: latest_events_of_types
-- The same, newest first.
SELECT seq, type, at, data, task_id, position, task_state, execution_state
  FROM events
 WHERE tenant_id = $1 AND execution_id = $2 AND seq < $4 AND (type = ANY ($3::text[]) OR execution_state IS NOT NULL)
 ORDER BY seq DESC
 LIMIT $5;

-- name: log_head
-- The number of an execution's last event, of the oldest that can still be read, and the execution's state.
SELECT event_seq AS head, state,
       coalesce((SELECT min(seq) FROM events WHERE tenant_id = $1 AND execution_id = $2), 1) AS oldest
  FROM executions
 WHERE tenant_id = $1 AND id = $2;
