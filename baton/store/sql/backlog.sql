-- part: older
-- How many of :ages, in seconds, something has reached that is so since a time. Times are compared, not subtracted:
-- that is half of the work for each row.
cardinality(:ages::double precision[])
- width_bucket(${}, (SELECT array_agg(now() - make_interval(secs => a) ORDER BY a DESC)
                       FROM unnest(:ages::double precision[]) a))

-- name: count_unprocessed
-- Messages that no turn has processed, the oldest :most of them, by age.
SELECT m.state, t.state AS task_state, CASE WHEN :by_tenant::boolean THEN m.tenant_id END AS tenant_id,
       ${older(accepted_at)} AS age, count(*) AS number,
       extract(epoch FROM now() - min(m.accepted_at))::double precision AS oldest_seconds
  FROM (SELECT tenant_id, task_id, state, accepted_at FROM messages
         WHERE ended_at IS NULL
         ORDER BY accepted_at
         LIMIT :most) m
       JOIN tasks t ON t.tenant_id = m.tenant_id AND t.id = m.task_id
 GROUP BY 1, 2, 3, 4;

-- name: count_waiting
-- Tasks that wait, by age.
SELECT CASE WHEN :by_tenant::boolean THEN tenant_id END AS tenant_id, ${older(waiting_since)} AS age,
       count(*) AS number
  FROM tasks
 WHERE state = :task.waiting
 GROUP BY 1, 2;

-- name: count_unheard
-- Tasks and plans with a ring that nobody has answered, by queue: :most of each at most. lag_seconds: since when the
-- relay should have rung the one that is overdue for longest, negative where none is. is_served: a worker has ever been
-- there.
SELECT queue, count(*) FILTER (WHERE rings > 0) AS number,
       max(extract(epoch FROM now() - since)::double precision) FILTER (WHERE rings > 0) AS oldest_seconds,
       max(extract(epoch FROM now() - ring_at)::double precision) AS lag_seconds,
       EXISTS (SELECT FROM served_queues WHERE served_queues.queue = due.queue) AS is_served
  FROM ((SELECT e.queue, t.rings, t.ring_at, t.updated_at AS since
           FROM (SELECT tenant_id, execution_id, rings, ring_at, updated_at FROM tasks
                  WHERE ring_at IS NOT NULL
                  LIMIT :most) t
                JOIN executions e ON e.tenant_id = t.tenant_id AND e.id = t.execution_id)
        UNION ALL
        (SELECT queue, rings, ring_at, updated_at FROM executions WHERE ring_at IS NOT NULL LIMIT :most)) due
 GROUP BY queue;
