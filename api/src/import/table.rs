//! Reads a CSV file whole and hands out its rows with their line numbers. What a row means is left to the import.

use std::{collections::BTreeMap, io, path::Path};

/// The largest file read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A file that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There is no such file, or it may not be read.
    #[error("{file}: cannot be read: {error}")]
    Unreadable {
        /// As given.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// A directory, socket or the like.
    #[error("{file}: is a directory, not a CSV file")]
    NotAFile {
        /// As given.
        file: String,
    },
    /// Too large to be the catalogue.
    #[error("{file}: is larger than {} MB", FILE_BYTES_MAX / 1024 / 1024)]
    TooLarge {
        /// As given.
        file: String,
    },
    /// Not text.
    #[error("{file}, line {line}: is not text in UTF-8; this is no CSV file")]
    NotText {
        /// As given.
        file: String,
        /// Where that shows first.
        line: u64,
    },
    /// Other columns than expected.
    #[error("{file}, line 1: {}", columns(missing, unexpected))]
    WrongHeader {
        /// As given.
        file: String,
        /// Columns that should be there.
        missing: Vec<String>,
        /// Columns that should not.
        unexpected: Vec<String>,
    },
}

fn columns(missing: &[String], unexpected: &[String]) -> String {
    let list = |what: &str, names: &[String]| if names.is_empty() { None } else { Some(format!("{what} {}", names.join(", "))) };
    let parts: Vec<String> = [list("missing columns:", missing), list("unexpected columns:", unexpected)].into_iter().flatten().collect();
    if parts.is_empty() { "the header names a column twice".to_owned() } else { format!("wrong header, {}", parts.join("; ")) }
}

/// One row that could be split into its fields.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The line it starts on, from 1.
    pub(super) line: u64,
    fields: BTreeMap<&'static str, String>,
}

impl Row {
    /// A field, trimmed.
    pub(super) fn text(&self, column: &'static str) -> &str {
        self.fields.get(column).map_or("", |field| field.trim())
    }
    /// A field in which `-` and `*` stand for unknown.
    pub(super) fn known(&self, column: &'static str) -> Option<&str> {
        Some(self.text(column)).filter(|text| !matches!(*text, "" | "-" | "*" | "?"))
    }
}

/// A row that could not.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) line: u64,
    pub(super) reason: String,
}

/// Every row of the file, in order. `columns` is the whole header, in any order.
pub(super) fn read(path: &Path, columns: &[&'static str]) -> Result<Vec<Result<Row, Broken>>, Unusable> {
    let file = path.display().to_string();
    let unreadable = |error| Unusable::Unreadable { file: file.clone(), error };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Unusable::NotAFile { file });
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Unusable::TooLarge { file });
    }
    parse(file.clone(), &std::fs::read(path).map_err(unreadable)?, columns)
}

/// Every row of what a file holds, in order; `file` is its name.
pub(super) fn parse(file: String, bytes: &[u8], columns: &[&'static str]) -> Result<Vec<Result<Row, Broken>>, Unusable> {
    // A character cut in two at the very end is half a file, not another kind of file: its last row is refused below.
    let (text_to, cut) = match std::str::from_utf8(bytes) {
        Ok(_) => (bytes.len(), false),
        Err(error) => (error.valid_up_to(), error.error_len().is_none()),
    };
    let no_text = bytes[..text_to].iter().position(|byte| *byte == 0).or((text_to < bytes.len() && !cut).then_some(text_to));
    if let Some(no_text) = no_text {
        let newlines = bytes[..no_text].iter().filter(|byte| **byte == b'\n').count();
        return Err(Unusable::NotText { file, line: newlines as u64 + 1 });
    }
    let bytes = &bytes[..text_to];
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);

    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut records = reader.records();
    let header: Vec<String> = match records.next() {
        Some(Ok(record)) => record.iter().map(|name| name.trim().to_owned()).collect(),
        Some(Err(_)) | None => Vec::new(),
    };
    let missing: Vec<String> = columns.iter().filter(|name| !header.iter().any(|had| had == *name)).map(ToString::to_string).collect();
    let unexpected: Vec<String> = header.iter().filter(|had| !columns.contains(&had.as_str())).cloned().collect();
    if !missing.is_empty() || !unexpected.is_empty() || header.len() != columns.len() {
        return Err(Unusable::WrongHeader { file, missing, unexpected });
    }
    let order: Vec<&'static str> = header.iter().filter_map(|had| columns.iter().find(|name| *name == had)).copied().collect();

    let mut rows = Vec::new();
    for record in records {
        rows.push(match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                if record.len() == order.len() {
                    Ok(Row { line, fields: order.iter().copied().zip(record.iter().map(str::to_owned)).collect() })
                } else {
                    let reason = format!("has {} fields instead of {}; it may be cut off", record.len(), order.len());
                    Err(Broken { line, reason })
                }
            }
            Err(error) => Err(Broken { line: error.position().map_or(0, csv::Position::line), reason: error.to_string() }),
        });
    }
    Ok(rows)
}
