-- name: lock_plan
-- Lock an execution for the transaction.
SELECT state, event_seq FROM executions WHERE tenant_id = :tenant AND id = :execution FOR UPDATE;

-- name: lock_plan_tasks
-- Lock an execution's tasks, by id. told: it was rung a moment ago, and no relay has rung it again.
SELECT id, position, title, state, depends_on, error_code, coalesce(ring_at > now() AND rings = 0, false) AS told
  FROM tasks WHERE tenant_id = :tenant AND execution_id = :execution
 ORDER BY id
   FOR UPDATE;

-- name: start_tasks
-- told: those that are rung at once; the relay rings the others.
UPDATE tasks
   SET state = :task.running, rested = :task.running, rested_since = now(), version = version + 1, error_code = NULL,
       started_at = coalesce(started_at, now()), completed_at = NULL, updated_at = now(),
       ring_at = now() + make_interval(secs => CASE WHEN position = ANY (:told::bigint[])
                                                    THEN :ring_seconds::double precision ELSE 0 END),
       rings = 0
 WHERE tenant_id = :tenant AND execution_id = :execution AND position = ANY (:positions);

-- name: fail_tasks
UPDATE tasks
   SET state = :task.failed, rested = :task.failed, rested_since = now(), version = version + 1, error_code = :code,
       rested_error = :code, completed_at = now(), updated_at = now(), unclaimed = 0, ring_at = NULL
 WHERE tenant_id = :tenant AND execution_id = :execution AND position = ANY (:positions);

-- name: reset_tasks
UPDATE tasks
   SET state = :task.pending, rested = :task.pending, rested_since = now(), version = version + 1, error_code = NULL,
       completed_at = NULL, updated_at = now()
 WHERE tenant_id = :tenant AND execution_id = :execution AND position = ANY (:positions);

-- name: plan_heard
UPDATE executions SET ring_at = NULL, rings = 0
 WHERE tenant_id = :tenant AND id = :execution AND num_nonnulls(ring_at) = 1;
