-- The event store: what happened (events), where it stands (log), who was answered what (command_log), what is due (timers).
-- Versions below 1000 belong to this crate; the views keep theirs from 1000 on in the same table of migrations.

CREATE TABLE events (
    -- the seven columns of postgres-es
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 1),
    event_type text NOT NULL,
    event_version text NOT NULL,
    payload json NOT NULL,
    metadata json NOT NULL DEFAULT '{}',
    -- ours
    event_id uuid NOT NULL,
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    command_id uuid NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid,
    actor text NOT NULL,
    traceparent text,
    body_hash bytea NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);
CREATE UNIQUE INDEX events_id ON events (id);
CREATE INDEX events_xid ON events (xid);

CREATE TABLE command_log (
    command_id uuid PRIMARY KEY,
    request_hash bytea NOT NULL,
    stream_type text NOT NULL,
    stream_id text NOT NULL,
    -- the events it caused; last_sequence = first_sequence - 1 when it caused none
    first_sequence bigint NOT NULL,
    last_sequence bigint NOT NULL,
    refusal json,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE timers (
    stream_type text NOT NULL,
    stream_id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    due_at timestamptz NOT NULL,
    fired_at timestamptz,
    event_id uuid NOT NULL,
    PRIMARY KEY (stream_type, stream_id, kind, subject, due_at)
);
CREATE INDEX timers_due ON timers (due_at) WHERE fired_at IS NULL;

-- No foreign key to events: its check would lock, and so rewrite, every row of events once more. The audit checks the pairing instead.
CREATE TABLE log (
    position bigint PRIMARY KEY CHECK (position >= 1),
    event_row bigint NOT NULL UNIQUE,
    hash bytea NOT NULL
);

-- One row. Every event of a transaction below settled_to has a position, or was rolled back.
CREATE TABLE sequencer (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL DEFAULT 0,
    holder uuid,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    position bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000',
    settled_to xid8 NOT NULL DEFAULT '0'
);
INSERT INTO sequencer DEFAULT VALUES;

CREATE VIEW recorded AS
SELECT l.position, e.event_id, e.aggregate_type AS stream_type, e.aggregate_id AS stream_id, e.sequence, e.event_type,
    e.event_version::int AS event_version, e.recorded_at, e.command_id, e.correlation_id, e.causation_id, e.actor, e.traceparent,
    e.payload, e.body_hash, l.hash, l.event_row
FROM log l JOIN events e ON e.id = l.event_row;

-- History is not edited, not even by the owner by mistake.
CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are kept as they are', TG_TABLE_NAME;
END $$;
CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE OR TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE OR TRUNCATE ON command_log FOR EACH STATEMENT EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE OR TRUNCATE ON log FOR EACH STATEMENT EXECUTE FUNCTION keep_history();

-- The least a running service needs. Roles belong to the whole cluster: another database may have made it, or be making it right now,
-- and where we may not make roles the installation does without.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_app') THEN
        CREATE ROLE astro_app NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
    NULL;
END $$;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_app') THEN
        GRANT SELECT, INSERT ON events, command_log, log, timers TO astro_app;
        GRANT SELECT, UPDATE ON sequencer TO astro_app;
        GRANT UPDATE (fired_at) ON timers TO astro_app;
        GRANT SELECT ON recorded TO astro_app;
    END IF;
END $$;
