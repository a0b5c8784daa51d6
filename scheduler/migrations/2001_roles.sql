-- The scheduler alone works on its jobs (see the event store's migration on roles).
SELECT grant_to(ARRAY['scheduler'], 'USAGE ON SCHEMA scheduler');
SELECT grant_to(ARRAY['scheduler'], 'SELECT, INSERT, UPDATE, DELETE ON scheduler.reactions, scheduler.jobs');
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_app') THEN
        REVOKE ALL ON scheduler.reactions, scheduler.jobs FROM astro_app;
        REVOKE USAGE ON SCHEMA scheduler FROM astro_app;
    END IF;
END $$;
