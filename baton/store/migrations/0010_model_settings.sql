-- How an agent's model is asked.

ALTER TABLE agents ADD COLUMN IF NOT EXISTS model_settings jsonb NOT NULL DEFAULT '{}';
