//! The admin app: for operators the system's health, for auditors the log itself. Neither changes a booking or an amount.

mod accounts;
mod history;
mod logs;
mod mailbox;
mod notifications;
mod projections;
mod security;

use crate::{
    desk::{NavItem, Shape, Shell, Sift},
    session::use_session,
};
use accounts::Accounts;
use contract::account::Role;
use dioxus::prelude::*;
use history::History;
use logs::Logs;
use mailbox::Mailbox;
use notifications::Notifications;
use projections::ProjectionsPage;
use security::Security;

/// Its pages.
#[derive(Routable, Clone, PartialEq, Debug)]
#[rustfmt::skip]
pub enum Route {
    #[layout(Frame)]
        /// Views and how far they are.
        #[route("/admin")]
        ProjectionsPage {},
        /// What was and is to be sent.
        #[route("/admin/notifications?:..sift")]
        Notifications {
            /// What the list shows.
            sift: Sift
        },
        /// The system's log.
        #[route("/admin/logs?:..sift")]
        Logs {
            /// What the list shows.
            sift: Sift
        },
        /// Who did what from where.
        #[route("/admin/security?:..sift")]
        Security {
            /// What the list shows.
            sift: Sift
        },
        /// Events of a stream, and whether the log holds.
        #[route("/admin/history?:..sift")]
        History {
            /// Which stream, as of when.
            sift: Sift
        },
        /// Mail, in development.
        #[route("/admin/mailbox?:..sift")]
        Mailbox {
            /// What the list shows.
            sift: Sift
        },
        /// Accounts, for operators.
        #[route("/admin/accounts?:..sift")]
        Accounts {
            /// What the list shows.
            sift: Sift
        },
        /// One's own account.
        #[route("/admin/account")]
        Account {},
        /// Anything else.
        #[route("/admin/:..path")]
        NotFound {
            /// What was asked for.
            path: Vec<String>
        },
}

const STAFF: &[Role] = &[Role::Operator, Role::Auditor];
const NAV: &[NavItem] = &[
    NavItem { label: "Projections", to: "/admin", shape: Shape::Layers, roles: STAFF },
    NavItem { label: "Notifications", to: "/admin/notifications", shape: Shape::Bell, roles: &[Role::Operator] },
    NavItem { label: "Logs", to: "/admin/logs", shape: Shape::Lines, roles: &[Role::Operator] },
    NavItem { label: "Security events", to: "/admin/security", shape: Shape::Alarm, roles: STAFF },
    NavItem { label: "Accounts", to: "/admin/accounts", shape: Shape::People, roles: &[Role::Operator] },
    NavItem { label: "Event history", to: "/admin/history", shape: Shape::Chain, roles: &[Role::Auditor] },
    NavItem { label: "Mailbox", to: "/admin/mailbox", shape: Shape::Mail, roles: &[] },
];

#[component]
fn Frame() -> Element {
    let route = use_route::<Route>();
    let open = matches!(route, Route::Mailbox { .. });
    rsx! {
        Shell {
            desk: "Admin",
            promise: "Nothing vanishes. Everything can be proved.",
            home: "/admin",
            roles: STAFF,
            nav: NAV,
            here: route.to_string(),
            open,
            Outlet::<Route> {}
        }
    }
}

#[component]
fn Account() -> Element {
    rsx! {
        crate::desk::Account { desk: "Admin" }
    }
}

#[component]
fn NotFound(path: Vec<String>) -> Element {
    rsx! {
        crate::desk::Lost { home: "/admin" }
    }
}

/// Whether the one signed in has this role; what is not for them is not asked for.
fn is(role: Role) -> bool {
    use_session().read().me().is_some_and(|me| me.role == role)
}

/// A page that another role works with.
#[component]
fn NotForYou(title: String, who: String) -> Element {
    rsx! {
        crate::desk::PageHead { title, desk: "Admin" }
        div { class: "card",
            crate::components::Empty { title: "For {who}", "Your role does not see this page. Ask for another account if your work needs it." }
        }
    }
}
