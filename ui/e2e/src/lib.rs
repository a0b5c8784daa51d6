//! Browser tests of the journeys; all of it is in `tests/it`.
