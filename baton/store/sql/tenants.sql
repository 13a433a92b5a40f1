-- name: ensure_tenant
-- The tenant's id, made if there is none by that name. (A no-op update, so that RETURNING sees an existing row.)
INSERT INTO tenants (id, name) VALUES (:tenant, :name)
ON CONFLICT ON CONSTRAINT tenants_name_unique DO UPDATE SET name = excluded.name
RETURNING id;

-- name: tenant_by_name
SELECT id FROM tenants WHERE name = :name;
