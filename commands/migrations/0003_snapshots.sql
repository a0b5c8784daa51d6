-- Folded streams, so that a long one need not be read from its start. A cache: rows may be deleted, and the table emptied, at any time.
CREATE TABLE snapshots (
    stream_type text NOT NULL,
    stream_id text NOT NULL,
    -- of the decider's state; one that this program does not have is not looked at
    state_version int NOT NULL,
    -- the sequence of the last event in it
    version bigint NOT NULL,
    state json NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream_type, stream_id, state_version)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON snapshots TO astro_app;
    END IF;
END $$;
