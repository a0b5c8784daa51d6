//! Which part of a list is meant, within bounds.

use contract::page::PER_PAGE_MAX;

/// The last page one may ask for; what is behind it is found by searching.
const PAGE_MAX: u32 = 10_000;

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// From 1.
    pub(crate) page: u32,
    /// At least 1.
    pub(crate) per_page: u32,
    /// How many items are before it.
    pub(crate) skip: u64,
}

/// The part that is meant.
pub(crate) fn part(page: u32, per_page: u32) -> Part {
    let (page, per_page) = (page.clamp(1, PAGE_MAX), per_page.clamp(1, PER_PAGE_MAX));
    Part { page, per_page, skip: u64::from(page - 1) * u64::from(per_page) }
}
