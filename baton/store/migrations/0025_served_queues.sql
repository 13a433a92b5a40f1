-- The task queues that workers have ever served: what waits on one of them waits for its worker, and what waits on another
-- has been sent astray. Rows stay; delete that of a queue which was given up. No tenant: workers serve all of them.

CREATE TABLE IF NOT EXISTS served_queues (
    queue text        PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);
