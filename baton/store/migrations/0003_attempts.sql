-- How many attempts at a step, and at a tool call, the worker has survived that no other counter knows: what is missing
-- to the number of attempts are workers that died. Code that knows nothing of it leaves it at 0.

ALTER TABLE steps ADD COLUMN IF NOT EXISTS survived integer NOT NULL DEFAULT 0;
-- commit
ALTER TABLE tool_calls
    ADD COLUMN IF NOT EXISTS attempt integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS survived integer NOT NULL DEFAULT 0;
