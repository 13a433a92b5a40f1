-- part: bell
-- What a doorbell says of the task `t`: its version, the turn under way or due, and the last one if it is to stop.
t.version, CASE WHEN t.turn_open THEN t.turn ELSE t.turn + 1 END AS turn,
CASE WHEN t.interrupt_turn >= t.turn AND (t.turn_open OR t.state = :task.cancelled) THEN t.turn ELSE 0 END AS interrupt

-- name: lock_task
-- Lock an execution, then one of its tasks, and read both as they are now.
WITH e AS MATERIALIZED (
    SELECT id, state AS execution_state, in_plan, event_seq FROM executions
     WHERE tenant_id = :tenant AND id = :execution FOR UPDATE
)
SELECT t.id, t.position, t.state, t.version, t.turn, t.turn_open, t.interrupt_turn, t.accepted_seq, t.unclaimed,
       t.open_questions, t.open_approvals, t.held_step, t.rested, t.rested_questions, t.rested_seq, t.rested_approvals,
       t.granted_tools, t.plan_only, t.title, t.rested_since, now() AS locked_at, e.execution_state, e.in_plan,
       e.event_seq
  FROM e JOIN tasks t ON t.tenant_id = :tenant AND t.execution_id = e.id AND t.id = :task
   FOR UPDATE OF t;

-- name: task_states
-- The states of an execution's tasks; exact while its row is locked.
SELECT id, position, title, state, open_questions, open_approvals, waiting_since FROM tasks
 WHERE tenant_id = :tenant AND execution_id = :execution
 ORDER BY position;

-- name: read_bell
SELECT ${bell} FROM tasks t WHERE t.tenant_id = :tenant AND t.id = :task;

-- name: save_mailbox
-- What the mailbox's rules decided for a locked task, and the events that say so. rested and the like: what it would be
-- without its unclaimed messages. ring_seconds: until the relay rings, NULL for never; keep_ring: a ring that is due
-- stays so. timer_at: when a question's time comes. held_step: the step whose calls are held back. A task that comes
-- back to where it rested waits, or is over, since it first was.
WITH saved AS (
    UPDATE tasks
       SET state = :state, version = :version, turn = :turn, turn_open = :turn_open, interrupt_turn = :interrupt_turn,
           unclaimed = :unclaimed, open_questions = :open_questions, answers_ruled = :answers_ruled,
           open_approvals = :open_approvals, held_step = :held_step, timer_at = :timer_at, updated_at = now(),
           ring_at = coalesce(CASE WHEN :keep_ring THEN ring_at END, now() + make_interval(secs => :ring_seconds)),
           rings = CASE WHEN :keep_ring THEN rings ELSE 0 END,
           rested = :rested, rested_questions = :rested_questions, rested_approvals = :rested_approvals,
           rested_seq = :rested_seq, rested_since = CASE WHEN rested = :rested THEN rested_since ELSE now() END,
           waiting_since = CASE WHEN :state = :task.waiting
                                THEN CASE WHEN rested = :state THEN rested_since ELSE now() END END,
           started_at = CASE WHEN :state = :task.running THEN coalesce(started_at, now()) ELSE started_at END,
           completed_at = CASE WHEN :state IN :task.is_over
                               THEN CASE WHEN rested = :state THEN rested_since ELSE now() END END
     WHERE tenant_id = :tenant AND id = :task
), ${appended}
SELECT event_seq AS last FROM bumped;

-- name: heard
-- The workflow has looked and there was nothing to do: nobody need ring.
UPDATE tasks SET ring_at = NULL, rings = 0 WHERE tenant_id = :tenant AND id = :task AND ring_at IS NOT NULL;
