-- What a task asks is said once; events that come later name it by id. Readers look it up by this index.

CREATE INDEX IF NOT EXISTS events_of_asking ON events (tenant_id, execution_id, task_id, seq)
 WHERE type IN ('question.asked', 'approval.asked');
