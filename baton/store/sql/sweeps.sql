-- name: only_sweeper
-- One process sweeps at a time; the others try again later. Nothing is returned to those who have to.
INSERT INTO sweeper (holder, until) VALUES (:holder, now() + make_interval(secs => :seconds))
ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, until = excluded.until
 WHERE sweeper.holder = excluded.holder OR sweeper.until < now()
RETURNING true;

-- name: give_sweep_lease_back
DELETE FROM sweeper WHERE holder = :holder;

-- name: note_namespace
INSERT INTO temporal_namespace (one, id) VALUES (true, :id)
ON CONFLICT (one) DO UPDATE SET id = excluded.id, since = now() WHERE temporal_namespace.id <> excluded.id
RETURNING true;

-- name: sweep_silent
-- Running tasks that nobody is going to look at: no turn is open and no ring is due. Passes by what is locked: others
-- lock an execution first, then its tasks by id, and must not meet one who holds some of them.
UPDATE tasks SET ring_at = now(), rings = 0
 WHERE (tenant_id, id) IN (
           SELECT tenant_id, id FROM tasks
            WHERE state = :task.running AND NOT turn_open AND ring_at IS NULL
              AND updated_at < now() - make_interval(secs => :seconds)
              FOR UPDATE SKIP LOCKED)
RETURNING id;

-- name: sweep_timers
-- Waiting tasks whose question's time has come and gone: their workflow, and its timer with it, may be lost.
UPDATE tasks SET ring_at = now(), rings = 0, timer_at = NULL
 WHERE (tenant_id, id) IN (
           SELECT tenant_id, id FROM tasks
            WHERE timer_at < now() - make_interval(secs => :seconds) AND state = :task.waiting AND ring_at IS NULL
              FOR UPDATE SKIP LOCKED)
RETURNING id;

-- name: sweep_plans
-- Plans whose next tasks nobody starts.
UPDATE executions SET ring_at = now(), rings = 0
 WHERE (tenant_id, id) IN (
           SELECT e.tenant_id, e.id FROM executions e
            WHERE e.in_plan AND e.state IN (:execution.pending, :execution.running) AND e.ring_at IS NULL
              AND e.updated_at < now() - make_interval(secs => :seconds)
              AND (SELECT true FROM tasks t  -- a look for each, not at all tasks
                    WHERE t.tenant_id = e.tenant_id AND t.execution_id = e.id
                      AND t.state IN (:task.running, :task.waiting, :task.paused)
                    LIMIT 1) IS NULL
              FOR UPDATE OF e SKIP LOCKED)
RETURNING id;

-- name: ring_idle
UPDATE tasks SET ring_at = now(), rings = 0
 WHERE tenant_id = :tenant AND id = :task AND turn = :turn AND turn_open AND ring_at IS NULL;

-- name: open_turns
-- Tasks with a turn under way that has written nothing for a while, the longest first: is anybody at work?
-- moved: it has written nothing since the database came to this namespace of Temporal.
SELECT t.tenant_id, t.id, t.execution_id, t.turn,
       coalesce(t.updated_at < (SELECT since FROM temporal_namespace), false) AS moved
  FROM tasks t
 WHERE t.turn_open AND t.updated_at < now() - make_interval(secs => :seconds) AND t.id <> ALL (:known_good::uuid[])
 ORDER BY t.updated_at
 LIMIT :limit;

-- name: unheard_tasks
-- Tasks that were rung in vain, or whose question's time has come and nobody did anything: does their workflow work?
-- looked: those that were looked at a moment ago.
SELECT tenant_id, id, execution_id, turn FROM tasks
 WHERE ring_at IS NOT NULL AND rings > 0 AND id <> ALL (:looked::uuid[])
UNION
SELECT tenant_id, id, execution_id, turn FROM tasks
 WHERE timer_at < now() - make_interval(secs => :seconds) AND state = :task.waiting AND id <> ALL (:looked::uuid[])
 LIMIT :limit;

-- name: unheard_plans
SELECT tenant_id, id FROM executions
 WHERE ring_at IS NOT NULL AND rings > 0 AND in_plan AND id <> ALL (:looked::uuid[])
 LIMIT :limit;

-- name: last_event
SELECT event_seq FROM executions WHERE tenant_id = :tenant AND id = :execution;

-- name: task_of_workflow
-- The task of a workflow, whose id names it; the tenant's name is the workflow's own search attribute.
SELECT t.tenant_id, t.execution_id, t.state, t.turn, t.turn_open, t.ring_at IS NOT NULL AS is_rung
  FROM tasks t JOIN tenants x ON x.id = t.tenant_id
 WHERE x.name = :tenant_name AND t.id = :task;

-- name: count_accepted
SELECT count(*)::integer FROM messages
 WHERE tenant_id = :tenant AND task_id = :task AND state = :message.accepted;

-- name: audit_executions
-- The next :limit executions in the order of their ids: their state, those of their tasks, which it follows from, and
-- the tasks whose counter of unclaimed messages does not fit their messages. Exact only under the rows' locks.
WITH page AS (
    SELECT tenant_id, id, state FROM executions
     WHERE (tenant_id, id) > (:after_tenant::uuid, :after_execution::uuid)
     ORDER BY tenant_id, id
     LIMIT :limit
)
SELECT e.tenant_id, e.id, e.state, t.states, t.miscounted
  FROM page e
       CROSS JOIN LATERAL (  -- of each by itself: not of all tasks
           SELECT array_agg(t.state) AS states,
                  coalesce(array_agg(t.id) FILTER (WHERE t.unclaimed <> m.accepted), '{}') AS miscounted
             FROM tasks t
                  CROSS JOIN LATERAL (
                      SELECT count(*) AS accepted FROM messages m
                       WHERE m.tenant_id = t.tenant_id AND m.task_id = t.id AND m.state = :message.accepted) m
            WHERE t.tenant_id = e.tenant_id AND t.execution_id = e.id) t
 ORDER BY e.tenant_id, e.id;
