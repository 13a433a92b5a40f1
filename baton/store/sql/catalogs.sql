-- name: publish_catalog
-- What a worker has; if others have the same, they have one row.
INSERT INTO catalogs (digest, tools, models) VALUES (:digest, :by_tool, :by_provider)
ON CONFLICT (digest) DO UPDATE SET renewed_at = now();

-- name: forget_catalogs
DELETE FROM catalogs WHERE renewed_at < now() - make_interval(secs => :seconds);

-- name: current_catalogs
-- The newest of what was published in the last seconds.
SELECT tools, models FROM catalogs
 WHERE renewed_at >= now() - make_interval(secs => :seconds)
 ORDER BY renewed_at DESC
 LIMIT :limit;

-- name: publish_queues
-- That workers serve these task queues.
INSERT INTO served_queues (queue) SELECT unnest(:queues::text[]) ON CONFLICT DO NOTHING;
