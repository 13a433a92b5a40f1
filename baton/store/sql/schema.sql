-- name: schema_contents
-- What the tables of a schema (its oid) are made of, a line for each column, constraint, index and table. Names are as
-- the search path makes them; a NOT NULL is its column's.
WITH tables AS (
    SELECT oid, relname, reloptions FROM pg_class
     WHERE relnamespace = :schema::oid AND relkind = 'r' AND relname <> 'schema_migrations'
)
SELECT concat_ws(' ', 'table', relname, array_to_string(reloptions, ', ')) AS line FROM tables
UNION ALL
SELECT concat_ws(' ', 'column', t.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod),
                 CASE WHEN a.attnotnull THEN 'NOT NULL' END, 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
                 'IDENTITY ' || nullif(a.attidentity, '')::text)
  FROM tables t
       JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT concat_ws(' ', 'constraint', t.relname || '.' || c.conname, pg_get_constraintdef(c.oid, true))
  FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype <> 'n'
UNION ALL
SELECT concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid, 0, true))
  FROM tables t JOIN pg_index i ON i.indrelid = t.oid;

-- name: half_built
-- An index that was begun while others write and is no use yet: whether somebody is still building it, or was killed
-- over it. Who builds it has this lock on its table, as vacuuming has.
SELECT EXISTS (
           SELECT FROM pg_locks AS l
             LEFT JOIN pg_stat_activity AS a USING (pid)
            WHERE l.locktype = 'relation' AND l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock'
              AND l.granted AND l.pid <> pg_backend_pid()
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND a.backend_type IS DISTINCT FROM 'autovacuum worker') AS is_being_built
  FROM pg_index AS i
 WHERE i.indexrelid = to_regclass(:index) AND NOT i.indisvalid;
