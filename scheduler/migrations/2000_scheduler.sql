-- What the scheduler has still to do (jobs) and how far it has read the log (reactions).
-- Versions 2000 to 2999 of the common table of migrations belong to this crate.

CREATE SCHEMA scheduler;

-- One row for each consumer of the log that acts on it. Moved on in the transaction that queues the jobs, and only from where it was read.
CREATE TABLE scheduler.reactions (
    name text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0
);

-- Work that follows from an event: queued once per (kind, key), tried until it is done, then deleted.
CREATE TABLE scheduler.jobs (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    key text NOT NULL,
    work json NOT NULL,
    cause uuid NOT NULL,
    correlation uuid NOT NULL,
    run_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    error text,
    UNIQUE (kind, key)
);
CREATE INDEX jobs_due ON scheduler.jobs (run_at);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_app') THEN
        GRANT USAGE ON SCHEMA scheduler TO astro_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON scheduler.reactions, scheduler.jobs TO astro_app;
    END IF;
END $$;
