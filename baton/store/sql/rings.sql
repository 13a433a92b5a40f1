-- part: put_off
-- The next ring of the row `due`: further off with each one that nobody has answered.
ring_at = now() + make_interval(secs => least(:again_seconds::double precision * 2 ^ due.rings,
                                              :most_seconds::double precision)),
rings = least(due.rings + 1, 30)

-- name: due_tasks
-- Tasks that were to be rung by now and that no worker has taken up. Each is taken by one relay at a time: the next
-- ring is put off first.
UPDATE tasks t
   SET ${put_off}
  FROM (SELECT tenant_id, id, rings FROM tasks WHERE ring_at <= now()
         ORDER BY ring_at LIMIT :limit FOR UPDATE SKIP LOCKED) due
 WHERE t.tenant_id = due.tenant_id AND t.id = due.id
RETURNING t.tenant_id, t.id, ${bell};

-- name: due_plans
UPDATE executions e
   SET ${put_off}
  FROM (SELECT tenant_id, id, rings FROM executions WHERE ring_at <= now()
         ORDER BY ring_at LIMIT :limit FOR UPDATE SKIP LOCKED) due
 WHERE e.tenant_id = due.tenant_id AND e.id = due.id
RETURNING e.tenant_id, e.id, e.event_seq, e.queue, (SELECT name FROM tenants WHERE id = e.tenant_id) AS tenant;

-- name: task_ring_failed
-- Temporal could not be told: try again soon.
UPDATE tasks SET ring_at = least(ring_at, now() + make_interval(secs => :seconds)), rings = 0
 WHERE tenant_id = :tenant AND id = :task AND ring_at IS NOT NULL;

-- name: plan_ring_failed
UPDATE executions SET ring_at = least(ring_at, now() + make_interval(secs => :seconds)), rings = 0
 WHERE tenant_id = :tenant AND id = :execution AND ring_at IS NOT NULL;
