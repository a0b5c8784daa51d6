-- A timer belongs to one event: found by that, its rows need no comparison with those of other events when they are written.
ALTER TABLE timers DROP CONSTRAINT timers_pkey, ADD PRIMARY KEY (event_id, kind, subject, due_at);
