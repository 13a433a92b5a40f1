-- States are those that the code knows, and a type of event has the form of one. (Which types there are the code alone
-- says: docs/adr/0015.) A constraint is added without a look at the rows, under a lock that is held for a moment, and
-- the rows are checked afterwards, beside readers and writers. (`IN` would say the same, but each statement that writes
-- a row reads its constraints anew, and one array takes two thirds of the time that a list of words does.)

ALTER TABLE executions
    DROP CONSTRAINT IF EXISTS executions_state_known,
    ADD CONSTRAINT executions_state_known
        CHECK (state = ANY ('{pending,running,waiting,paused,succeeded,failed,cancelled}'::text[])) NOT VALID;
-- commit
ALTER TABLE tasks
    DROP CONSTRAINT IF EXISTS tasks_state_known,
    DROP CONSTRAINT IF EXISTS tasks_rested_known,
    ADD CONSTRAINT tasks_state_known
        CHECK (state = ANY ('{pending,running,waiting,paused,succeeded,failed,cancelled}'::text[])) NOT VALID,
    ADD CONSTRAINT tasks_rested_known
        CHECK (rested = ANY ('{pending,running,waiting,paused,succeeded,failed,cancelled}'::text[])) NOT VALID;
-- commit
ALTER TABLE messages
    DROP CONSTRAINT IF EXISTS messages_state_known,
    ADD CONSTRAINT messages_state_known
        CHECK (state = ANY ('{accepted,claimed,processed,withdrawn,dead}'::text[])) NOT VALID;
-- commit
ALTER TABLE turns
    DROP CONSTRAINT IF EXISTS turns_state_known,
    DROP CONSTRAINT IF EXISTS turns_outcome_known,
    ADD CONSTRAINT turns_state_known CHECK (state = ANY ('{running,ended,interrupted,failed}'::text[])) NOT VALID,
    ADD CONSTRAINT turns_outcome_known
        CHECK (outcome = ANY ('{pending,running,waiting,paused,succeeded,failed,cancelled}'::text[])) NOT VALID;
-- commit
ALTER TABLE steps
    DROP CONSTRAINT IF EXISTS steps_state_known,
    ADD CONSTRAINT steps_state_known CHECK (state = ANY ('{running,recorded,interrupted,failed}'::text[])) NOT VALID;
-- commit
ALTER TABLE tool_calls
    DROP CONSTRAINT IF EXISTS tool_calls_state_known,
    ADD CONSTRAINT tool_calls_state_known CHECK (state = ANY ('{held,pending,running,done}'::text[])) NOT VALID;
-- commit
ALTER TABLE approvals
    DROP CONSTRAINT IF EXISTS approvals_state_known,
    ADD CONSTRAINT approvals_state_known CHECK (state = ANY ('{open,approved,declined,cancelled}'::text[])) NOT VALID;
-- commit
ALTER TABLE events
    DROP CONSTRAINT IF EXISTS events_type_form,
    DROP CONSTRAINT IF EXISTS events_task_state_known,
    DROP CONSTRAINT IF EXISTS events_execution_state_known,
    ADD CONSTRAINT events_type_form CHECK (type ~ '^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$') NOT VALID,
    ADD CONSTRAINT events_task_state_known
        CHECK (task_state = ANY ('{pending,running,waiting,paused,succeeded,failed,cancelled}'::text[])) NOT VALID,
    ADD CONSTRAINT events_execution_state_known
        CHECK (execution_state = ANY ('{pending,running,waiting,paused,succeeded,failed,cancelled}'::text[])) NOT VALID;
-- commit
ALTER TABLE executions VALIDATE CONSTRAINT executions_state_known;
-- commit
ALTER TABLE tasks VALIDATE CONSTRAINT tasks_state_known, VALIDATE CONSTRAINT tasks_rested_known;
-- commit
ALTER TABLE messages VALIDATE CONSTRAINT messages_state_known;
-- commit
ALTER TABLE turns VALIDATE CONSTRAINT turns_state_known, VALIDATE CONSTRAINT turns_outcome_known;
-- commit
ALTER TABLE steps VALIDATE CONSTRAINT steps_state_known;
-- commit
ALTER TABLE tool_calls VALIDATE CONSTRAINT tool_calls_state_known;
-- commit
ALTER TABLE approvals VALIDATE CONSTRAINT approvals_state_known;
-- commit
ALTER TABLE events
    VALIDATE CONSTRAINT events_type_form,
    VALIDATE CONSTRAINT events_task_state_known,
    VALIDATE CONSTRAINT events_execution_state_known;
