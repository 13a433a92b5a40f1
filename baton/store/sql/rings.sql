-- part: put_off
-- The next ring of the row `due`: further off with each one that nobody has answered.
ring_at = now() + make_interval(secs => least(:again_seconds::double precision * 2 ^ due.rings,
                                              :most_seconds::double precision)),
rings = least(due.rings + 1, 30)

-- part: due
-- Of a table the rows that were to be rung by now and that no worker has taken up: of each tenant the longest due,
-- share at most less those that a relay rang a moment ago; limit in all, each tenant's first before any tenant's
-- second. Each is taken by one relay at a time: the next ring is put off first.
waiting AS (  -- the tenants that have any, each found by one look into the index
    (SELECT tenant_id FROM ${} WHERE ring_at IS NOT NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM ${} WHERE ring_at IS NOT NULL AND tenant_id > w.tenant_id
             ORDER BY tenant_id LIMIT 1)
      FROM waiting w WHERE w.tenant_id IS NOT NULL
), due AS MATERIALIZED (
    SELECT mine.tenant_id, mine.id, mine.rings
      FROM waiting w
           CROSS JOIN LATERAL (
               SELECT tenant_id, id, rings, row_number() OVER (ORDER BY ring_at) AS place
                 FROM (SELECT tenant_id, id, rings, ring_at FROM ${}
                        WHERE tenant_id = w.tenant_id AND ring_at <= now()
                        ORDER BY ring_at
                        LIMIT least(:limit, greatest(:share - (
                            SELECT count(*) FROM (SELECT FROM ${}
                                                   WHERE tenant_id = w.tenant_id AND ring_at > now() AND rings = 1
                                                   LIMIT :share) unheard), 0))
                          FOR UPDATE SKIP LOCKED) longest
           ) mine
     ORDER BY mine.place
     LIMIT :limit
)

-- name: due_tasks
WITH RECURSIVE ${due(tasks)}
UPDATE tasks t
   SET ${put_off}
  FROM due
 WHERE t.tenant_id = due.tenant_id AND t.id = due.id
RETURNING t.tenant_id, t.id, ${bell};

-- name: due_plans
WITH RECURSIVE ${due(executions)}
UPDATE executions e
   SET ${put_off}
  FROM due
 WHERE e.tenant_id = due.tenant_id AND e.id = due.id
RETURNING e.tenant_id, e.id, e.event_seq, e.queue, (SELECT name FROM tenants WHERE id = e.tenant_id) AS tenant;

-- name: task_ring_failed
-- Temporal could not be told: try again soon.
UPDATE tasks SET ring_at = least(ring_at, now() + make_interval(secs => :seconds)), rings = 0
 WHERE tenant_id = :tenant AND id = :task AND num_nonnulls(ring_at) = 1;

-- name: plan_ring_failed
UPDATE executions SET ring_at = least(ring_at, now() + make_interval(secs => :seconds)), rings = 0
 WHERE tenant_id = :tenant AND id = :execution AND num_nonnulls(ring_at) = 1;
