-- A crash may take them: they are made again. In return writing one costs no log, no wait for the disk and no compression.
ALTER TABLE snapshots SET UNLOGGED;
ALTER TABLE snapshots ALTER COLUMN state SET STORAGE EXTERNAL;
