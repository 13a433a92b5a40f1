-- name: server_state
-- Whether Baton's schema was ever made here, and whether the server takes no writes (a standby, or set so).
SELECT to_regclass('schema_migrations') IS NOT NULL AS has_schema,
       pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only;

-- name: schema_number
-- The last migration that ran.
SELECT max(number) FROM schema_migrations;

-- name: write_nothing
-- A record of the write-ahead log that nobody reads, flushed with its commit.
SELECT pg_logical_emit_message(true, 'baton.health', '');

-- name: queues_with_work
-- The task queues of the tasks and plans that wait for a worker to hear of them. For an operator: of all tenants.
SELECT DISTINCT e.queue
  FROM (SELECT * FROM (SELECT tenant_id, execution_id FROM tasks WHERE ring_at IS NOT NULL LIMIT :limit) of_tasks
        UNION ALL
        SELECT * FROM (SELECT tenant_id, id FROM executions WHERE ring_at IS NOT NULL LIMIT :limit) of_plans) rung
       JOIN executions e ON e.tenant_id = rung.tenant_id AND e.id = rung.execution_id;
