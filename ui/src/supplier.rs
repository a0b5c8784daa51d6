//! The supplier app: own launches and rockets. Whose they are is decided by the service, never here.

mod actions;
mod launch;
mod launches;
mod overview;
mod rockets;
mod schedule;

use crate::desk::{NavItem, Shape, Shell, Sift};
use contract::account::Role;
use dioxus::prelude::*;
use launch::LaunchPage;
use launches::Launches;
use overview::Overview;
use rockets::Rockets;
use schedule::Schedule;

/// Its pages.
#[allow(clippy::large_enum_variant)] // one lives at a time: the page that is shown
#[derive(Routable, Clone, PartialEq, Debug)]
#[rustfmt::skip]
pub enum Route {
    #[layout(Frame)]
        /// The desk at a glance.
        #[route("/supplier")]
        Overview {},
        /// Own launches.
        #[route("/supplier/launches?:..sift")]
        Launches {
            /// What the list shows.
            sift: Sift
        },
        /// One of them.
        #[route("/supplier/launches/:launch")]
        LaunchPage {
            /// Its slug.
            launch: String
        },
        /// Putting a launch on sale.
        #[route("/supplier/schedule")]
        Schedule {},
        /// Own rockets.
        #[route("/supplier/rockets")]
        Rockets {},
        /// One's own account.
        #[route("/supplier/account")]
        Account {},
        /// Anything else.
        #[route("/supplier/:..path")]
        NotFound {
            /// What was asked for.
            path: Vec<String>
        },
}

const NAV: &[NavItem] = &[
    NavItem { label: "Overview", to: "/supplier", shape: Shape::Day, roles: &[Role::Supplier] },
    NavItem { label: "Launches", to: "/supplier/launches", shape: Shape::Orbit, roles: &[Role::Supplier] },
    NavItem { label: "Schedule", to: "/supplier/schedule", shape: Shape::Ticket, roles: &[Role::Supplier] },
    NavItem { label: "Rockets", to: "/supplier/rockets", shape: Shape::Rocket, roles: &[Role::Supplier] },
];

#[component]
fn Frame() -> Element {
    let here = use_route::<Route>().to_string();
    rsx! {
        Shell {
            desk: "Supplier",
            promise: "Your launches, your seats, your money.",
            home: "/supplier",
            roles: &[Role::Supplier],
            nav: NAV,
            here,
            Outlet::<Route> {}
        }
    }
}

#[component]
fn Account() -> Element {
    rsx! {
        crate::desk::Account { desk: "Supplier" }
    }
}

#[component]
fn NotFound(path: Vec<String>) -> Element {
    rsx! {
        crate::desk::Lost { home: "/supplier" }
    }
}
