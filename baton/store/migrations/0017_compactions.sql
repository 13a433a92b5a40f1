-- Summaries that models read instead of what was said before; and messages that are read word for word all the same.

CREATE TABLE IF NOT EXISTS compactions (
    tenant_id     uuid        NOT NULL,
    task_id       uuid        NOT NULL,
    number        integer     NOT NULL,  -- 1, 2, 3, … within the task
    turn          integer     NOT NULL,  -- the step that made it
    step          integer     NOT NULL,
    reason        text        NOT NULL CONSTRAINT compactions_reason_known CHECK (reason = ANY ('{window,overflow}')),
    kept_turn     integer     NOT NULL,  -- read as they are: from these steps, and this turn's messages, on
    kept_step     integer     NOT NULL,
    kept_seq      bigint      NOT NULL,  -- the first of those messages
    summary       text        NOT NULL,
    left_out      jsonb       NOT NULL,  -- what it stands for, counted from the task's beginning
    questions     jsonb       NOT NULL DEFAULT '{}',  -- asked before, and not answered there: by id
    refused_bytes bigint,                -- a size that the provider has refused
    model         text        NOT NULL,  -- which made the summary; '' for none
    agent_model   text        NOT NULL,  -- the agent's
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    undone_at     timestamptz,           -- the model reads what it stands for again
    PRIMARY KEY (tenant_id, task_id, number),
    CONSTRAINT compactions_step_unique UNIQUE (tenant_id, task_id, turn, step),
    FOREIGN KEY (tenant_id, task_id, turn, step) REFERENCES steps ON DELETE CASCADE
);
-- commit
ALTER TABLE messages ADD COLUMN IF NOT EXISTS pinned boolean NOT NULL DEFAULT false;
-- commit
CREATE INDEX IF NOT EXISTS messages_pinned ON messages (tenant_id, task_id, turn) WHERE pinned;
