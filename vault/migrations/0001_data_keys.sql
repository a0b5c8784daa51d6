-- One data key for each person, wrapped by a master key that is not in this database. Without the row's key everything of the person,
-- wherever it is kept, is unreadable for ever.
CREATE TABLE data_keys (
    person uuid PRIMARY KEY,
    -- AES-256-KWP; gone once the person is erased
    wrapped bytea,
    -- which master key wrapped it
    master int,
    made_at timestamptz DEFAULT clock_timestamp(),
    erased_at timestamptz,
    CHECK ((erased_at IS NULL AND wrapped IS NOT NULL AND master IS NOT NULL AND made_at IS NOT NULL)
        OR (erased_at IS NOT NULL AND wrapped IS NULL AND master IS NULL AND made_at IS NULL))
)
-- A key that was deleted must leave the file soon.
WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX data_keys_master ON data_keys (master) WHERE erased_at IS NULL;

-- An erased person stays erased, whoever asks.
CREATE FUNCTION stays_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an erased person stays erased';
END $$;
CREATE TRIGGER stays_erased BEFORE UPDATE OR DELETE ON data_keys FOR EACH ROW WHEN (OLD.erased_at IS NOT NULL) EXECUTE FUNCTION stays_erased();
