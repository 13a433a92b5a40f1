-- name: feed_pages
-- What is new in each of several logs, in one snapshot: $1 tenants, $2 executions, $3 the last event that is known of
-- each, $4 events per log at most. One row per event; one without an event for a log in which nothing is new.
SELECT q.execution_id, x.event_seq AS head, x.state, e.seq, e.type, e.at, e.data, e.task_id, e.position, e.task_state,
       e.execution_state
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS q (tenant_id, execution_id, known)
       JOIN executions x ON x.tenant_id = q.tenant_id AND x.id = q.execution_id
       LEFT JOIN LATERAL (
           SELECT * FROM events
            WHERE tenant_id = q.tenant_id AND execution_id = q.execution_id AND seq > q.known
            ORDER BY seq
            LIMIT $4
       ) e ON true
 ORDER BY q.execution_id, e.seq;

-- name: feed_heads
-- Which of several logs have grown beyond what is known of them. Arguments as `feed_pages`.
SELECT q.execution_id
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS q (tenant_id, execution_id, known)
       JOIN executions x ON x.tenant_id = q.tenant_id AND x.id = q.execution_id
 WHERE x.event_seq > q.known;

-- name: feed_start
-- Where a log stands, and the state of one of its tasks ($3, NULL for none) at that point: one snapshot.
SELECT x.event_seq AS head, x.state, x.agent_id, t.id AS task_id, t.state AS task_state,
       coalesce((SELECT e.seq FROM events e WHERE e.tenant_id = $1 AND e.execution_id = $2 ORDER BY e.seq LIMIT 1), 1)
           AS oldest
  FROM executions x LEFT JOIN tasks t ON t.tenant_id = $1 AND t.execution_id = x.id AND t.id = $3
 WHERE x.tenant_id = $1 AND x.id = $2;
