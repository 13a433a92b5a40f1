-- Why a step failed, in the provider's words; why an answer ended; what it used beside tokens; and since when, and for
-- how long at the provider's own wish, a step has been tried again.

ALTER TABLE steps
    ADD COLUMN IF NOT EXISTS finish_reason text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS error_message text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS cached_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS reasoning_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS model_calls integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS usd double precision,
    ADD COLUMN IF NOT EXISTS failing_since timestamptz,
    ADD COLUMN IF NOT EXISTS asked_seconds double precision NOT NULL DEFAULT 0;
