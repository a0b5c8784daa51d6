//! Lists in pages.

use serde::{Deserialize, Serialize};

/// The most items one page may have.
pub const PER_PAGE_MAX: u32 = 100;
/// The items of a page when the client does not say.
pub const PER_PAGE: u32 = 25;

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(default, deny_unknown_fields)]
pub struct Listing {
    /// From 1.
    pub page: u32,
    /// 1 to 100 items.
    pub per_page: u32,
    /// Words to search for; empty for all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub search: String,
}

impl Default for Listing {
    fn default() -> Self {
        Self { page: 1, per_page: PER_PAGE, search: String::new() }
    }
}

/// A whole list, for there are few.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct List<T> {
    /// The items, in an order of their own.
    pub items: Vec<T>,
    /// Whether it may be out of date: older than the `Astro-Position` asked for, or more than 2 s behind the log.
    #[serde(default)]
    pub stale: bool,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: u64,
    /// Which page this is, from 1.
    pub page: u32,
    /// How many items a page has.
    pub per_page: u32,
    /// Of which position of the log this speaks.
    pub position: u64,
    /// Whether it may be out of date: older than the `Astro-Position` asked for, or more than 2 s behind the log.
    #[serde(default)]
    pub stale: bool,
}

impl<T> Page<T> {
    /// How many pages there are, at least one.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.total.div_ceil(u64::from(self.per_page.max(1))).max(1)
    }
}
