-- name: insert_agent
INSERT INTO agents (tenant_id, id, name, model, instructions, tools, policies, limits, mode, is_default)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, version, created_at,
          updated_at;

-- name: insert_default_agent
-- The tenant's first default agent; nothing if it has one, or an agent of that name.
INSERT INTO agents (tenant_id, id, name, model, tools, is_default)
VALUES ($1, $2, $3, $4, $5, true)
ON CONFLICT DO NOTHING;

-- name: agent_by_id
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, version, created_at,
       updated_at
  FROM agents WHERE tenant_id = $1 AND id = $2;

-- name: agent_by_number
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, version, created_at,
       updated_at
  FROM agents WHERE tenant_id = $1 AND number = $2;

-- name: agent_by_name
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, version, created_at,
       updated_at
  FROM agents WHERE tenant_id = $1 AND name = $2;

-- name: default_agent
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, version, created_at,
       updated_at
  FROM agents WHERE tenant_id = $1 AND is_default;

-- name: list_agents
-- A page of a tenant's agents, oldest first. $2: the number at which the page before ended, or NULL. $3 agent or NULL,
-- $4 limit.
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, version, created_at,
       updated_at
  FROM agents
 WHERE tenant_id = $1 AND ($2::bigint IS NULL OR number > $2) AND ($3::uuid IS NULL OR id = $3)
 ORDER BY number
 LIMIT $4;

-- name: lock_agent
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, version, created_at,
       updated_at
  FROM agents WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE;

-- name: update_agent
UPDATE agents
   SET name = $3, model = $4, instructions = $5, tools = $6, policies = $7, limits = $8, mode = $9, is_default = $10,
       version = version + 1, updated_at = now()
 WHERE tenant_id = $1 AND id = $2
RETURNING tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, version, created_at,
          updated_at;

-- name: lock_agents
-- All of a tenant's agents, by id: whoever moves the default holds them.
SELECT id FROM agents WHERE tenant_id = $1 ORDER BY id FOR NO KEY UPDATE;

-- name: unset_default_agent
UPDATE agents SET is_default = false, version = version + 1, updated_at = now() WHERE tenant_id = $1 AND is_default;
