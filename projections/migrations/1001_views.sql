-- What the views in Postgres stand on. A view's documents are in a table of their own for each version, made like its form;
-- the SQL view of the view's name shows the version in use, so that switching is one statement and readers need not know.
-- Versions of these migrations begin at 1001: the table of migrations is shared with the event store's.

CREATE SCHEMA operations;
CREATE SCHEMA finance;

CREATE TABLE operations.views (
    view text PRIMARY KEY,
    version int NOT NULL,
    -- the one before, kept to go back to
    previous int,
    -- the highest version ever made
    latest int NOT NULL,
    rebuilding_until timestamptz,
    -- when a projector last looked after it, and what hinders it
    beat_at timestamptz,
    fault text NOT NULL DEFAULT ''
);
CREATE TABLE operations.positions (
    view text NOT NULL,
    version int NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (view, version)
);
-- Streams set aside because one of their events failed; later events of the stream wait behind it.
CREATE TABLE operations.parked (
    view text NOT NULL,
    version int NOT NULL,
    stream_type text NOT NULL,
    stream_id text NOT NULL,
    position bigint NOT NULL,
    why text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retry boolean NOT NULL DEFAULT false,
    PRIMARY KEY (view, version, stream_type, stream_id)
);
CREATE TABLE finance.views (LIKE operations.views INCLUDING ALL);
CREATE TABLE finance.positions (LIKE operations.positions INCLUDING ALL);
CREATE TABLE finance.parked (LIKE operations.parked INCLUDING ALL);

CREATE TABLE operations.launches_form (
    id text PRIMARY KEY,
    position bigint NOT NULL,
    doc jsonb NOT NULL,
    slug text NOT NULL,
    supplier text NOT NULL,
    rocket text NOT NULL,
    status text NOT NULL,
    destination text NOT NULL,
    departs_at timestamptz NOT NULL,
    price bigint NOT NULL,
    seats_left bigint NOT NULL,
    sold bigint NOT NULL,
    capacity bigint NOT NULL,
    tokens text[] NOT NULL,
    search tsvector GENERATED ALWAYS AS (array_to_tsvector(tokens)) STORED
);
CREATE INDEX ON operations.launches_form (slug);
CREATE INDEX ON operations.launches_form (departs_at, id);
CREATE INDEX ON operations.launches_form (supplier, departs_at);
CREATE INDEX ON operations.launches_form (rocket, departs_at);
CREATE INDEX ON operations.launches_form USING gin (search);

CREATE TABLE operations.bookings_form (
    id text PRIMARY KEY,
    position bigint NOT NULL,
    doc jsonb NOT NULL,
    customer text NOT NULL,
    launch text NOT NULL,
    status text NOT NULL,
    seats bigint NOT NULL,
    held_at timestamptz NOT NULL,
    tokens text[] NOT NULL,
    search tsvector GENERATED ALWAYS AS (array_to_tsvector(tokens)) STORED
);
CREATE INDEX ON operations.bookings_form (held_at, id);
CREATE INDEX ON operations.bookings_form (launch, held_at);
CREATE INDEX ON operations.bookings_form (customer, held_at);
CREATE INDEX ON operations.bookings_form (status, held_at);
CREATE INDEX ON operations.bookings_form USING gin (search);

CREATE TABLE operations.suppliers_form (
    id text PRIMARY KEY,
    position bigint NOT NULL,
    doc jsonb NOT NULL,
    name text NOT NULL,
    tokens text[] NOT NULL
);
CREATE TABLE operations.rockets_form (
    id text PRIMARY KEY,
    position bigint NOT NULL,
    doc jsonb NOT NULL,
    supplier text NOT NULL,
    name text NOT NULL,
    tokens text[] NOT NULL
);
CREATE INDEX ON operations.rockets_form (supplier, name);
CREATE TABLE operations.spaceports_form (
    id text PRIMARY KEY,
    position bigint NOT NULL,
    doc jsonb NOT NULL,
    name text NOT NULL,
    tokens text[] NOT NULL
);

-- What each launch earned; `journal` is the name of the view, its lines are beside it.
CREATE TABLE finance.journal_form (
    id text PRIMARY KEY,
    position bigint NOT NULL,
    doc jsonb NOT NULL,
    supplier text NOT NULL,
    departs_at timestamptz NOT NULL,
    captured bigint NOT NULL,
    refunded bigint NOT NULL,
    net bigint NOT NULL,
    fees bigint NOT NULL,
    tokens text[] NOT NULL,
    search tsvector GENERATED ALWAYS AS (array_to_tsvector(tokens)) STORED
);
CREATE INDEX ON finance.journal_form (net, id);
CREATE INDEX ON finance.journal_form (supplier);
CREATE INDEX ON finance.journal_form USING gin (search);

CREATE TABLE finance.lines_form (
    position bigint NOT NULL,
    line smallint NOT NULL,
    at timestamptz NOT NULL,
    account text NOT NULL,
    -- debit positive, credit negative, in cents
    amount bigint NOT NULL CHECK (amount <> 0),
    event text NOT NULL,
    launch uuid NOT NULL,
    booking uuid,
    supplier uuid NOT NULL,
    PRIMARY KEY (position, line)
);
CREATE INDEX ON finance.lines_form (launch, position);
CREATE INDEX ON finance.lines_form (booking, position);
CREATE INDEX ON finance.lines_form (account, at) INCLUDE (amount);

CREATE FUNCTION finance.keep_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'lines of the journal are kept as they are';
END $$;

-- Double entry: at the end of a transaction the lines of each position written by it sum to zero.
CREATE FUNCTION finance.lines_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    total numeric;
BEGIN
    EXECUTE format('SELECT sum(amount) FROM %I.%I WHERE position = $1', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO total USING NEW.position;
    IF total <> 0 THEN
        RAISE EXCEPTION 'the lines of position % sum to %, not to zero', NEW.position, total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- Makes the empty table of one version of a view, and the journal's lines with it.
CREATE FUNCTION finance.make_lines(version int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE finance.lines_v%s (LIKE finance.lines_form INCLUDING ALL)', version);
    EXECUTE format('CREATE TRIGGER keep_lines BEFORE UPDATE OR DELETE OR TRUNCATE ON finance.lines_v%s '
        'FOR EACH STATEMENT EXECUTE FUNCTION finance.keep_lines()', version);
    EXECUTE format('CREATE CONSTRAINT TRIGGER lines_balance AFTER INSERT ON finance.lines_v%s '
        'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION finance.lines_balance()', version);
END $$;
