-- Who sent a message and who decided on an approval, by kind and id: names are chosen by anybody. NULL where older code
-- has recorded the name alone.

ALTER TABLE messages ADD COLUMN IF NOT EXISTS author jsonb;
-- commit
ALTER TABLE approvals ADD COLUMN IF NOT EXISTS author jsonb;
