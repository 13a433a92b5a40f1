-- Calls of tools that may not be repeated (once): where one was under way when its worker died it is unsure, and waits
-- between turns for a person's word. held_turn: the turn of the step whose calls are held back, NULL for the last one.

ALTER TABLE tool_calls
    ADD COLUMN IF NOT EXISTS once boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT IF EXISTS tool_calls_state_known,
    ADD CONSTRAINT tool_calls_state_known
        CHECK (state = ANY ('{held,pending,running,unsure,done}'::text[])) NOT VALID;
-- commit
ALTER TABLE tasks ADD COLUMN IF NOT EXISTS held_turn integer;
-- commit
ALTER TABLE tool_calls VALIDATE CONSTRAINT tool_calls_state_known;
