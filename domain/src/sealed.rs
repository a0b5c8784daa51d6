//! Personal data as events, views, accounts and letters carry it: closed. Opening and closing is left to the vault; nothing here can.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;

/// What stands before a value that was written before values were sealed.
const PLAIN: &str = "plain:";

/// A value only the vault can read, as text: bound to a person and to the place it was made for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Sealed(String);

impl Sealed {
    /// The text as the vault wrote it.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }
    /// The text, for the vault to read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The marked form of a value in an event that was stored before there was a vault. Nothing new is written so.
    #[must_use]
    pub fn plain<T: Serialize>(value: &T) -> Self {
        Self(serde_json::to_string(value).map_or_else(|_| String::new(), |json| format!("{PLAIN}{json}")))
    }
    /// The JSON of a value that was stored before there was a vault.
    #[must_use]
    pub fn as_plain(&self) -> Option<&str> {
        self.0.strip_prefix(PLAIN)
    }
    /// The value, where it was stored before there was a vault.
    #[must_use]
    pub fn plainly<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.as_plain()?).ok()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)") // the old form is readable
    }
}

/// A word or an address to find by, unreadable: the same for the same text, 128 bits in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Blind(String);

impl Blind {
    /// The text as the vault wrote it.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }
    /// The hexadecimal text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_before_there_was_a_vault_is_marked_and_readable() {
        let sealed = Sealed::plain(&("ada", 7));
        assert_eq!(sealed.as_str(), r#"plain:["ada",7]"#);
        assert_eq!(sealed.plainly(), Some(("ada".to_owned(), 7)));
        assert_eq!(Sealed::from_text("x1:AAAA".to_owned()).plainly::<(String, u8)>(), None);
        assert_eq!(format!("{sealed:?}"), "Sealed(..)");
    }
}
