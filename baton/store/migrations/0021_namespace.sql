-- Which namespace of Temporal serves this database, by the id that Temporal gave it, and since when: one row. After a
-- restore, turns that another namespace served have no workflow in this one, and go on there.

CREATE TABLE IF NOT EXISTS temporal_namespace (
    one   boolean     PRIMARY KEY DEFAULT true CHECK (one),
    id    text        NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
