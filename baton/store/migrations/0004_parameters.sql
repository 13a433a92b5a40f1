-- What the arguments of a call that waits for consent must obey: the tool's JSON Schema, NULL where none is known. Code
-- that knows nothing of it leaves it NULL.

ALTER TABLE tool_calls ADD COLUMN IF NOT EXISTS parameters jsonb;
