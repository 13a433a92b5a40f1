-- part: agent
-- An agent `a`.
a.tenant_id, a.id, a.number, a.name, a.model, a.instructions, a.tools, a.policies, a.limits, a.model_settings,
a.fallbacks, a.result_schema, a.mode, a.is_default, a.version, a.created_at, a.updated_at

-- name: insert_agent
INSERT INTO agents AS a
       (tenant_id, id, name, model, instructions, tools, policies, limits, model_settings, fallbacks, result_schema,
        mode, is_default)
VALUES (:tenant, :agent, :name, :model, :instructions, :tools, :policies, :limits, :model_settings, :fallbacks,
        :result_schema, :mode, :is_default)
RETURNING ${agent};

-- name: insert_default_agent
-- The tenant's first default agent; nothing if it has one, or an agent of that name.
INSERT INTO agents (tenant_id, id, name, model, tools, policies, is_default)
VALUES (:tenant, :agent, :name, :model, :tools, :policies, true)
ON CONFLICT DO NOTHING;

-- name: agent_by_id
SELECT ${agent} FROM agents a WHERE a.tenant_id = :tenant AND a.id = :agent;

-- name: agent_by_number
SELECT ${agent} FROM agents a WHERE a.tenant_id = :tenant AND a.number = :number;

-- name: agent_by_name
SELECT ${agent} FROM agents a WHERE a.tenant_id = :tenant AND a.name = :name;

-- name: agents_among
-- Those of a tenant's agents that have one of these ids, numbers or names. agent: only that one, or NULL.
SELECT ${agent} FROM agents a
 WHERE a.tenant_id = :tenant AND (:agent::uuid IS NULL OR a.id = :agent)
   AND (a.id = ANY (:ids::uuid[]) OR a.number = ANY (:numbers::bigint[]) OR a.name = ANY (:names::text[]));

-- name: agent_names
-- Names of a tenant's agents, those of the oldest first. agent: only that one's, or NULL.
SELECT a.name FROM agents a
 WHERE a.tenant_id = :tenant AND (:agent::uuid IS NULL OR a.id = :agent)
 ORDER BY a.number
 LIMIT :limit;

-- name: default_agent
SELECT ${agent} FROM agents a WHERE a.tenant_id = :tenant AND a.is_default;

-- name: list_agents
-- A page of a tenant's agents, oldest first. after: the number at which the page before ended, or NULL. agent: only
-- that one, or NULL.
${cut_from}
SELECT ${agent},
       ${stored_agent}
  FROM agents a
 WHERE a.tenant_id = :tenant
   AND (:after::bigint IS NULL OR a.number > :after)
   AND (:agent::uuid IS NULL OR a.id = :agent)
 ORDER BY a.number
 LIMIT :limit
${cut_to};

-- part: agents_named
-- Which agents `a` a list has. agent: only that one, search: what their names hold in any case; NULL for all.
a.tenant_id = :tenant
   AND (:agent::uuid IS NULL OR a.id = :agent)
   AND (:search::text IS NULL OR strpos(lower(a.name), lower(:search)) > 0)

-- name: search_agents
-- A page of a tenant's agents, oldest first.
${cut_from}
SELECT ${agent},
       ${stored_agent}
  FROM agents a
 WHERE ${agents_named}
 ORDER BY a.number
 LIMIT :limit OFFSET :offset
${cut_to};

-- name: count_agents
-- How many `search_agents` has in all.
SELECT count(*) FROM agents a WHERE ${agents_named};

-- name: lock_agent
SELECT ${agent} FROM agents a WHERE a.tenant_id = :tenant AND a.id = :agent FOR NO KEY UPDATE;

-- name: update_agent
UPDATE agents a
   SET name = :name, model = :model, instructions = :instructions, tools = :tools, policies = :policies,
       limits = :limits, model_settings = :model_settings, fallbacks = :fallbacks,
       result_schema = :result_schema, mode = :mode, is_default = :is_default,
       version = a.version + 1, updated_at = now()
 WHERE a.tenant_id = :tenant AND a.id = :agent
RETURNING ${agent};

-- name: lock_agents
-- All of a tenant's agents, by id: whoever moves the default holds them.
SELECT id FROM agents WHERE tenant_id = :tenant ORDER BY id FOR NO KEY UPDATE;

-- name: unset_default_agent
UPDATE agents SET is_default = false, version = version + 1, updated_at = now()
 WHERE tenant_id = :tenant AND is_default;
