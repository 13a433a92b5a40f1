-- What a task has used in all: the sum over its steps, kept beside it, so that nobody has to add them up. And of a step:
-- how many of its attempts have been counted; one that is missing was lost with its worker. What steps of code that
-- knows nothing of the columns use meanwhile is in their rows alone.

ALTER TABLE steps ADD COLUMN IF NOT EXISTS counted integer NOT NULL DEFAULT 0;
-- commit
ALTER TABLE tasks
    ADD COLUMN IF NOT EXISTS input_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS output_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS cached_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS reasoning_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS model_calls integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS usd double precision;
-- commit
UPDATE steps SET counted = failures WHERE state = 'running' AND failures > 0;
UPDATE tasks t
   SET input_tokens = s.input_tokens, output_tokens = s.output_tokens, cached_tokens = s.cached_tokens,
       reasoning_tokens = s.reasoning_tokens, model_calls = s.model_calls, usd = s.usd
  FROM (SELECT tenant_id, task_id, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
               sum(cached_tokens) AS cached_tokens, sum(reasoning_tokens) AS reasoning_tokens,
               sum(model_calls) AS model_calls, sum(usd) AS usd
          FROM steps GROUP BY tenant_id, task_id) s
 WHERE t.tenant_id = s.tenant_id AND t.id = s.task_id
   AND (s.input_tokens, s.output_tokens, s.model_calls) <> (0, 0, 0);
