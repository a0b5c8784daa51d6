//! The few things every collection of the system data needs: moments, pages, searching.

use contract::page::{Listing, PER_PAGE_MAX};
use jiff::Timestamp;
use mongodb::{
    bson::{Bson, DateTime, Document, doc},
    error::{ErrorKind, InsertManyError},
};
use std::collections::HashSet;
use vault::VaultError;

/// The longest text searched for, in characters.
const SEARCH_CHARACTERS_MAX: usize = 100;

/// A moment as BSON keeps it, in milliseconds.
pub(crate) fn moment(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millisecond())
}

pub(crate) fn timestamp(document: &Document, field: &str) -> Option<Timestamp> {
    let at = document.get_datetime(field).ok()?;
    Timestamp::from_millisecond(at.timestamp_millis()).ok()
}

/// A whole number, however wide the server made it.
pub(crate) fn count(document: &Document, field: &str) -> u32 {
    match document.get(field) {
        Some(Bson::Int32(number)) => u32::try_from(*number).unwrap_or_default(),
        Some(Bson::Int64(number)) => u32::try_from(*number).unwrap_or_default(),
        _ => 0,
    }
}

/// Page, items per page and how many to skip, within bounds.
pub(crate) fn window(listing: &Listing) -> (u32, u32, u64) {
    let (page, per_page) = (listing.page.max(1), listing.per_page.clamp(1, PER_PAGE_MAX));
    (page, per_page, u64::from(page - 1) * u64::from(per_page))
}

/// Finds the words anywhere in one of the fields, whatever their case; nothing to search for finds all.
pub(crate) fn search(words: &str, fields: &[&str]) -> Option<Document> {
    let words: String = words.trim().chars().take(SEARCH_CHARACTERS_MAX).collect();
    if words.is_empty() {
        return None;
    }
    let mut pattern = String::with_capacity(words.len() * 2);
    for c in words.chars() {
        if c.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    let any: Vec<Document> = fields.iter().map(|field| doc! { *field: { "$regex": &pattern, "$options": "i" } }).collect();
    Some(doc! { "$or": any })
}

/// The vault's answer where the system data's is expected.
pub(crate) fn unopened(error: &VaultError) -> mongodb::error::Error {
    mongodb::error::Error::custom(error.to_string())
}

const DUPLICATE_KEY: i32 = 11_000;

/// Which of many documents the server refused because there is one with their id; none when it refused any for another reason.
pub(crate) fn duplicates(error: &mongodb::error::Error) -> Option<HashSet<usize>> {
    let ErrorKind::InsertMany(InsertManyError { write_errors: Some(refused), write_concern_error: None, .. }) = &*error.kind else {
        return None;
    };
    refused.iter().map(|refusal| (refusal.code == DUPLICATE_KEY).then_some(refusal.index)).collect()
}
