-- name: write_note
INSERT INTO notes (tenant_id, execution_id, name, text, task_id) VALUES (:tenant, :execution, :name, :text, :task)
ON CONFLICT (tenant_id, execution_id, name)
    DO UPDATE SET text = excluded.text, task_id = excluded.task_id, updated_at = clock_timestamp();

-- name: read_notes
SELECT name, text FROM notes WHERE tenant_id = :tenant AND execution_id = :execution ORDER BY updated_at, name;
