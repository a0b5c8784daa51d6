//! The guards that keep the log right, and a way for tests to take one away: a test of a guard proves something only if it fails without
//! it. A release build has no such way.

/// What one guard holds off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// An append whose stream has moved on is refused. Without: it goes behind whatever is there.
    VersionCheck,
    /// The same command id does once. Without: every request is a new command.
    CommandLog,
    /// Nobody is answered before the commit. Without: at once.
    AnswerAfterCommit,
    /// A refusal counts only if nobody else has written meanwhile. Without: always.
    RefusalRecheck,
    /// Only settled transactions get positions. Without: whatever is visible behind the last id.
    SettledTail,
    /// One whose lease was taken writes no more. Without: it goes on.
    Fencing,
    /// A stream with a hole stops the log. Without: it goes on behind the hole.
    Contiguity,
}

/// The guards in force: all of them, except in a test.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guards {
    off: Option<Guard>,
}

impl Guards {
    /// All but one: for the test that proves that one.
    #[cfg(debug_assertions)]
    #[must_use]
    pub const fn without(guard: Guard) -> Self {
        Self { off: Some(guard) }
    }

    pub(crate) fn has(self, guard: Guard) -> bool {
        !cfg!(debug_assertions) || self.off != Some(guard)
    }
}
