-- Messages that have come to no end, by age: what metrics say of them must not read all others. By `ended_at`, not by
-- state: a task's accepted messages are no reason to read those of all tasks.

CREATE INDEX IF NOT EXISTS messages_unprocessed ON messages (accepted_at) WHERE ended_at IS NULL;
