-- The scheduler reads from the log which timers events ask for; who appends writes them no more.
SELECT grant_to(ARRAY['scheduler'], 'INSERT (stream_type, stream_id, kind, subject, due_at, event_id) ON timers');
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['astro_customer', 'astro_supplier', 'astro_employee', 'astro_core'] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('REVOKE INSERT (stream_type, stream_id, kind, subject, due_at, event_id), SELECT ON timers FROM %I', role);
        END IF;
    END LOOP;
END $$;
