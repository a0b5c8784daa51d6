//! What operators look for in the log.

use super::{
    fields,
    line::{clean, severity},
    ship::COLLECTION,
};
use crate::{
    audit::between,
    extract::PAGE_MAX,
    problem::{Answer, ApiError, Fields},
};
use contract::{
    Code, Page,
    operations::{LogLine, LogQuery},
};
use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::{
    Collection, Database,
    bson::{Bson, Document, doc},
};
use serde_json::Value;
use std::time::Duration;

/// Lines of a page.
const PER_PAGE: u32 = 50;
/// The longest text that is looked for, in characters.
const SEARCH_CHARACTERS_MAX: usize = 200;
/// How long the store may look.
const LOOK_FOR: Duration = Duration::from_secs(5);

pub(super) fn collection(system: &Database) -> Collection<Document> {
    system.collection(COLLECTION)
}

/// The condition a query stands for; pages are left to the caller.
pub fn filter(query: &LogQuery) -> Answer<Document> {
    let mut wrong = Fields::default();
    let mut filter = Document::new();
    match query.level.as_str() {
        "" | "info" => {}
        level @ ("warn" | "error") => drop(filter.insert("severity", doc! { "$gte": severity(level) })),
        _ => wrong.refuse("level", "must be error, warn or info"),
    }
    if !query.service.is_empty() {
        if ["customer", "supplier", "employee", "core"].contains(&query.service.as_str()) {
            filter.insert("fields.service", &query.service);
        } else {
            wrong.refuse("service", "must be customer, supplier, employee or core");
        }
    }
    if let Some(account) = query.account {
        filter.insert("fields.account_id", account.to_string());
    }
    if let Some(request) = query.request {
        filter.insert("fields.request_id", request.to_string());
    }
    let time = between(query.from, query.to);
    if !time.is_empty() {
        filter.insert("at", time);
    }
    if query.search.chars().count() > SEARCH_CHARACTERS_MAX {
        wrong.refuse("search", format!("must be at most {SEARCH_CHARACTERS_MAX} characters"));
    } else if !query.search.trim().is_empty() {
        // Looked for as lines are written, so that searching for an address finds nothing rather than everything.
        let words = clean(&query.search).to_lowercase();
        filter.insert("$and", words.split_whitespace().map(|word| doc! { "text": { "$regex": literal(word) } }).collect::<Vec<_>>());
    }
    wrong.check()?;
    Ok(filter)
}

/// Lines that match, newest first.
pub async fn search(system: &Database, query: &LogQuery) -> Answer<Page<LogLine>> {
    let filter = filter(query)?;
    let page = query.page.max(1);
    if page > PAGE_MAX {
        return Err(ApiError::new(Code::BadRequest, "There are no such pages. Narrow the search instead."));
    }
    let logs = collection(system);
    let total = logs.count_documents(filter.clone()).max_time(LOOK_FOR).await?;
    let found = logs
        .find(filter)
        .sort(doc! { "at": -1, "_id": -1 })
        .skip(u64::from(page - 1) * u64::from(PER_PAGE))
        .limit(PER_PAGE.into())
        .max_time(LOOK_FOR)
        .await?
        .try_collect::<Vec<Document>>()
        .await?;
    let items = found.iter().map(line).collect();
    Ok(Page { items, total, page, per_page: PER_PAGE, position: 0, stale: false })
}

/// `word` as a regular expression that means it literally.
fn literal(word: &str) -> String {
    word.chars().fold(String::with_capacity(word.len()), |mut text, c| {
        if !c.is_alphanumeric() && c.is_ascii() {
            text.push('\\');
        }
        text.push(c);
        text
    })
}

/// A stored line as it is told.
pub(super) fn line(document: &Document) -> LogLine {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let at = document.get_datetime("at").ok().and_then(|at| Timestamp::from_millisecond(at.timestamp_millis()).ok());
    let kept = document.get_document("fields").cloned().unwrap_or_default();
    LogLine {
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
        level: text("level"),
        target: text("target"),
        message: text("message"),
        fields: kept.into_iter().map(|(name, value)| (fields::named(&name), json(value))).collect(),
    }
}

fn json(value: Bson) -> Value {
    match value {
        Bson::Boolean(value) => value.into(),
        Bson::Int32(value) => value.into(),
        Bson::Int64(value) => value.into(),
        Bson::String(value) => value.into(),
        other => Value::String(other.to_string()),
    }
}
