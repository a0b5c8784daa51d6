//! The vault over a real database.
#![allow(clippy::unwrap_used, missing_docs)]
