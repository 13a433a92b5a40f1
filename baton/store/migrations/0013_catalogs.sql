-- The names of tools and models that workers have, for those who write names: whoever has none of them cannot tell
-- whether a name is one. Workers that have the same renew one row; what nobody renews ages out. No tenant: workers serve
-- all of them.

CREATE TABLE IF NOT EXISTS catalogs (
    digest     bytea       PRIMARY KEY,
    tools      jsonb       NOT NULL,  -- by name: whether a call changes things
    models     jsonb       NOT NULL,  -- by provider: the names that are known of its models
    renewed_at timestamptz NOT NULL DEFAULT now()
);
