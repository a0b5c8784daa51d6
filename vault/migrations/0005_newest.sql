-- The newest master key that keys of persons were wrapped with: once it is in use no older one wraps anything, or the file of that could not go.
CREATE TABLE masters (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    newest int NOT NULL
);
INSERT INTO masters (newest) SELECT coalesce(max(master), 1) FROM data_keys;

-- Waits for a rotation that is beginning, and makes it wait. As the owner: to lock a row takes the right to change it.
CREATE FUNCTION newest_wraps() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.master < (SELECT newest FROM masters FOR SHARE) THEN
        RAISE EXCEPTION 'master key % wraps no more', NEW.master USING ERRCODE = 'AV001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER newest_wraps BEFORE INSERT ON data_keys FOR EACH ROW WHEN (NEW.master IS NOT NULL) EXECUTE FUNCTION newest_wraps();

DO $$
DECLARE
    keeper text;
BEGIN
    REVOKE ALL ON masters FROM PUBLIC;
    FOREACH keeper IN ARRAY ARRAY['astro_core', 'astro_scheduler'] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = keeper) THEN
            EXECUTE format('GRANT SELECT, UPDATE (newest) ON masters TO %I', keeper);
        END IF;
    END LOOP;
END $$;
