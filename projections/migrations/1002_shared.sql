-- A projection is shared by processes: who has which of the 16 partitions, and how far each of them is read.

CREATE TABLE operations.sharing (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- counted up whenever who may write changes; what was begun under an older one is not written
    epoch bigint NOT NULL DEFAULT 0,
    holders uuid[] NOT NULL DEFAULT array_fill(NULL::uuid, ARRAY[16]),
    -- an operator stopped the projection
    paused boolean NOT NULL DEFAULT false
);
-- The processes that keep the views up to date. One whose beats stop is gone, whatever its clock says.
CREATE TABLE operations.members (
    member uuid PRIMARY KEY,
    beats bigint NOT NULL DEFAULT 0,
    beat_at timestamptz NOT NULL,
    -- what hinders it; empty when nothing does
    fault text NOT NULL DEFAULT ''
);
ALTER TABLE operations.positions ADD COLUMN positions bigint[] NOT NULL DEFAULT array_fill(0::bigint, ARRAY[16]);
UPDATE operations.positions SET positions = array_fill(position, ARRAY[16]);
ALTER TABLE operations.positions DROP COLUMN position;
-- how far the last rebuild is or was
ALTER TABLE operations.views DROP COLUMN beat_at, DROP COLUMN fault, ADD COLUMN rebuild jsonb;
-- the failing event shall be skipped
ALTER TABLE operations.parked ADD COLUMN discard boolean NOT NULL DEFAULT false;

CREATE TABLE finance.sharing (LIKE operations.sharing INCLUDING ALL);
CREATE TABLE finance.members (LIKE operations.members INCLUDING ALL);
ALTER TABLE finance.positions ADD COLUMN positions bigint[] NOT NULL DEFAULT array_fill(0::bigint, ARRAY[16]);
UPDATE finance.positions SET positions = array_fill(position, ARRAY[16]);
ALTER TABLE finance.positions DROP COLUMN position;
ALTER TABLE finance.views DROP COLUMN beat_at, DROP COLUMN fault, ADD COLUMN rebuild jsonb;
ALTER TABLE finance.parked ADD COLUMN discard boolean NOT NULL DEFAULT false;

INSERT INTO operations.sharing DEFAULT VALUES;
INSERT INTO finance.sharing DEFAULT VALUES;
