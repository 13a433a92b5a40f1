-- name: insert_key
INSERT INTO keys (tenant_id, id, digest, name, scopes, agent_id, per_minute, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING created_at;

-- name: key_by_digest
-- A key that counts now.
SELECT k.tenant_id, k.id, k.name, k.scopes, k.agent_id, k.per_minute, k.created_at, k.expires_at, k.revoked_at,
       k.last_used_at, t.name AS tenant, a.number AS agent_number
  FROM keys k JOIN tenants t ON t.id = k.tenant_id
       LEFT JOIN agents a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id
 WHERE k.digest = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());

-- name: note_key_uses
-- Keys that are in use: $1 tenants, $2 ids. Locked in one order, and left alone where another process has just noted it.
WITH used AS MATERIALIZED (
    SELECT k.tenant_id, k.id
      FROM unnest($1::uuid[], $2::uuid[]) AS q (tenant_id, id) JOIN keys k ON k.tenant_id = q.tenant_id AND k.id = q.id
     WHERE k.last_used_at IS NULL OR k.last_used_at < now() - interval '5 seconds'
     ORDER BY k.id
       FOR NO KEY UPDATE OF k
)
UPDATE keys k SET last_used_at = now() FROM used u WHERE k.tenant_id = u.tenant_id AND k.id = u.id;

-- name: list_keys
-- A page of a tenant's keys, oldest first. $2 and $3: where the page before ended, or NULL. $4 agent or NULL, $5 limit or
-- NULL.
SELECT k.tenant_id, k.id, k.name, k.scopes, k.agent_id, k.per_minute, k.created_at, k.expires_at, k.revoked_at,
       k.last_used_at, t.name AS tenant, a.number AS agent_number
  FROM keys k JOIN tenants t ON t.id = k.tenant_id
       LEFT JOIN agents a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id
 WHERE k.tenant_id = $1 AND ($2::timestamptz IS NULL OR (k.created_at, k.id) > ($2, $3::uuid))
   AND ($4::uuid IS NULL OR k.agent_id = $4)
 ORDER BY k.created_at, k.id
 LIMIT $5;

-- name: key_by_id
SELECT k.tenant_id, k.id, k.name, k.scopes, k.agent_id, k.per_minute, k.created_at, k.expires_at, k.revoked_at,
       k.last_used_at, t.name AS tenant, a.number AS agent_number
  FROM keys k JOIN tenants t ON t.id = k.tenant_id
       LEFT JOIN agents a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id
 WHERE k.tenant_id = $1 AND k.id = $2;

-- name: revoke_key
UPDATE keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = $1 AND id = $2 RETURNING id;
