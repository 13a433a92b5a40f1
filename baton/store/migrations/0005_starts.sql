-- What was started under an Idempotency-Key, so that a repeat is told of it instead of starting another. A row is
-- written in the transaction of what it starts; the sweeper removes those that are over a day old.

CREATE TABLE IF NOT EXISTS starts (
    tenant_id       uuid        NOT NULL REFERENCES tenants,
    scope           uuid        NOT NULL,  -- who shares keys: the agent that the caller's credentials are for, else the tenant
    idempotency_key text        NOT NULL,
    digest          bytea       NOT NULL,  -- SHA-256 of what was asked for, normalised
    made_id         uuid        NOT NULL,  -- the execution, the agent or the key
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT starts_key_unique PRIMARY KEY (tenant_id, scope, idempotency_key)
);
CREATE INDEX IF NOT EXISTS starts_by_age ON starts (created_at);
