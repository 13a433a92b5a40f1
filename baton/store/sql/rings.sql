-- name: due_tasks
-- Tasks that were to be rung by now and that no worker has taken up. Each is taken by one relay at a time: the next
-- ring is put off first, further with each one.
UPDATE tasks t
   SET ring_at = now() + make_interval(secs => least($2::double precision * 2 ^ t.rings, $3::double precision)),
       rings = least(t.rings + 1, 30)
  FROM (SELECT tenant_id, id FROM tasks WHERE ring_at <= now() ORDER BY ring_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
 WHERE t.tenant_id = due.tenant_id AND t.id = due.id
RETURNING t.tenant_id, t.id, t.version, CASE WHEN t.turn_open THEN t.turn ELSE t.turn + 1 END AS turn,
       CASE WHEN t.interrupt_turn >= t.turn AND (t.turn_open OR t.state = 'cancelled') THEN t.turn ELSE 0 END AS interrupt;

-- name: due_plans
UPDATE executions e
   SET ring_at = now() + make_interval(secs => least($2::double precision * 2 ^ e.rings, $3::double precision)),
       rings = least(e.rings + 1, 30)
  FROM (SELECT tenant_id, id FROM executions WHERE ring_at <= now() ORDER BY ring_at LIMIT $1
           FOR UPDATE SKIP LOCKED) due
 WHERE e.tenant_id = due.tenant_id AND e.id = due.id
RETURNING e.tenant_id, e.id, e.event_seq, e.queue, (SELECT name FROM tenants WHERE id = e.tenant_id) AS tenant;

-- name: task_ring_failed
-- Temporal could not be told: try again soon.
UPDATE tasks SET ring_at = least(ring_at, now() + make_interval(secs => $3)), rings = 0
 WHERE tenant_id = $1 AND id = $2 AND ring_at IS NOT NULL;

-- name: plan_ring_failed
UPDATE executions SET ring_at = least(ring_at, now() + make_interval(secs => $3)), rings = 0
 WHERE tenant_id = $1 AND id = $2 AND ring_at IS NOT NULL;
