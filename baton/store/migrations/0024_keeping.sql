-- What is kept, and for how long. pruned_seq: of steps that were completed up to this event, the log has the text once,
-- in step.completed, and no pieces of it any more. prune_seen: up to this event there is nothing left to be pruned.
-- Which executions are over, and since when, an index says. And which worker prunes: one row, and until when nobody
-- else does.

ALTER TABLE executions
    ADD COLUMN IF NOT EXISTS pruned_seq bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS prune_seen bigint NOT NULL DEFAULT 0;
CREATE TABLE IF NOT EXISTS pruner (
    one    boolean     PRIMARY KEY DEFAULT true CHECK (one),
    holder uuid        NOT NULL,
    until  timestamptz NOT NULL
);
-- commit
-- concurrently
CREATE INDEX CONCURRENTLY IF NOT EXISTS executions_finished ON executions (tenant_id, completed_at, id)
 WHERE completed_at IS NOT NULL;
