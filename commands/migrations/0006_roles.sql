-- One group role for each part of the platform, with what it needs and no more. People and programs sign in as members of one of them.
-- Roles belong to the whole cluster: another database may have made them, or be making them right now, and where we may not make roles
-- the installation does without (then whoever signs in may do what the owner grants by hand). Nobody but the owner may change an event.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['astro_customer', 'astro_supplier', 'astro_employee', 'astro_core', 'astro_scheduler', 'astro_sequencer',
        'astro_projector', 'astro_vault']
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
            NULL;
        END;
    END LOOP;
END $$;

-- Grants to those of these roles that are there. Migrations of other crates use it too.
CREATE FUNCTION grant_to(roles text[], what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY roles LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_' || role) THEN
            EXECUTE format('GRANT %s TO %I', what, 'astro_' || role);
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION grant_to FROM PUBLIC;

-- Everybody reads the log: services to decide, readers to follow it, the start to see whether it can read all forms.
SELECT grant_to(ARRAY['customer', 'supplier', 'employee', 'core', 'scheduler', 'sequencer', 'projector'],
    'SELECT ON events, log, recorded, forms, sequencer');
-- Who decides appends: not where an event stands, nor in which transaction, nor when.
SELECT grant_to(ARRAY['customer', 'supplier', 'employee', 'core', 'scheduler'],
    'INSERT (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, event_id, command_id, correlation_id, '
    'causation_id, actor, traceparent, body_hash) ON events');
SELECT grant_to(ARRAY['customer', 'supplier', 'employee', 'core', 'scheduler'], 'SELECT ON command_log, timers');
SELECT grant_to(ARRAY['customer', 'supplier', 'employee', 'core', 'scheduler'],
    'INSERT (command_id, request_hash, stream_type, stream_id, first_sequence, last_sequence, refusal) ON command_log');
SELECT grant_to(ARRAY['customer', 'supplier', 'employee', 'core', 'scheduler'],
    'INSERT (stream_type, stream_id, kind, subject, due_at, event_id) ON timers');
SELECT grant_to(ARRAY['customer', 'supplier', 'employee', 'core', 'scheduler'], 'SELECT, INSERT, UPDATE, DELETE ON snapshots');
SELECT grant_to(ARRAY['scheduler'], 'UPDATE (fired_at) ON timers');
-- One numbers.
SELECT grant_to(ARRAY['sequencer'], 'INSERT ON log, forms');
SELECT grant_to(ARRAY['sequencer'], 'UPDATE ON sequencer');

-- The one role of before had too much.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_app') THEN
        REVOKE ALL ON events, command_log, log, timers, sequencer, recorded, forms, snapshots FROM astro_app;
        REVOKE UPDATE (fired_at) ON timers FROM astro_app;
    END IF;
END $$;
