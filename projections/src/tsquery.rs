//! A search as Postgres takes it.

use crate::words::sought;

/// `atlas:* & 5:*`; `None` when nothing is sought. Words are letters and digits only, so they need no quoting.
pub(crate) fn tsquery(search: &str) -> Option<String> {
    let words: Vec<String> = sought(search).into_iter().map(|word| format!("{word}:*")).collect();
    (!words.is_empty()).then(|| words.join(" & "))
}
