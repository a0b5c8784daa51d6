-- Nothing looks for a timer but by when it is due. That no event has the same one twice follows from the ids of events, which are never
-- given twice, and from how a timer is written; a key of its own was one more index to write with every event.
ALTER TABLE timers DROP CONSTRAINT timers_pkey;
DROP INDEX timers_due;
CREATE INDEX timers_due ON timers (due_at, event_id) WHERE fired_at IS NULL;
