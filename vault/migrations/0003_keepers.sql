-- Who may do what with the keys of persons (see the event store's migration on roles; the roles belong to the whole cluster). Everyone who
-- shows personal data reads keys, as a member of `astro_vault`; only those who take it in, or forget people, make and delete keys.
-- The supplier and employee services do neither. Nobody but the owner deletes rows.
REVOKE ALL ON data_keys FROM PUBLIC;
DO $$
DECLARE
    keeper text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_vault') THEN
        RETURN;
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO astro_vault', current_database());
    REVOKE INSERT, UPDATE ON data_keys FROM astro_vault;
    FOREACH keeper IN ARRAY ARRAY['astro_customer', 'astro_core', 'astro_scheduler'] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = keeper) THEN
            EXECUTE format('GRANT INSERT (person, wrapped, master, made_at, erased_at) ON data_keys TO %I', keeper);
            EXECUTE format('GRANT UPDATE (wrapped, master, made_at, erased_at) ON data_keys TO %I', keeper);
        END IF;
    END LOOP;
END $$;
