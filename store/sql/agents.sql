-- name: insert_agent
INSERT INTO agents (tenant_id, id, name, model, instructions, tools, policies, limits, mode, is_default)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, created_at;

-- name: insert_default_agent
-- The tenant's first default agent; nothing if it has one, or an agent of that name.
INSERT INTO agents (tenant_id, id, name, model, tools, is_default)
VALUES ($1, $2, $3, $4, $5, true)
ON CONFLICT DO NOTHING;

-- name: agent_by_id
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, created_at
  FROM agents WHERE tenant_id = $1 AND id = $2;

-- name: agent_by_number
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, created_at
  FROM agents WHERE tenant_id = $1 AND number = $2;

-- name: agent_by_name
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, created_at
  FROM agents WHERE tenant_id = $1 AND name = $2;

-- name: default_agent
SELECT tenant_id, id, number, name, model, instructions, tools, policies, limits, mode, is_default, created_at
  FROM agents WHERE tenant_id = $1 AND is_default;
