//! The employee app: all bookings and launches, revenue and the journal. Changing money is left to later pages.

mod bookings;
mod journal;
mod launches;
mod revenue;
mod today;

use crate::desk::{NavItem, Shape, Shell, Sift};
use bookings::Bookings;
use contract::account::Role;
use dioxus::prelude::*;
use journal::JournalPage;
use launches::Launches;
use revenue::Revenue;
use today::TodayPage;

/// Its pages.
#[derive(Routable, Clone, PartialEq, Debug)]
#[rustfmt::skip]
pub enum Route {
    #[layout(Frame)]
        /// The day.
        #[route("/employee")]
        TodayPage {},
        /// All bookings.
        #[route("/employee/bookings?:..sift")]
        Bookings {
            /// What the list shows.
            sift: Sift
        },
        /// All launches.
        #[route("/employee/launches?:..sift")]
        Launches {
            /// What the list shows.
            sift: Sift
        },
        /// Revenue by launch and by supplier.
        #[route("/employee/revenue?:..sift")]
        Revenue {
            /// What the list shows.
            sift: Sift
        },
        /// The double-entry journal.
        #[route("/employee/journal?:..sift")]
        JournalPage {
            /// What the list shows.
            sift: Sift
        },
        /// One's own account.
        #[route("/employee/account")]
        Account {},
        /// Anything else.
        #[route("/employee/:..path")]
        NotFound {
            /// What was asked for.
            path: Vec<String>
        },
}

const STAFF: &[Role] = &[Role::Employee];
const NAV: &[NavItem] = &[
    NavItem { label: "Today", to: "/employee", shape: Shape::Day, roles: STAFF },
    NavItem { label: "Bookings", to: "/employee/bookings", shape: Shape::Ticket, roles: STAFF },
    NavItem { label: "Launches", to: "/employee/launches", shape: Shape::Orbit, roles: STAFF },
    NavItem { label: "Revenue", to: "/employee/revenue", shape: Shape::Bars, roles: STAFF },
    NavItem { label: "Journal", to: "/employee/journal", shape: Shape::Journal, roles: STAFF },
];

#[component]
fn Frame() -> Element {
    let here = use_route::<Route>().to_string();
    rsx! {
        Shell {
            desk: "Employee",
            promise: "Every booking, every cent.",
            home: "/employee",
            roles: STAFF,
            nav: NAV,
            here,
            Outlet::<Route> {}
        }
    }
}

#[component]
fn Account() -> Element {
    rsx! {
        crate::desk::Account { desk: "Employee" }
    }
}

#[component]
fn NotFound(path: Vec<String>) -> Element {
    rsx! {
        crate::desk::Lost { home: "/employee" }
    }
}
