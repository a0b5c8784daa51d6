-- Who asks the vault: the members of one group role, made with the event store's roles or here. Keys are never deleted as rows: an erased
-- person stays known as erased.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_vault') THEN
        CREATE ROLE astro_vault NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
    NULL;
END $$;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_vault') THEN
        GRANT SELECT, INSERT, UPDATE ON data_keys TO astro_vault;
    END IF;
END $$;
