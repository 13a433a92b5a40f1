-- name: write_note
INSERT INTO notes (tenant_id, execution_id, name, text, task_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, execution_id, name)
    DO UPDATE SET text = excluded.text, task_id = excluded.task_id, updated_at = clock_timestamp();

-- name: read_notes
SELECT name, text FROM notes WHERE tenant_id = $1 AND execution_id = $2 ORDER BY updated_at, name;
