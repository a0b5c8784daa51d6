//! A way for tests to take sealing away: a search for personal data proves something only if it finds what is not sealed. A release build
//! has no such way.

/// Whether values are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sealing {
    /// They are.
    #[default]
    On,
    /// They are kept readable, for the control run of a test.
    #[cfg(debug_assertions)]
    Off,
}

impl Sealing {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}
