-- part: cut_from
-- A list, whose query stands between this and `cut_to`, cut after most_bytes of its rows: one row at least. Each of its
-- rows says what its long columns take on disk (stored), which is known without reading them. That cuts first; what
-- rows hold, which may be a hundred times as much, is measured of those that are left. rows_in_page: how many the list
-- had before it was cut.
SELECT * FROM (
SELECT m.*, sum(octet_length(to_jsonb(m)::text)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
  FROM (
SELECT * FROM (
SELECT p.*, count(*) OVER () AS rows_in_page,
       sum(p.stored) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS stored_before
  FROM (

-- part: cut_to
) p
) f WHERE coalesce(f.stored_before, 0) < :most_bytes
) m
) q WHERE coalesce(q.bytes_before, 0) < :most_bytes

-- part: stored_task
pg_column_size(t.title) + pg_column_size(t.description) + coalesce(pg_column_size(t.result), 0)
+ pg_column_size(t.open_questions) + pg_column_size(t.open_approvals) AS stored

-- part: stored_execution
pg_column_size(e.title) + pg_column_size(e.summary) + pg_column_size(e.metadata) AS stored

-- part: stored_agent
pg_column_size(a.instructions) + pg_column_size(a.policies) + pg_column_size(a.model_settings)
+ pg_column_size(a.fallbacks) + pg_column_size(a.result_schema) AS stored
