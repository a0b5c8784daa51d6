-- An event that each version of a view has read, of late, by its place: another log has another event there.
ALTER TABLE operations.positions ADD COLUMN last_position bigint, ADD COLUMN last_event uuid;
ALTER TABLE finance.positions ADD COLUMN last_position bigint, ADD COLUMN last_event uuid;
