//! What the three desks share: the shell with its side, the door, lists with a detail beside them, charts.
//! What a page loads and asks is left to the pages of [`crate::supplier`], [`crate::employee`] and [`crate::admin`].

mod account;
mod cabin;
mod chart;
mod door;
mod icon;
mod parts;
mod shell;
mod sift;
mod table;

pub use account::Account;
pub use cabin::MiniCabin;
pub use chart::{Bar, Bars, MonthChart, Occupancy, short_money};
pub use door::Door;
pub use icon::{Icon, Shape};
pub use parts::{
    AsOf, DepartureTime, Detail, Lost, PageHead, Pages, Search, Sieve, Tile, amount, booking_states, departure_line, draw, exact,
    fields_of, happenings, keyed, launch_states, payment_word, refund_word, relative_days, steps, words,
};
pub use shell::{NavItem, Shell};
pub use sift::Sift;
pub use table::{Align, Column, Row, Table};

use crate::session::use_session_provider;
use dioxus::prelude::*;

/// Starts a desk in the browser, in the empty page that the service sent for it.
#[cfg(feature = "web")]
pub fn launch<R: Routable>() {
    dioxus::LaunchBuilder::web().launch(Empty::<R>);
}

/// Nothing at first, as in the page that was sent: the renderer takes that over and must find it as it is. Then the desk.
#[cfg_attr(not(feature = "web"), allow(dead_code))]
#[allow(non_snake_case)] // a component
fn Empty<R: Routable>() -> Element {
    let mut taken_over = use_signal(|| false);
    use_effect(move || taken_over.set(true));
    if taken_over() {
        rsx! {
            App::<R> {}
        }
    } else {
        VNode::empty()
    }
}

#[component]
fn App<R: Routable>() -> Element {
    use_session_provider(true);
    rsx! {
        Router::<R> {}
    }
}
