-- The customer service takes personal data in and forgets nobody: that is asked of the core service.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_customer') THEN
        REVOKE UPDATE (wrapped, master, made_at, erased_at) ON data_keys FROM astro_customer;
    END IF;
END $$;
