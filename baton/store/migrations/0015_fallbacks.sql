-- The models that may answer where an agent's own one cannot.

ALTER TABLE agents ADD COLUMN IF NOT EXISTS fallbacks jsonb NOT NULL DEFAULT '[]';
