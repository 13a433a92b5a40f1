-- name: server_state
-- Whether Baton's schema was ever made here, and whether the server takes no writes (a standby, or set so).
SELECT to_regclass('schema_migrations') IS NOT NULL AS has_schema,
       pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only;

-- name: schema_number
-- The last migration that ran.
SELECT max(number) FROM schema_migrations;
