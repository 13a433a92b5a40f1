-- Results of tool calls that are too long for the model to read whole. tool_calls.content has a preview of each.

CREATE TABLE IF NOT EXISTS artifacts (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    task_id     uuid        NOT NULL,
    turn        integer     NOT NULL,
    step        integer     NOT NULL,
    call_id     text        NOT NULL,
    media_type  text        NOT NULL,
    content     bytea       NOT NULL,  -- UTF-8
    whole_bytes bigint      NOT NULL,  -- what the tool gave, where that was more than is kept
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT artifacts_call_unique UNIQUE (tenant_id, task_id, turn, step, call_id),
    FOREIGN KEY (tenant_id, task_id, turn, step, call_id) REFERENCES tool_calls ON DELETE CASCADE
);
-- Not compressed: a part is read without reading what is before it.
ALTER TABLE artifacts ALTER COLUMN content SET STORAGE EXTERNAL;
