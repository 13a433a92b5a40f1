-- part: key
SELECT k.tenant_id, k.id, k.name, k.scopes, k.agent_id, k.per_minute, k.created_at, k.expires_at, k.revoked_at,
       k.last_used_at, t.name AS tenant, a.number AS agent_number
  FROM keys k JOIN tenants t ON t.id = k.tenant_id
       LEFT JOIN agents a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id

-- name: insert_key
INSERT INTO keys (tenant_id, id, digest, name, scopes, agent_id, per_minute, expires_at)
VALUES (:tenant, :key, :digest, :name, :scopes, :agent, :per_minute, :expires_at);

-- name: key_by_digest
-- A key that counts now.
${key}
 WHERE k.digest = :digest AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());

-- name: note_key_uses
-- Keys that are in use. Locked in one order, and left alone where another process has just noted it.
WITH used AS MATERIALIZED (
    SELECT k.tenant_id, k.id
      FROM unnest(:tenants::uuid[], :keys::uuid[]) AS q (tenant_id, id)
           JOIN keys k ON k.tenant_id = q.tenant_id AND k.id = q.id
     WHERE k.last_used_at IS NULL OR k.last_used_at < now() - interval '5 seconds'
     ORDER BY k.id
       FOR NO KEY UPDATE OF k
)
UPDATE keys k SET last_used_at = now() FROM used u WHERE k.tenant_id = u.tenant_id AND k.id = u.id;

-- name: list_keys
-- A page of a tenant's keys, oldest first. after_time, after_id: where the page before ended; agent: only that one's
-- keys; limit; each may be NULL.
${key}
 WHERE k.tenant_id = :tenant
   AND (:after_time::timestamptz IS NULL OR (k.created_at, k.id) > (:after_time, :after_id::uuid))
   AND (:agent::uuid IS NULL OR k.agent_id = :agent)
 ORDER BY k.created_at, k.id
 LIMIT :limit;

-- name: key_by_id
${key}
 WHERE k.tenant_id = :tenant AND k.id = :key;

-- name: revoke_key
UPDATE keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = :tenant AND id = :key RETURNING id;
