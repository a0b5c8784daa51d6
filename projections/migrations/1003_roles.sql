-- Who may do what with the views (see the event store's migration on roles). Tables of versions are made, shown and dropped by functions
-- of the owner: a projector writes views and can make no other table. The core service may too, for the rebuilds that operators ask for.

-- The form that a version of a view is made like; fails for what is no view.
CREATE FUNCTION operations.form_of(schema text, view text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF schema NOT IN ('operations', 'finance') OR to_regclass(format('%I.%I', schema, view || '_form')) IS NULL THEN
        RAISE EXCEPTION 'there is no view %.%', schema, view;
    END IF;
    RETURN format('%I.%I', schema, view || '_form');
END $$;

CREATE FUNCTION operations.make_version(schema text, view text, version int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    form text := operations.form_of(schema, view);
    made text := format('%I.%I', schema, view || '_v' || version);
    in_use boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.views v WHERE v.view = $1 AND v.version = $2)', schema) INTO in_use USING view, version;
    IF in_use THEN
        RAISE EXCEPTION 'version % of %.% is in use', version, schema, view;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', made);
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', made, form);
    PERFORM public.grant_to(ARRAY['projector', 'core'], format('SELECT, INSERT, UPDATE ON %s', made));
    IF schema = 'finance' AND view = 'journal' THEN
        EXECUTE format('DROP TABLE IF EXISTS finance.lines_v%s CASCADE', version);
        PERFORM finance.make_lines(version);
        PERFORM public.grant_to(ARRAY['projector', 'core'], format('SELECT, INSERT ON finance.lines_v%s', version));
    END IF;
END $$;

-- Lets the names that readers use mean this version.
CREATE FUNCTION operations.show_version(schema text, view text, version int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    readers text[] := CASE schema WHEN 'finance' THEN ARRAY['employee', 'core'] ELSE ARRAY['supplier', 'employee', 'core'] END;
BEGIN
    PERFORM operations.form_of(schema, view);
    EXECUTE format('CREATE OR REPLACE VIEW %I.%I AS SELECT * FROM %I.%I', schema, view, schema, view || '_v' || version);
    PERFORM public.grant_to(readers, format('SELECT ON %I.%I', schema, view));
    IF schema = 'finance' AND view = 'journal' THEN
        EXECUTE format('CREATE OR REPLACE VIEW finance.lines AS SELECT * FROM finance.lines_v%s', version);
        PERFORM public.grant_to(readers, 'SELECT ON finance.lines');
        -- Suppliers see what their launches earned, not the lines.
        PERFORM public.grant_to(ARRAY['supplier'], 'SELECT ON finance.journal');
    END IF;
END $$;

-- Drops a version. The one in use is not: a view hangs on it.
CREATE FUNCTION operations.drop_version(schema text, view text, version int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM operations.form_of(schema, view);
    EXECUTE format('DROP TABLE IF EXISTS %I.%I', schema, view || '_v' || version);
    IF schema = 'finance' AND view = 'journal' THEN
        EXECUTE format('DROP TABLE IF EXISTS finance.lines_v%s', version);
    END IF;
END $$;

REVOKE EXECUTE ON FUNCTION operations.form_of, operations.make_version, operations.show_version, operations.drop_version, finance.make_lines
    FROM PUBLIC;

DO $$
DECLARE
    schema text;
    readers text[];
    known record;
BEGIN
    FOREACH schema IN ARRAY ARRAY['operations', 'finance'] LOOP
        readers := CASE schema WHEN 'finance' THEN ARRAY['employee', 'core'] ELSE ARRAY['supplier', 'employee', 'core'] END;
        PERFORM grant_to(readers || ARRAY['projector'], format('USAGE ON SCHEMA %I', schema));
        PERFORM grant_to(readers || ARRAY['projector'],
            format('SELECT ON %1$I.views, %1$I.positions, %1$I.parked, %1$I.sharing, %1$I.members', schema));
        PERFORM grant_to(ARRAY['projector', 'core'],
            format('INSERT, UPDATE, DELETE ON %1$I.positions, %1$I.parked, %1$I.members', schema));
        PERFORM grant_to(ARRAY['projector', 'core'], format('INSERT, UPDATE ON %1$I.views, %1$I.sharing', schema));
        -- Versions that are there already.
        FOR known IN SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = schema AND c.relkind = 'r' AND c.relname ~ '_v[0-9]+$'
        LOOP
            PERFORM grant_to(ARRAY['projector', 'core'], format(
                CASE WHEN known.relname LIKE 'lines%' THEN 'SELECT, INSERT ON %I.%I' ELSE 'SELECT, INSERT, UPDATE ON %I.%I' END,
                schema, known.relname));
        END LOOP;
        FOR known IN SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = schema AND c.relkind = 'v'
        LOOP
            PERFORM grant_to(readers, format('SELECT ON %I.%I', schema, known.relname));
        END LOOP;
    END LOOP;
END $$;
-- What a supplier's launches earned.
SELECT grant_to(ARRAY['supplier'], 'USAGE ON SCHEMA finance');
SELECT grant_to(ARRAY['supplier'], 'SELECT ON finance.journal') WHERE to_regclass('finance.journal') IS NOT NULL;
-- The maker of versions is in one schema, for both.
SELECT grant_to(ARRAY['projector', 'core'], 'EXECUTE ON FUNCTION operations.make_version, operations.show_version, operations.drop_version');
