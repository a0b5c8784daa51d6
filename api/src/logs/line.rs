//! One line: what it holds, how it is read from an event, and how it is written. Nothing that looks like an address of a person, and
//! nothing that could end the line, gets into one.

use super::fields;
use jiff::Timestamp;
use mongodb::bson::{Bson, DateTime, Document, doc};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use std::fmt::{self, Write};
use tracing::{
    Level,
    field::{Field, Visit},
};

/// The longest message or field kept, in characters.
const TEXT_CHARACTERS_MAX: usize = 2_000;
/// What stands in for an e-mail address.
const ADDRESS: &str = "<address>";

/// A line of the log.
#[derive(Debug, Clone)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// Which part of the program.
    pub target: String,
    /// Readable alone.
    pub message: String,
    /// Named fields.
    pub fields: Map<String, Value>,
}

/// The word for a level.
#[must_use]
pub fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// How bad a level is: 3 for errors, 2 for warnings, else 1.
#[must_use]
pub fn severity(level: &str) -> i32 {
    match level {
        "error" => 3,
        "warn" => 2,
        _ => 1,
    }
}

/// `text` as it may stand in a line: at most so long, on one line, without e-mail addresses.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut one: String = text.chars().take(TEXT_CHARACTERS_MAX).map(|c| if ends_a_line(c) { ' ' } else { c }).collect();
    if text.chars().nth(TEXT_CHARACTERS_MAX).is_some() {
        one.push('…');
    }
    if one.contains('@') { without_addresses(&one) } else { one }
}

/// Control characters, and the two that some readers take for the end of a line.
fn ends_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn without_addresses(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let name = before.trim_end_matches(|c: char| c.is_alphanumeric() || "._%+-!#$&'*/=?^`{|}~\"".contains(c));
        let host = after.len() - after.trim_start_matches(|c: char| c.is_alphanumeric() || ".-[]:".contains(c)).len();
        // A version of a stream is `launch/<id>@42`: digits alone, perhaps before a point or colon of the sentence, are no host.
        let named = after[..host].trim_end_matches(['.', ':', '-']);
        let is_address = name.len() < before.len() && named.contains(|c: char| !c.is_ascii_digit());
        if is_address {
            clean.push_str(name);
            clean.push_str(ADDRESS);
        } else {
            clean.push_str(before);
            clean.push('@');
            clean.push_str(&after[..host]);
        }
        rest = &after[host..];
    }
    clean.push_str(rest);
    clean
}

/// Reads the fields of an event.
#[derive(Debug, Default)]
pub struct Read {
    /// The message.
    pub message: String,
    /// The rest.
    pub fields: Map<String, Value>,
}

impl Read {
    fn put(&mut self, field: &Field, text: &str) {
        let text = clean(text);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.insert(field.name().to_owned(), Value::String(text));
        }
    }
}

impl Visit for Read {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Line {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{:.3} {:>5} {}", self.at, self.level.to_uppercase(), self.message);
        for (name, value) in &self.fields {
            // Writing to a String does not fail.
            let _ = match value {
                Value::String(value) => write!(text, " {name}={value}"),
                value => write!(text, " {name}={value}"),
            };
        }
        text
    }

    /// For programs: one JSON document.
    #[must_use]
    pub fn json(&self) -> String {
        // Text and numbers alone: nothing in it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// For the store.
    #[must_use]
    pub fn document(self) -> Document {
        let text = self.fields.values().filter_map(Value::as_str).fold(format!("{} {}", self.target, self.message), |mut text, value| {
            text.push(' ');
            text.push_str(value);
            text
        });
        let kept: Document = self.fields.into_iter().map(|(name, value)| (fields::stored(&name), bson(value))).collect();
        doc! {
            "at": DateTime::from_millis(self.at.as_millisecond()),
            "level": self.level,
            "severity": severity(self.level),
            "target": self.target,
            "message": self.message,
            "fields": kept,
            "text": text.to_lowercase(),
        }
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("at", &format_args!("{:.3}", self.at))?;
        map.serialize_entry("level", self.level)?;
        map.serialize_entry("target", &self.target)?;
        map.serialize_entry("message", &self.message)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn bson(value: Value) -> Bson {
    match value {
        Value::Bool(value) => value.into(),
        Value::Number(value) => value.as_i64().map_or_else(|| Bson::String(value.to_string()), Bson::Int64),
        Value::String(value) => value.into(),
        other => Bson::String(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_people_do_not_get_in() {
        assert_eq!(clean("mail to ada.lovelace+x@example.org failed"), "mail to <address> failed");
        assert_eq!(clean("<Ada@Example.ORG>, \"b\"@[::1]"), "<<address>>, <address>");
        assert_eq!(clean("postgres://astro:secret@db.local:5432/astro"), "postgres://astro:<address>/astro");
        assert_eq!(clean("grüße@bücher.example"), "<address>");
        assert_eq!(
            clean("launch/0198@42 is newer than launch/0198@41: ask launch/0198@42."),
            "launch/0198@42 is newer than launch/0198@41: ask launch/0198@42."
        );
        assert_eq!(clean("@ alone @"), "@ alone @");
    }

    #[test]
    fn a_line_is_one_line() {
        let line = clean("found\r\n2026 ERROR forged\u{2028}and\u{1b}[31m more\0");
        assert!(!line.chars().any(ends_a_line), "{line:?}");
        assert_eq!(clean(&"x".repeat(TEXT_CHARACTERS_MAX + 1)).chars().count(), TEXT_CHARACTERS_MAX + 1, "cut, and said so");
    }
}
