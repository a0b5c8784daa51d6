//! Personal data, sealed for each person: one data key a person, wrapped by a master key and kept in a database of its own.
//! Who may read what, and what is personal, is left to the callers; events, views and letters carry [`Sealed`] and know no key.
//!
//! - [`Vault`]: seals, opens, erases; [`Master`]: the keys that are never in a database.
//! - [`Place`]: where a sealed value belongs; moved elsewhere it does not open.

mod blind;
mod cipher;
#[doc(hidden)]
pub mod guards;
mod held;
mod keys;
mod master;
mod place;

pub use domain::sealed::{Blind, Sealed};
pub use keys::Vault;
pub use master::{Master, ReadMasters};
pub use place::{PersonId, Place};

/// A value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The database of the keys failed or cannot be reached.
    #[error("the database of the keys cannot be used")]
    Database(#[from] sqlx::Error),
    /// Its schema could not be made.
    #[error("the database of the keys cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Nothing new is kept about an erased person.
    #[error("the person was erased")]
    Erased,
    /// The text was changed, or belongs to another person or place.
    #[error("a sealed value does not belong here or was changed")]
    Forged,
    /// A value is sealed for a person who has no key, and who was not erased: the database of the keys is not the one it was sealed with.
    #[error("there is no key for a person whose data is sealed")]
    KeyMissing,
    /// A key was wrapped by a master key that is not at hand.
    #[error("master key {0} is missing")]
    MasterMissing(i32),
    /// A newer master key is in use, which is not at hand: this one wraps no more.
    #[error("a newer master key than {0} is in use, and is missing here")]
    MasterOutdated(i32),
    /// The master keys cannot be read.
    #[error("the master keys cannot be read: {0}")]
    Masters(Box<dyn std::error::Error + Send + Sync>),
    /// The value is larger than what is sealed.
    #[error("a value of {0} bytes is too large to seal")]
    TooLarge(usize),
    /// The value cannot be written or read as JSON.
    #[error("a sealed value has another form")]
    Form(#[from] serde_json::Error),
    /// The system gave no random bytes.
    #[error("there is no randomness")]
    Randomness,
}
