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
