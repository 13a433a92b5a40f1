-- name: insert_start
-- Violates starts_key_unique where the key is taken; waits for whoever is just taking it.
INSERT INTO starts (tenant_id, scope, idempotency_key, digest, made_id)
VALUES (:tenant, :scope, :idempotency_key, :digest, :made);

-- name: start_by_key
SELECT digest, made_id FROM starts
 WHERE tenant_id = :tenant AND scope = :scope AND idempotency_key = :idempotency_key;

-- name: expire_starts
-- Removes starts of all tenants, the oldest first. Passes by what another one is just removing.
DELETE FROM starts
 WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM starts
            WHERE created_at < now() - make_interval(secs => :seconds)
            ORDER BY created_at
            LIMIT :limit
              FOR UPDATE SKIP LOCKED))
RETURNING 1;
