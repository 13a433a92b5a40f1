-- part: bell
-- What a doorbell says of the task `t`: its version, the turn under way or due, the last one if it is to stop, and
-- whether a workflow is started to hear it: one that is cancelled, or paused between turns, needs none for that.
t.version, t.turn_open OR t.state NOT IN (:task.cancelled, :task.paused) AS starts,
CASE WHEN t.turn_open THEN t.turn ELSE t.turn + 1 END AS turn,
CASE WHEN t.interrupt_turn >= t.turn AND (t.turn_open OR t.state = :task.cancelled) THEN t.turn ELSE 0 END AS interrupt

-- part: locked
-- A locked task `t`, and its execution `e`.
t.id, t.position, t.state, t.version, t.turn, t.turn_open, t.interrupt_turn, t.accepted_seq, t.unclaimed,
t.open_questions, t.open_approvals, t.held_step, t.held_turn, t.rested, t.rested_questions, t.rested_seq,
t.rested_approvals, t.granted_tools, t.plan_only, t.title, t.rested_since, now() AS locked_at,
e.state AS execution_state, e.in_plan, e.event_seq

-- name: lock_task
-- Lock an execution, then one of its tasks, and read both as they are now.
WITH e AS MATERIALIZED (
    SELECT id, state, in_plan, event_seq FROM executions WHERE tenant_id = :tenant AND id = :execution FOR UPDATE
)
SELECT ${locked}
  FROM e JOIN tasks t ON t.tenant_id = :tenant AND t.execution_id = e.id AND t.id = :task
   FOR UPDATE OF t;

-- name: lock_tasks
-- Lock those tasks of a locked execution that are in one of the states, by id, and read them as they are now.
SELECT ${locked}
  FROM executions e JOIN tasks t ON t.tenant_id = e.tenant_id AND t.execution_id = e.id
 WHERE e.tenant_id = :tenant AND e.id = :execution AND t.state = ANY (:states::text[])
 ORDER BY t.id
   FOR UPDATE OF t;

-- name: count_states
-- How many of an execution's tasks are in each state; exact while its row is locked.
SELECT state, count(*) AS tasks FROM tasks WHERE tenant_id = :tenant AND execution_id = :execution GROUP BY state;

-- name: read_bell
SELECT ${bell} FROM tasks t WHERE t.tenant_id = :tenant AND t.id = :task;

-- name: read_bells
SELECT t.id, ${bell} FROM tasks t WHERE t.tenant_id = :tenant AND t.id = ANY (:ids::uuid[]);

-- part: decided
-- What the mailbox's rules decided for the locked task `t`, from `n`. rested and the like: what it would be without its
-- unclaimed messages. ring_seconds: until the relay rings, NULL for never; keep_ring: a ring that is due stays so.
-- timer_at: when a question's time comes. held_step: the step whose calls are held back. A task that comes back to
-- where it rested waits, or is over, since it first was.
state = n.state, version = n.version, turn = n.turn, turn_open = n.turn_open, interrupt_turn = n.interrupt_turn,
unclaimed = n.unclaimed, open_questions = n.open_questions, answers_ruled = n.answers_ruled,
open_approvals = n.open_approvals, held_step = n.held_step, held_turn = n.held_turn, timer_at = n.timer_at,
updated_at = now(),
ring_at = coalesce(CASE WHEN n.keep_ring THEN t.ring_at END, now() + make_interval(secs => n.ring_seconds)),
rings = CASE WHEN n.keep_ring THEN t.rings ELSE 0 END,
rested = n.rested, rested_questions = n.rested_questions, rested_approvals = n.rested_approvals,
rested_seq = n.rested_seq, rested_since = CASE WHEN t.rested = n.rested THEN t.rested_since ELSE now() END,
waiting_since = CASE WHEN n.state = :task.waiting
                     THEN CASE WHEN t.rested = n.state THEN t.rested_since ELSE now() END END,
started_at = CASE WHEN n.state = :task.running THEN coalesce(t.started_at, now()) ELSE t.started_at END,
completed_at = CASE WHEN n.state IN :task.is_over
                    THEN CASE WHEN t.rested = n.state THEN t.rested_since ELSE now() END END

-- name: save_mailbox
-- What was decided for one task, and the events that say so.
WITH saved AS (
    UPDATE tasks t
       SET ${decided}
      FROM (SELECT :state::text AS state, :version::bigint AS version, :turn::integer AS turn,
                   :turn_open::boolean AS turn_open, :interrupt_turn::integer AS interrupt_turn,
                   :unclaimed::integer AS unclaimed, :open_questions::jsonb AS open_questions,
                   :answers_ruled::boolean AS answers_ruled, :open_approvals::jsonb AS open_approvals,
                   :held_step::integer AS held_step, :held_turn::integer AS held_turn,
                   :timer_at::timestamptz AS timer_at, :rested::text AS rested,
                   :rested_questions::jsonb AS rested_questions, :rested_approvals::jsonb AS rested_approvals,
                   :rested_seq::bigint AS rested_seq, :ring_seconds::double precision AS ring_seconds,
                   :keep_ring::boolean AS keep_ring) n
     WHERE t.tenant_id = :tenant AND t.id = :task
), ${appended}
SELECT event_seq AS last FROM bumped;

-- name: save_mailboxes
-- The same for several tasks of an execution: boxes has what `n` is there. Returns what their doorbells would say, none
-- where ring_seconds is null.
WITH saved AS (
    UPDATE tasks t
       SET ${decided}
      FROM jsonb_to_recordset(:boxes)
           AS n (id uuid, state text, version bigint, turn integer, turn_open boolean, interrupt_turn integer,
                 unclaimed integer, open_questions jsonb, answers_ruled boolean, open_approvals jsonb,
                 held_step integer, held_turn integer, timer_at timestamptz, rested text, rested_questions jsonb,
                 rested_approvals jsonb, rested_seq bigint, ring_seconds double precision, keep_ring boolean)
     WHERE t.tenant_id = :tenant AND t.id = n.id
    RETURNING t.id, t.ring_at, ${bell}
), ${appended}
SELECT s.id, s.version, s.turn, s.interrupt, s.starts FROM saved s, bumped WHERE s.ring_at IS NOT NULL;

-- name: heard
-- The workflow has looked and there was nothing to do: nobody need ring. (`IS NOT NULL` would offer the index of what
-- is to be rung, which a tenant may have much of.)
UPDATE tasks SET ring_at = NULL, rings = 0 WHERE tenant_id = :tenant AND id = :task AND num_nonnulls(ring_at) = 1;
