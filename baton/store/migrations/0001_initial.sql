-- Tenants, agents and keys; executions and their tasks; messages; turns, steps and tool calls; the event log.
-- The tenant comes first in every key. Locks are taken execution first, then tasks by id.

CREATE TABLE tenants (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL CONSTRAINT tenants_name_unique UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE agents (
    tenant_id    uuid        NOT NULL REFERENCES tenants,
    id           uuid        NOT NULL,
    number       bigint      GENERATED ALWAYS AS IDENTITY,  -- the integer that some dialects address an agent by
    name         text        NOT NULL,
    model        text        NOT NULL,
    instructions text        NOT NULL DEFAULT '',
    tools        text[]      NOT NULL DEFAULT '{}',
    policies     jsonb       NOT NULL DEFAULT '{}',
    limits       jsonb       NOT NULL DEFAULT '{}',
    mode         text        NOT NULL DEFAULT 'queue' CHECK (mode IN ('queue', 'interrupt', 'reject')),
    is_default   boolean     NOT NULL DEFAULT false,
    version      bigint      NOT NULL DEFAULT 1,   -- its changes: the ETag
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT agents_number_unique UNIQUE (tenant_id, number),
    CONSTRAINT agents_name_unique UNIQUE (tenant_id, name)
);
CREATE UNIQUE INDEX agents_one_default ON agents (tenant_id) WHERE is_default;

-- A key is looked up by the digest of its secret alone: it is what says which tenant calls.
CREATE TABLE keys (
    tenant_id    uuid        NOT NULL REFERENCES tenants,
    id           uuid        NOT NULL,
    digest       bytea       NOT NULL CONSTRAINT keys_digest_unique UNIQUE,  -- SHA-256 of the whole key
    name         text        NOT NULL DEFAULT '',
    scopes       text[]      NOT NULL,
    agent_id     uuid,
    per_minute   integer,                   -- requests a minute; 0: any number, NULL: as many as any key
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents
);

CREATE TABLE executions (
    tenant_id          uuid        NOT NULL REFERENCES tenants,
    id                 uuid        NOT NULL,
    in_plan            boolean     NOT NULL,  -- a plan of tasks; false: a single task, which needs no PlanWorkflow
    agent_id           uuid        NOT NULL,
    title              text        NOT NULL,
    summary            text        NOT NULL DEFAULT '',
    plan               jsonb       NOT NULL DEFAULT '{}',  -- as it was given
    plan_generation_id text,
    metadata           jsonb       NOT NULL DEFAULT '{}',
    queue              text        NOT NULL,  -- the Temporal task queue
    state              text        NOT NULL,
    event_seq          bigint      NOT NULL DEFAULT 0,  -- the number of the last event
    ring_at            timestamptz,           -- when the relay rings its plan, unless that was taken up before
    rings              integer     NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL DEFAULT now(),
    started_at         timestamptz,
    completed_at       timestamptz,
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents
) WITH (fillfactor = 70);
CREATE INDEX executions_by_age ON executions (tenant_id, created_at, id);
CREATE INDEX executions_to_ring ON executions (ring_at) WHERE ring_at IS NOT NULL;

CREATE TABLE tasks (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    number         bigint      GENERATED ALWAYS AS IDENTITY,  -- the integer that some dialects address a task by
    execution_id   uuid        NOT NULL,
    position       bigint      NOT NULL,      -- its integer in the plan; 1 for a single task
    title          text        NOT NULL,
    description    text        NOT NULL,
    attachments    jsonb       NOT NULL DEFAULT '[]',  -- files that came with the description
    depends_on     bigint[]    NOT NULL DEFAULT '{}',
    agent_id       uuid        NOT NULL,
    state          text        NOT NULL,
    version        bigint      NOT NULL DEFAULT 1,   -- changes of state, question, approval and messages
    turn           integer     NOT NULL DEFAULT 0,   -- the last turn that was begun
    turn_open      boolean     NOT NULL DEFAULT false,  -- that turn is under way
    interrupt_turn integer     NOT NULL DEFAULT 0,   -- the last turn that was asked to stop
    accepted_seq   bigint      NOT NULL DEFAULT 0,   -- the last message accepted
    unclaimed      integer     NOT NULL DEFAULT 0 CHECK (unclaimed >= 0),  -- messages that no turn has claimed
    open_questions jsonb       NOT NULL DEFAULT '[]',  -- what it asks and nobody has answered
    answers_ruled  boolean     NOT NULL DEFAULT false, -- an open question has a JSON Schema
    open_approvals jsonb       NOT NULL DEFAULT '[]',  -- tool calls that wait for consent and nobody has decided on
    held_step      integer,                            -- the step whose calls were held back, until they are made
    granted_tools  text[]      NOT NULL DEFAULT '{}',  -- consented to for the rest of the task
    plan_only      boolean     NOT NULL DEFAULT false, -- the agent may call no tool that changes things
    rested         text        NOT NULL DEFAULT 'pending',  -- what it would be without its unclaimed messages,
    rested_questions jsonb     NOT NULL DEFAULT '[]',       -- what it would ask, since when, why it would have failed:
    rested_approvals jsonb     NOT NULL DEFAULT '[]',       -- withdrawing all of them leads back there
    rested_seq     bigint      NOT NULL DEFAULT 0,          -- paused: the last message that was accepted before
    rested_since   timestamptz NOT NULL DEFAULT now(),
    rested_error   text,
    waiting_since  timestamptz,
    timer_at       timestamptz,                      -- when an open question's time comes: a reminder, the deadline
    result         text,
    error_code     text,
    ring_at        timestamptz,                      -- when the relay rings, unless that was taken up before
    rings          integer     NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    started_at     timestamptz,
    completed_at   timestamptz,
    archived_at    timestamptz,                      -- put out of the way: lists that know of it leave it out
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT tasks_position_unique UNIQUE (tenant_id, execution_id, position),
    CONSTRAINT tasks_number_unique UNIQUE (tenant_id, number),
    FOREIGN KEY (tenant_id, execution_id) REFERENCES executions ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents
) WITH (fillfactor = 70);
CREATE INDEX tasks_waiting ON tasks (tenant_id, waiting_since, id) WHERE state = 'waiting';
CREATE INDEX tasks_listed ON tasks (tenant_id, number) WHERE archived_at IS NULL;
CREATE INDEX tasks_to_ring ON tasks (ring_at) WHERE ring_at IS NOT NULL;
CREATE INDEX tasks_with_timers ON tasks (timer_at) WHERE timer_at IS NOT NULL;

CREATE TABLE messages (
    tenant_id       uuid        NOT NULL,
    task_id         uuid        NOT NULL,
    seq             bigint      NOT NULL,      -- 1, 2, 3, … within the task: the order of delivery
    id              uuid        NOT NULL,
    text            text        NOT NULL,
    attachments     jsonb       NOT NULL DEFAULT '[]',
    metadata        jsonb       NOT NULL DEFAULT '{}',
    origin          text        NOT NULL,      -- the door it came through: a dialect's name, 'temporal', 'deadline'
    sender          text        NOT NULL,
    answers         text[]      NOT NULL DEFAULT '{}',  -- the questions it answered when it was accepted
    decides         text[]      NOT NULL DEFAULT '{}',  -- the approvals it closed when it was accepted
    grants          text[]      NOT NULL DEFAULT '{}',  -- tools it consents to for the rest of the task
    plan_only       boolean,                   -- from its turn on; NULL leaves that as it is
    state           text        NOT NULL DEFAULT 'accepted',
    turn            integer,                   -- the turn that claimed it
    failed_turns    integer[]   NOT NULL DEFAULT '{}',  -- turns that had claimed it before it was redriven
    reason          text,                      -- why it is dead
    idempotency_key text,
    digest          bytea       NOT NULL,      -- SHA-256 of what was sent, normalised
    receipt         jsonb       NOT NULL DEFAULT '{}',  -- what the sender was told, for a repeat under the same key
    accepted_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_at      timestamptz,
    ended_at        timestamptz,               -- processed, withdrawn or dead
    PRIMARY KEY (tenant_id, task_id, seq),
    CONSTRAINT messages_id_unique UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, task_id) REFERENCES tasks ON DELETE CASCADE
);
CREATE UNIQUE INDEX messages_idempotency_unique ON messages (tenant_id, task_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX messages_dead ON messages (tenant_id, ended_at, id) WHERE state = 'dead';
CREATE INDEX messages_by_turn ON messages (tenant_id, task_id, turn, seq) WHERE turn IS NOT NULL;

CREATE TABLE turns (
    tenant_id  uuid        NOT NULL,
    task_id    uuid        NOT NULL,
    turn       integer     NOT NULL,
    state      text        NOT NULL DEFAULT 'running',
    outcome    text,                           -- the task's state that it ended with
    messages   integer     NOT NULL DEFAULT 0, -- how many it claimed; none: it goes on with what the turn before read
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    PRIMARY KEY (tenant_id, task_id, turn),
    FOREIGN KEY (tenant_id, task_id) REFERENCES tasks ON DELETE CASCADE
);

CREATE TABLE steps (
    tenant_id  uuid        NOT NULL,
    task_id    uuid        NOT NULL,
    turn       integer     NOT NULL,
    step       integer     NOT NULL,
    state      text        NOT NULL DEFAULT 'running',
    attempt    integer     NOT NULL DEFAULT 1,
    failures   integer     NOT NULL DEFAULT 0,  -- attempts that the model failed; a killed worker counts none
    first_event bigint     NOT NULL,            -- the number of the event that says it started
    text       text        NOT NULL DEFAULT '',
    response   jsonb,
    calls      jsonb       NOT NULL DEFAULT '[]',
    questions  jsonb       NOT NULL DEFAULT '{}',  -- what its ask_user calls asked, by the call's id
    error_code text,
    input_tokens  bigint   NOT NULL DEFAULT 0,
    output_tokens bigint   NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    PRIMARY KEY (tenant_id, task_id, turn, step),
    FOREIGN KEY (tenant_id, task_id) REFERENCES tasks ON DELETE CASCADE
);

CREATE TABLE tool_calls (
    tenant_id  uuid        NOT NULL,
    task_id    uuid        NOT NULL,
    turn       integer     NOT NULL,
    step       integer     NOT NULL,
    call_id    text        NOT NULL,
    ordinal    integer     NOT NULL,
    name       text        NOT NULL,
    arguments  jsonb       NOT NULL,
    edited     boolean     NOT NULL DEFAULT false,      -- the arguments are not the model's, but an approver's
    state      text        NOT NULL DEFAULT 'pending',  -- held, pending, running, done
    content    jsonb,
    failed     boolean     NOT NULL DEFAULT false,
    started_at timestamptz,
    ended_at   timestamptz,
    PRIMARY KEY (tenant_id, task_id, turn, step, call_id),
    FOREIGN KEY (tenant_id, task_id, turn, step) REFERENCES steps ON DELETE CASCADE
);

-- Consent to tool calls: what was asked, and what was decided. Which are open, the task's row says (open_approvals).
CREATE TABLE approvals (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    task_id    uuid        NOT NULL,
    turn       integer     NOT NULL,
    step       integer     NOT NULL,
    call_id    text        NOT NULL,
    tool       text        NOT NULL,
    arguments  jsonb       NOT NULL,           -- as the model asked
    digest     text        NOT NULL,           -- SHA-256 of tool and arguments
    state      text        NOT NULL DEFAULT 'open',  -- open, approved, declined, cancelled
    decided_by text,
    reason     text,
    edited     jsonb,                          -- the arguments that were approved, where they are others
    approved_digest text,                      -- of what was approved: checked again just before the call
    asked_at   timestamptz NOT NULL,
    decided_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT approvals_call_unique UNIQUE (tenant_id, task_id, turn, step, call_id),
    FOREIGN KEY (tenant_id, task_id, turn, step, call_id) REFERENCES tool_calls ON DELETE CASCADE
);

-- What agents wrote down for the tasks of their execution to read.
CREATE TABLE notes (
    tenant_id    uuid        NOT NULL,
    execution_id uuid        NOT NULL,
    name         text        NOT NULL,
    text         text        NOT NULL,
    task_id      uuid        NOT NULL,         -- who wrote it last
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, execution_id, name),
    FOREIGN KEY (tenant_id, execution_id) REFERENCES executions ON DELETE CASCADE
);

CREATE TABLE events (
    tenant_id       uuid        NOT NULL,
    execution_id    uuid        NOT NULL,
    seq             bigint      NOT NULL,      -- 1, 2, 3, … within the execution, visible in this order
    type            text        NOT NULL,
    task_id         uuid,
    position        bigint,
    task_state      text,                      -- the state that the event brought about
    execution_state text,
    data            jsonb       NOT NULL,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, execution_id, seq),
    FOREIGN KEY (tenant_id, execution_id) REFERENCES executions ON DELETE CASCADE
);

-- Which worker sweeps: one row, and until when nobody else does.
CREATE TABLE sweeper (
    one    boolean     PRIMARY KEY DEFAULT true CHECK (one),
    holder uuid        NOT NULL,
    until  timestamptz NOT NULL
);
