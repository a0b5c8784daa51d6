//! What a desk's list shows, as the query of its address: words, page, filters and the row that is open.
//! Asking the server for it is left to the client.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The filters of every list; a list reads those it knows. Empty ones stay out of the address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sift {
    /// Words to search for.
    pub search: String,
    /// From 1; 0 counts as 1.
    pub page: u32,
    /// A stored state.
    pub status: String,
    /// A role.
    pub role: String,
    /// A log level.
    pub level: String,
    /// A service, by name.
    pub service: String,
    /// An account, by id.
    pub account: String,
    /// A request, by id.
    pub request: String,
    /// A kind of security event.
    pub kind: String,
    /// From this minute on, UTC.
    pub from: String,
    /// Before this minute, UTC.
    pub to: String,
    /// A launch, by slug or id.
    pub launch: String,
    /// A booking, by id.
    pub booking: String,
    /// A stream's type.
    pub stream: String,
    /// A stream's id.
    pub id: String,
    /// A position of the log, or a time.
    pub at: String,
    /// The key of the row that is open.
    pub open: String,
}

impl Sift {
    /// The page to ask for, from 1.
    #[must_use]
    pub fn page(&self) -> u32 {
        self.page.max(1)
    }
    /// The same list on another page, with no row open.
    #[must_use]
    pub fn on_page(&self, page: u32) -> Self {
        Self { page, open: String::new(), ..self.clone() }
    }
    /// The same list with this row open; an empty key closes.
    #[must_use]
    pub fn opening(&self, key: &str) -> Self {
        Self { open: key.to_owned(), ..self.clone() }
    }
    /// The address of the list under `base`.
    #[must_use]
    pub fn under(&self, base: &str) -> String {
        let query = self.to_string();
        if query.is_empty() { base.to_owned() } else { format!("{base}?{query}") }
    }
    /// Whether anything narrows the list.
    #[must_use]
    pub fn narrows(&self) -> bool {
        let more = [&self.role, &self.service, &self.account, &self.request, &self.kind, &self.from, &self.to];
        let all = [&self.search, &self.status, &self.level, &self.launch, &self.booking];
        !all.into_iter().chain(more).all(String::is_empty)
    }
}

impl From<&str> for Sift {
    fn from(query: &str) -> Self {
        serde_urlencoded::from_str(query).unwrap_or_default()
    }
}

impl fmt::Display for Sift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = if self.page > 1 { self.page.to_string() } else { String::new() };
        let pairs = [
            ("search", &self.search),
            ("status", &self.status),
            ("role", &self.role),
            ("level", &self.level),
            ("service", &self.service),
            ("account", &self.account),
            ("request", &self.request),
            ("kind", &self.kind),
            ("from", &self.from),
            ("to", &self.to),
            ("launch", &self.launch),
            ("booking", &self.booking),
            ("stream", &self.stream),
            ("id", &self.id),
            ("at", &self.at),
            ("page", &page),
            ("open", &self.open),
        ];
        let mut joint = "";
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            write!(f, "{joint}{name}=")?;
            joint = "&";
            for letter in value.chars() {
                match letter {
                    ' ' => f.write_str("+")?,
                    // The router decodes the whole query once before it is taken apart here, so what separates is encoded twice.
                    '&' | '%' | '+' | '=' | '#' => write!(f, "%25{:02X}", u32::from(letter))?,
                    other => write!(f, "{other}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_itself_after_the_router_decoded_it() {
        let sift = Sift { search: "50 % & more+é".into(), page: 3, open: "a=b".into(), ..Sift::default() };
        let decoded_once = sift.to_string().replace("%25", "%");
        assert_eq!(Sift::from(decoded_once.as_str()), sift);
        assert_eq!(Sift::default().under("/employee/bookings"), "/employee/bookings");
        assert_eq!(Sift { page: 2, ..Sift::default() }.under("/x"), "/x?page=2");
    }
}
