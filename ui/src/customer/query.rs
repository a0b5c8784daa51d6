//! The board's filters as an address: what a form sends with GET, what links say, what the service is asked.

use contract::{
    Destination,
    launch::{BoardQuery, BoardSort},
};
use std::fmt;

/// How many launches a page of the board has.
const PER_PAGE: u32 = 20;

/// The board's filters, read from an address. What cannot be read counts as not said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardAddress(pub BoardQuery);

impl Default for BoardAddress {
    fn default() -> Self {
        Self(BoardQuery { per_page: PER_PAGE, ..BoardQuery::default() })
    }
}

impl From<&str> for BoardAddress {
    fn from(text: &str) -> Self {
        let Self(mut query) = Self::default();
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(text.trim_start_matches('?')).unwrap_or_default();
        for (name, value) in pairs {
            let value = value.trim();
            match name.as_str() {
                "search" => query.search = value.to_owned(),
                "destination" => query.destination = Destination::ALL.into_iter().find(|destination| destination.as_str() == value),
                "supplier" => query.supplier = value.parse().ok(),
                "from" => query.from = value.parse().ok(),
                "until" => query.until = value.parse().ok(),
                "price_max" => query.price_max = value.parse().ok(),
                "seats" => query.seats = value.parse().ok(),
                "sort" => {
                    query.sort = match value {
                        "price" => BoardSort::Price,
                        "seats" => BoardSort::Seats,
                        _ => BoardSort::Date,
                    }
                }
                "page" => query.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        Self(query)
    }
}

impl fmt::Display for BoardAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = self.0.clone();
        let page = std::mem::replace(&mut query.page, 1);
        let text = serde_urlencoded::to_string(&query).map_err(|_| fmt::Error)?;
        let mut parts: Vec<String> =
            text.split('&').filter(|part| !part.starts_with("page=") && !part.starts_with("per_page=")).map(str::to_owned).collect();
        if page > 1 {
            parts.push(format!("page={page}"));
        }
        f.write_str(&parts.join("&"))
    }
}

impl BoardAddress {
    /// Whether anything but the order and the page is asked for.
    #[must_use]
    pub fn filtered(&self) -> bool {
        let plain = BoardQuery { sort: self.0.sort, page: self.0.page, ..Self::default().0 };
        self.0 != plain
    }
    /// The same with something changed, from its first page.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut BoardQuery)) -> Self {
        let mut query = self.0.clone();
        query.page = 1;
        change(&mut query);
        Self(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_itself() {
        let address = BoardAddress::from("search=soyuz%20fg&destination=moon&from=2028-01-02&price_max=5000000&seats=2&sort=price&page=3");
        assert_eq!(BoardAddress::from(address.to_string().as_str()), address);
        assert_eq!(address.0.destination, Some(Destination::Moon));
        assert_eq!(address.0.page, 3);
    }

    #[test]
    fn what_a_form_leaves_empty_or_nobody_can_read_is_not_asked_for() {
        let address = BoardAddress::from("search=&destination=&from=tomorrow&price_max=&seats=x&page=-1");
        assert_eq!(address, BoardAddress::default());
        assert_eq!(address.to_string(), "");
        assert!(!address.filtered());
    }
}
