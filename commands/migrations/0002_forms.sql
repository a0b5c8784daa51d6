-- Which forms of events the log holds, each with one event as a sample, so that a program can tell at its start whether it reads them all.
-- Kept by the sequencer in the statement that gives events their places.
CREATE TABLE forms (
    stream_type text NOT NULL,
    event_type text NOT NULL,
    event_version int NOT NULL,
    event_row bigint NOT NULL,
    PRIMARY KEY (stream_type, event_type, event_version)
);
INSERT INTO forms (stream_type, event_type, event_version, event_row)
SELECT e.aggregate_type, e.event_type, e.event_version::int, min(e.id) FROM log l JOIN events e ON e.id = l.event_row GROUP BY 1, 2, 3;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_app') THEN
        GRANT SELECT, INSERT ON forms TO astro_app;
    END IF;
END $$;
