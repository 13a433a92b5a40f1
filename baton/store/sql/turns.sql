-- part: used
-- What another attempt at a step used is added to what those before it did, and to what its task has used. Attempts
-- that were lost with their workers are one call each.
input_tokens = ${}.input_tokens + :input_tokens, output_tokens = ${}.output_tokens + :output_tokens,
cached_tokens = ${}.cached_tokens + :cached_tokens, reasoning_tokens = ${}.reasoning_tokens + :reasoning_tokens,
usd = CASE WHEN :usd::double precision IS NULL THEN ${}.usd ELSE coalesce(${}.usd, 0) + :usd::double precision END

-- part: lost
-- How many attempts at a step before the present one were lost with their workers, and are not counted yet.
greatest(steps.attempt - 1 - steps.counted, 0)

-- part: only_waited
-- Whether all attempts at a step were given up before they had asked a model: its task waits for another one's answer.
(${}.state = :step.running AND ${}.survived = ${}.attempt AND ${}.failures = 0 AND ${}.model_calls = 0)

-- part: task_used
-- The same for the task of the step that `step` has counted with so many calls.
UPDATE tasks SET ${used(tasks)}, model_calls = tasks.model_calls + step.calls
  FROM step WHERE tasks.tenant_id = :tenant AND tasks.id = :task

-- part: may_have_happened
-- Whether a call that is not done may have been made, and may not be repeated.
once AND state IN (:call.running, :call.unsure)

-- name: begin_turn
-- Begin a turn of a locked task: claim all accepted messages. first_event: the number that the event of its first step
-- will have, NULL where calls were held back: then the messages' texts say why, or what happened, and the step begins
-- later.
WITH claimed AS (
    UPDATE messages SET state = :message.claimed, turn = :turn, claimed_at = now()
     WHERE tenant_id = :tenant AND task_id = :task AND state = :message.accepted
    RETURNING id, seq, decides, grants, plan_only, sender, author,
              answers, CASE WHEN :first_event::bigint IS NULL THEN text END AS text
), turn AS (
    INSERT INTO turns (tenant_id, task_id, turn, messages) SELECT :tenant, :task, :turn, count(*) FROM claimed
), step AS (
    INSERT INTO steps (tenant_id, task_id, turn, step, first_event)
    SELECT :tenant, :task, :turn, 0, :first_event::bigint WHERE :first_event IS NOT NULL
)
SELECT id, seq, decides, grants, plan_only, sender, author, answers, text FROM claimed ORDER BY seq;

-- name: begin_step
INSERT INTO steps (tenant_id, task_id, turn, step, first_event) VALUES (:tenant, :task, :turn, :step, :first_event);

-- name: read_step
-- A step, what its present attempt has streamed, NULL for nothing, and whether it has shown any reasoning.
SELECT s.state, s.attempt,
       (SELECT string_agg(e.data ->> 'text', '' ORDER BY e.seq) FROM events e
         WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.seq > s.first_event
           AND e.task_id = :task AND e.type = :event.text_delta AND (e.data ->> 'attempt')::integer = s.attempt
           AND (e.data ->> 'step')::integer = s.step) AS streamed,
       EXISTS (SELECT FROM events e
                WHERE e.tenant_id = :tenant AND e.execution_id = :execution AND e.seq > s.first_event
                  AND e.task_id = :task AND e.type = :event.reasoning_delta
                  AND (e.data ->> 'attempt')::integer = s.attempt
                  AND (e.data ->> 'step')::integer = s.step) AS reasoned
  FROM steps s
 WHERE s.tenant_id = :tenant AND s.task_id = :task AND s.turn = :turn AND s.step = :step;

-- name: step_questions
-- The questions that a step asked, in the order of its calls (jsonb keeps no order of its keys).
SELECT s.questions -> (c.call ->> 'id') AS question
  FROM steps s, jsonb_array_elements(s.calls) WITH ORDINALITY AS c (call, n)
 WHERE s.tenant_id = :tenant AND s.task_id = :task AND s.turn = :turn AND s.step = :step
   AND s.questions ? (c.call ->> 'id')
 ORDER BY c.n;

-- name: retry_step
-- One that has only waited so far takes its time from now on.
UPDATE steps
   SET attempt = attempt + 1, started_at = CASE WHEN ${only_waited(steps)} THEN clock_timestamp() ELSE started_at END
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step
RETURNING attempt, failures, attempt - 1 - failures - survived AS deaths;

-- name: step_deaths
SELECT attempt - failures - survived FROM steps
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND state = :step.running;

-- name: call_deaths
SELECT attempt - survived FROM tool_calls
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND call_id = :call
   AND state = :call.running;

-- name: call_survived
UPDATE tool_calls SET survived = survived + 1
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND call_id = :call
   AND state = :call.running;

-- name: count_failure
-- An attempt that the model failed; a later attempt's row is left alone. failing_seconds: for how long its attempts
-- have failed, less the waits that the provider asked for.
WITH was AS (
    SELECT ${lost} AS lost FROM steps
     WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step
), step AS (
    UPDATE steps
       SET failures = failures + 1, error_message = :error_message,
           failing_since = coalesce(failing_since, clock_timestamp()), asked_seconds = asked_seconds + :asked_seconds,
           ${used(steps)}, model_calls = model_calls + :model_calls + was.lost, counted = attempt
      FROM was
     WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND attempt = :attempt
       AND state = :step.running
    RETURNING failures, was.lost, :model_calls + was.lost AS calls,
              extract(epoch FROM clock_timestamp() - failing_since)::double precision - asked_seconds + :asked_seconds
              AS failing_seconds
), task AS (
    ${task_used}
)
SELECT failures, failing_seconds, lost FROM step;

-- name: failure_of
-- What was wrong, in words, with the step that failed last in a turn.
SELECT error_message FROM steps
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn ORDER BY step DESC LIMIT 1;

-- name: end_step
-- Record what a step came to, unless it is over or a later attempt has it. Gives the attempts that are counted with it.
WITH was AS (
    SELECT ${lost} AS lost FROM steps
     WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step
), step AS (
    UPDATE steps
       SET state = :state, text = :text, response = :response, calls = :calls, questions = :questions,
           finish_reason = :finish_reason, refused = :refused, ended_at = clock_timestamp(),
           ${used(steps)}, model_calls = model_calls + :model_calls + was.lost, counted = attempt
      FROM was
     WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND attempt = :attempt
       AND state = :step.running
    RETURNING was.lost, :model_calls + was.lost AS calls
), task AS (
    ${task_used}
)
SELECT lost FROM step;

-- name: count_unrecorded
-- An attempt that came to nothing, but not because its worker died, and what it used: it was given up, its turn was
-- over, or another attempt has overtaken it (Temporal gives up one that it does not hear of for a while), and may have
-- counted it as lost. One that is counted already adds nothing.
WITH was AS (
    SELECT CASE WHEN attempt > :attempt THEN greatest(:model_calls - (counted >= attempt)::integer, 0)
                ELSE :model_calls + ${lost} END AS calls,
           CASE WHEN attempt > :attempt THEN greatest(counted, least(counted + 1, attempt - 1))
                ELSE attempt END AS counted
      FROM steps
     WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step
       AND (attempt > :attempt OR attempt = :attempt AND counted < attempt)
), step AS (
    UPDATE steps
       SET survived = survived + (state = :step.running)::integer, counted = was.counted,
           ${used(steps)}, model_calls = model_calls + was.calls
      FROM was WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step
    RETURNING was.calls
), task AS (
    ${task_used}
)
SELECT calls FROM step;

-- name: add_tool_calls
-- parameters: the schemas of the arguments, NULL for calls that nobody is asked about.
INSERT INTO tool_calls (tenant_id, task_id, turn, step, call_id, ordinal, name, arguments, state, parameters)
SELECT :tenant, :task, :turn, :step, call_id, n, name, arguments, state, parameters
  FROM unnest(:call_ids::text[], :names::text[], :arguments::jsonb[], :states::text[], :parameters::jsonb[])
       WITH ORDINALITY AS new (call_id, name, arguments, state, parameters, n);

-- name: tool_calls_left
-- The calls of a step that are still to be made or to be decided on, in the order of the model.
SELECT call_id, name, arguments, state FROM tool_calls
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND state <> :call.done
 ORDER BY ordinal;

-- name: start_tool_call
-- Start a call that may be made. With what its approval covers, where it needed one, and what its agent may call now.
-- once: the tools that may not be repeated; a call of theirs that was under way is unsure instead.
UPDATE tool_calls c
   SET state = CASE WHEN c.state = :call.running AND (c.once OR c.name = ANY (:once::text[])) THEN :call.unsure
                    ELSE :call.running END,
       attempt = CASE WHEN c.state = :call.running AND (c.once OR c.name = ANY (:once::text[])) THEN c.attempt
                      ELSE c.attempt + 1 END,
       once = c.once OR c.name = ANY (:once::text[]),
       started_at = coalesce(c.started_at, clock_timestamp())
 WHERE c.tenant_id = :tenant AND c.task_id = :task AND c.turn = :turn AND c.step = :step AND c.call_id = :call
   AND c.state IN (:call.pending, :call.running)
RETURNING c.name, c.arguments, c.state, c.attempt, c.once, c.attempt - 1 - c.survived AS deaths,
          (SELECT jsonb_build_object('tools', g.tools, 'policies', g.policies)
             FROM tasks t JOIN agents g ON g.tenant_id = t.tenant_id AND g.id = t.agent_id
            WHERE t.tenant_id = :tenant AND t.id = :task) AS agent,
          (SELECT jsonb_build_object('state', a.state, 'digest', a.approved_digest) FROM approvals a
            WHERE a.tenant_id = :tenant AND a.task_id = :task AND a.turn = :turn AND a.step = :step
              AND a.call_id = :call) AS approval;

-- name: call_not_begun
-- A call was started but never made: it is to be started again.
UPDATE tool_calls SET state = :call.pending, survived = survived + 1
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND call_id = :call
   AND state = :call.running AND attempt = :attempt;

-- name: ask_about_calls
-- Keep with a step what is asked about its calls. questions: by the ids that `unsure_calls` finds.
UPDATE steps SET questions = questions || :questions
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step;

-- name: unsure_calls
-- The calls of a step that may have happened, each with the id of the question about it.
SELECT c.call_id, s.questions -> (:prefix || c.call_id) ->> 'id' AS question
  FROM tool_calls c JOIN steps s ON s.tenant_id = c.tenant_id AND s.task_id = c.task_id AND s.turn = c.turn
       AND s.step = c.step
 WHERE c.tenant_id = :tenant AND c.task_id = :task AND c.turn = :turn AND c.step = :step AND c.state = :call.unsure
 ORDER BY c.ordinal;

-- name: make_unsure_call
-- A call that did not happen is to be made.
UPDATE tool_calls SET state = :call.pending
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND call_id = :call
   AND state = :call.unsure;

-- name: end_tool_call
UPDATE tool_calls SET state = :call.done, content = :content, failed = :failed, ended_at = clock_timestamp()
 WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND step = :step AND call_id = :call
   AND state <> :call.done
RETURNING name;

-- name: end_turn
-- End a locked task's open turn. Its messages come to message_state, with the reason where they are dead, which is the
-- error of a step that was at work, too. Calls that were not made, also those that a turn before had held back, are
-- done with the result not_made, and those that may have happened, but may not be repeated, with unsure. What this turn
-- holds back stays (keep_held).
WITH turn AS (
    UPDATE turns SET state = :state, outcome = :outcome, ended_at = clock_timestamp()
     WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn
), steps_left AS (
    UPDATE steps SET state = CASE WHEN :state = :turn.failed THEN :step.failed ELSE :step.interrupted END,
           error_code = :reason, ended_at = clock_timestamp()
     WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND state = :step.running
), calls_left AS (
    UPDATE tool_calls
       SET state = :call.done, failed = true, ended_at = clock_timestamp(),
           content = CASE WHEN ${may_have_happened} THEN :unsure::jsonb ELSE :not_made::jsonb END
     WHERE tenant_id = :tenant AND task_id = :task AND (turn BETWEEN :turn - 1 AND :turn OR turn = :held_turn)
       AND (state IN (:call.pending, :call.running)
            OR (state IN (:call.held, :call.unsure) AND NOT :keep_held))
), told AS (
    UPDATE messages SET state = :message_state, reason = :reason, ended_at = clock_timestamp()
     WHERE tenant_id = :tenant AND task_id = :task AND turn = :turn AND state = :message.claimed
    RETURNING id, seq
)
SELECT id, seq FROM told ORDER BY seq;

-- name: set_result
-- What a turn came to that ended its task, or would have if no message had come meanwhile (error_code then is NULL).
UPDATE tasks SET result = :result, result_json = :is_json, error_code = :error_code, rested_error = :rested_error
 WHERE tenant_id = :tenant AND id = :task;

-- name: end_turns
-- End the open turns of locked tasks that are cancelled: as `end_turn`, which ends one.
WITH ended AS (
    SELECT task, turn, held FROM unnest(:ids::uuid[], :turns::integer[], :held_turns::integer[]) AS e (task, turn, held)
), turn AS (
    UPDATE turns t SET state = :turn.interrupted, outcome = :task.cancelled, ended_at = clock_timestamp()
      FROM ended e WHERE t.tenant_id = :tenant AND t.task_id = e.task AND t.turn = e.turn
), steps_left AS (
    UPDATE steps s SET state = :step.interrupted, ended_at = clock_timestamp()
      FROM ended e
     WHERE s.tenant_id = :tenant AND s.task_id = e.task AND s.turn = e.turn AND s.state = :step.running
), calls_left AS (
    UPDATE tool_calls c
       SET state = :call.done, failed = true, ended_at = clock_timestamp(),
           content = CASE WHEN ${may_have_happened} THEN :unsure::jsonb ELSE :not_made::jsonb END
      FROM ended e
     WHERE c.tenant_id = :tenant AND c.task_id = e.task AND (c.turn BETWEEN e.turn - 1 AND e.turn OR c.turn = e.held)
       AND c.state <> :call.done
), told AS (
    UPDATE messages m SET state = :message.processed, ended_at = clock_timestamp()
      FROM ended e
     WHERE m.tenant_id = :tenant AND m.task_id = e.task AND m.turn = e.turn AND m.state = :message.claimed
    RETURNING m.task_id, m.id, m.seq
)
SELECT task_id, id, seq FROM told ORDER BY task_id, seq;

-- name: end_held_calls
-- End what steps of cancelled tasks hold back: the approvals that nobody has decided on, and all calls that are not
-- made. approval: of a call that was held back for one.
WITH held AS (
    SELECT task, turn, step FROM unnest(:ids::uuid[], :turns::integer[], :steps::integer[]) AS h (task, turn, step)
), undecided AS (
    UPDATE approvals a
       SET state = :approval.cancelled, decided_by = :by, author = :author, reason = '',
           decided_at = clock_timestamp()
      FROM held h
     WHERE a.tenant_id = :tenant AND a.task_id = h.task AND a.turn = h.turn AND a.step = h.step
       AND a.state = :approval.open
    RETURNING a.id, a.task_id, a.turn, a.step, a.call_id
), calls AS (
    UPDATE tool_calls c
       SET state = :call.done, failed = true, ended_at = clock_timestamp(),
           content = CASE WHEN ${may_have_happened} THEN :unsure::jsonb ELSE :not_made::jsonb END
      FROM held h
     WHERE c.tenant_id = :tenant AND c.task_id = h.task AND c.turn = h.turn AND c.step = h.step
       AND c.state <> :call.done
    RETURNING c.task_id, c.turn, c.step, c.call_id, c.name, c.content, c.ordinal
)
SELECT c.task_id, c.turn, c.step, c.call_id, c.name, c.content, u.id AS approval
  FROM calls c LEFT JOIN undecided u USING (task_id, turn, step, call_id)
 ORDER BY c.task_id, c.ordinal;

-- name: bury_unclaimed
-- Messages of some tasks that no turn will read any more.
WITH dead AS (
    UPDATE messages SET state = :message.dead, reason = :reason, ended_at = clock_timestamp()
     WHERE tenant_id = :tenant AND task_id = ANY (:ids::uuid[]) AND state = :message.accepted
    RETURNING task_id, id, seq
)
SELECT task_id, id, seq FROM dead ORDER BY task_id, seq;

-- name: ring_plan
-- The plan is to look at its tasks: rung by the relay unless that was done before.
UPDATE executions SET ring_at = coalesce(ring_at, now() + make_interval(secs => :ring_seconds)), rings = 0
 WHERE tenant_id = :tenant AND id = :execution;
