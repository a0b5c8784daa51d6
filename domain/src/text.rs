//! Short texts people type, checked once.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One line of 1 to 200 characters without control characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Line(String);

/// The text is not one line of 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one line of 1 to {} characters", Line::CHARACTERS_MAX)]
pub struct NotALine;

impl Line {
    /// The longest line, in characters.
    pub const CHARACTERS_MAX: usize = 200;

    /// Parses, trimming spaces around.
    pub fn new(text: &str) -> Result<Self, NotALine> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > Self::CHARACTERS_MAX || text.chars().any(breaks) {
            return Err(NotALine);
        }
        Ok(Self(text.to_owned()))
    }
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and the two separators that end a line without being one.
fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

impl TryFrom<String> for Line {
    type Error = NotALine;
    fn try_from(text: String) -> Result<Self, NotALine> {
        Self::new(&text)
    }
}
impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.0
    }
}
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_and_keeps_every_letter_of_the_world() {
        for (typed, kept) in [("  Ada  ", "Ada"), ("Союз", "Союз"), ("a b", "a b"), ("👩‍🚀", "👩‍🚀")] {
            assert_eq!(Line::new(typed).map(String::from), Ok(kept.to_owned()));
        }
    }

    #[test]
    fn a_line_is_one_line() {
        for bad in ["", "   ", "\n", "a\nb", "a\r\nBcc: b", "a\tb", "a\0b", "a\u{85}b", "a\u{2028}b", "a\u{2029}b"] {
            assert_eq!(Line::new(bad), Err(NotALine), "{bad:?}");
        }
    }

    #[test]
    fn a_line_has_200_characters_not_bytes() {
        assert!(Line::new(&"é".repeat(200)).is_ok());
        assert_eq!(Line::new(&"é".repeat(201)), Err(NotALine));
    }

    #[test]
    fn a_stored_line_is_checked_like_a_typed_one() {
        assert!(serde_json::from_str::<Line>("\"Ada\"").is_ok());
        assert!(serde_json::from_str::<Line>("\"a\\nb\"").is_err());
        assert!(serde_json::from_str::<Line>("3").is_err());
    }
}
