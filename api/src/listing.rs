//! Which part of a desk's list is wanted.

use crate::{
    extract::page,
    problem::{Answer, ApiError},
};
use contract::{BookingId, LaunchId, Listing, Status, booking::BookingStatus, page::PER_PAGE};
use serde::Deserialize;
use utoipa::IntoParams;

/// Launches.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Launches {
    /// From 1
    pub page: u32,
    /// 1 to 100 items
    pub per_page: u32,
    /// Words to search for; empty for all
    pub search: String,
    /// Only with this status
    pub status: Option<Status>,
}

/// Bookings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Bookings {
    /// From 1
    pub page: u32,
    /// 1 to 100 items
    pub per_page: u32,
    /// Words to search for; empty for all
    pub search: String,
    /// Only with this status
    pub status: Option<BookingStatus>,
}

/// The journal.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Journal {
    /// From 1
    pub page: u32,
    /// 1 to 100 items
    pub per_page: u32,
    /// Only of this launch
    pub launch: Option<LaunchId>,
    /// Only of this booking
    pub booking: Option<BookingId>,
}

impl Default for Launches {
    fn default() -> Self {
        Self { page: 1, per_page: PER_PAGE, search: String::new(), status: None }
    }
}
impl Default for Bookings {
    fn default() -> Self {
        Self { page: 1, per_page: PER_PAGE, search: String::new(), status: None }
    }
}
impl Default for Journal {
    fn default() -> Self {
        Self { page: 1, per_page: PER_PAGE, launch: None, booking: None }
    }
}

/// The longest search, in characters.
pub const SEARCH_CHARACTERS_MAX: usize = 200;

/// Which part of a list is wanted, checked.
pub fn listing(wanted: u32, per_page: u32, search: String) -> Answer<Listing> {
    let (page, per_page) = page(wanted, per_page)?;
    if search.chars().count() > SEARCH_CHARACTERS_MAX {
        return Err(ApiError::field("search", format!("must be at most {SEARCH_CHARACTERS_MAX} characters")));
    }
    Ok(Listing { page, per_page, search })
}
