-- name: only_pruner
-- Take, or renew, the right to apply what settings say; NULL where somebody else has it.
INSERT INTO pruner (holder, until) VALUES (:holder, now() + make_interval(secs => :seconds))
ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, until = excluded.until
 WHERE pruner.holder = excluded.holder OR pruner.until < now()
RETURNING true;

-- name: give_pruner_lease_back
DELETE FROM pruner WHERE holder = :holder;

-- name: tenants_to_prune
SELECT id, name FROM tenants WHERE :tenant_name::text IS NULL OR name = :tenant_name ORDER BY name;

-- name: prune_tenant_alone
-- Whether nobody else prunes this tenant, until the transaction ends.
SELECT pg_try_advisory_xact_lock(:space::integer, hashtext((:tenant::uuid)::text));

-- part: rests
-- Whether nothing goes on, is due or waits in the execution `e`, since over_before.
e.completed_at < :over_before AND e.state IN :execution.is_over AND e.ring_at IS NULL
AND NOT EXISTS (SELECT FROM tasks t
                 WHERE t.tenant_id = e.tenant_id AND t.execution_id = e.id
                   AND (t.state NOT IN :task.is_over OR t.turn_open OR t.unclaimed > 0 OR t.ring_at IS NOT NULL))

-- name: page_finished
-- A page of the executions that were over before a time, by when they were, and whether all that belongs to them is.
-- since, beyond: where the page before ended.
SELECT e.id, e.completed_at, ${rests} AS over
  FROM executions e
 WHERE e.tenant_id = :tenant AND e.completed_at < :over_before AND (e.completed_at, e.id) > (:since, :beyond::uuid)
 ORDER BY e.completed_at, e.id
 LIMIT :limit;

-- name: lock_if_free
-- Lock an execution unless somebody else has.
SELECT true FROM executions WHERE tenant_id = :tenant AND id = :execution FOR UPDATE SKIP LOCKED;

-- name: is_over_for_good
SELECT ${rests} FROM executions e WHERE e.tenant_id = :tenant AND e.id = :execution;

-- name: remove_oldest_events
-- Remove the beginning of a log. Returns how many events.
WITH removed AS (
    DELETE FROM events
     WHERE tenant_id = :tenant AND execution_id = :execution
       AND seq <= (SELECT max(o.seq)
                     FROM (SELECT e.seq FROM events e WHERE e.tenant_id = :tenant AND e.execution_id = :execution
                            ORDER BY e.seq
                            LIMIT :limit) o)
    RETURNING 1
)
SELECT count(*) FROM removed;

-- name: remove_execution
-- With all that belongs to it: its foreign keys cascade.
DELETE FROM executions WHERE tenant_id = :tenant AND id = :execution;

-- name: count_events
SELECT count(*) FROM events WHERE tenant_id = :tenant AND execution_id = :execution;

-- name: page_logs
-- A page of the executions that were made before a time, by when they were, with how far their logs were pruned, and
-- whether there may be more to prune. since, beyond: where the page before ended.
SELECT e.id, e.created_at, e.pruned_seq, e.event_seq, e.prune_seen < e.event_seq AS due
  FROM executions e
 WHERE e.tenant_id = :tenant AND e.created_at < :old_before AND (e.created_at, e.id) > (:since, :beyond::uuid)
 ORDER BY e.created_at, e.id
 LIMIT :limit;

-- name: completed_steps
-- The steps that were completed between two events: the events that say so, whether that was before a time, and where
-- their pieces begin.
SELECT e.seq, e.at < :old_before AS is_old, coalesce(s.first_event, 0) AS first_event
  FROM events e
       LEFT JOIN steps s ON s.tenant_id = e.tenant_id AND s.task_id = e.task_id
                        AND s.turn = (e.data ->> 'turn')::integer AND s.step = (e.data ->> 'step')::integer
 WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.seq > :after AND e.seq <= :upto
   AND e.type = :event.step_completed
 ORDER BY e.seq;

-- part: completed_here
-- The steps that were completed after an event and up to another one.
completed AS MATERIALIZED (
    SELECT e.task_id, e.data ->> 'turn' AS turn, e.data ->> 'step' AS step
      FROM events e
     WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.seq > :after AND e.seq <= :upto
       AND e.type = :event.step_completed
)

-- part: piece_of_completed
-- A piece `d` of what one of these steps said, or thought; their pieces begin after the event said_after.
d.tenant_id = :tenant AND d.execution_id = :execution AND d.seq > :said_after AND d.seq < :upto
AND d.type IN (:event.text_delta, :event.reasoning_delta)
AND d.task_id = c.task_id AND d.data ->> 'turn' = c.turn AND d.data ->> 'step' = c.step

-- name: remove_deltas
-- Remove the pieces of what steps said that were completed after an event and up to another one. Returns how many.
WITH ${completed_here}, removed AS (
    DELETE FROM events d USING completed c WHERE ${piece_of_completed} RETURNING 1
)
SELECT count(*) FROM removed;

-- name: count_deltas
-- How many `remove_deltas` would remove.
WITH ${completed_here}
SELECT count(*) FROM events d JOIN completed c ON ${piece_of_completed};

-- name: note_pruned
UPDATE executions SET pruned_seq = :upto WHERE tenant_id = :tenant AND id = :execution AND pruned_seq < :upto;

-- name: note_prune_seen
-- There is nothing left to prune up to the event head, unless some of it is not old enough.
UPDATE executions SET prune_seen = :head
 WHERE tenant_id = :tenant AND id = :execution AND prune_seen < :head
   AND (SELECT e.at FROM events e WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.seq <= :head
         ORDER BY e.seq DESC
         LIMIT 1) < :old_before;
