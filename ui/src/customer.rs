//! The customer app: the board, a launch, booking, trips, signing in. Its public pages are rendered on the server and complete
//! without JavaScript. What is allowed is left to the service.

mod account;
mod board;
mod book;
mod cancel;
mod filters;
mod frame;
mod how;
mod launch;
mod links;
mod live;
mod loaded;
mod passengers;
mod payment;
mod query;
mod sign;
mod summary;
mod trip;
mod trips;

use crate::session::use_session_provider;
use account::Account;
use board::Board;
use book::Book;
use dioxus::prelude::*;
use frame::{Frame, NotFound};
use how::HowItWorks;
use launch::Launch;
use links::{Confirm, Forgotten, Reset};
pub use query::BoardAddress;
use sign::{SignIn, SignUp};
use trip::TripPage;
use trips::Trips;

/// Where the app begins.
const HOME: &str = "/";

/// Its pages.
#[derive(Routable, Clone, PartialEq, Debug)]
#[rustfmt::skip]
pub enum Route {
    #[layout(Frame)]
        /// Launches with seats.
        #[route("/?:..address")]
        Board {
            /// The filters.
            address: BoardAddress,
        },
        /// One launch; `seats` are chosen already.
        #[route("/launches/:slug?:seats")]
        Launch {
            /// Its readable address.
            slug: String,
            /// Such as `2C,2D`.
            seats: String,
        },
        /// Passengers, payment, confirmation.
        #[route("/book/:launch/:booking")]
        Book {
            /// The launch, by slug or id.
            launch: String,
            /// The booking.
            booking: String,
        },
        /// My bookings.
        #[route("/trips?:page")]
        Trips {
            /// From 1; 0 counts as 1.
            page: u32,
        },
        /// One of my bookings.
        #[route("/trips/:booking")]
        TripPage {
            /// The booking.
            booking: String,
        },
        /// How a booking goes.
        #[route("/how-it-works")]
        HowItWorks {},
        /// Signing in; `next` is where one was.
        #[route("/sign-in?:next")]
        SignIn {
            /// An address of this site.
            next: String,
        },
        /// Opening an account.
        #[route("/sign-up?:next")]
        SignUp {
            /// An address of this site.
            next: String,
        },
        /// Confirming an address, by a link of a mail.
        #[route("/confirm")]
        Confirm {},
        /// Asking for a link to set another password.
        #[route("/forgotten")]
        Forgotten {},
        /// Setting a password, by a link of a mail.
        #[route("/reset")]
        Reset {},
        /// One's own account.
        #[route("/account")]
        Account {},
        /// Everything else.
        #[route("/:..path")]
        NotFound {
            /// What was asked for.
            path: Vec<String>,
        },
}

/// The address of a launch, with `seats` chosen such as `2C,2D`.
fn launch_address(slug: &impl std::fmt::Display, seats: &str) -> String {
    if seats.is_empty() { format!("/launches/{slug}") } else { format!("/launches/{slug}?seats={seats}") }
}

/// The app.
#[component]
pub fn App() -> Element {
    let likely = use_server_cached(came_with_session);
    use_session_provider(likely);
    rsx! {
        Router::<Route> {}
    }
}

/// Whether the request for this page brought a session's cookie.
fn came_with_session() -> bool {
    #[cfg(feature = "server")]
    {
        let Some(context) = dioxus::fullstack::FullstackContext::current() else { return false };
        let parts = context.parts_mut();
        let cookies = parts.headers.get_all("cookie");
        cookies.iter().any(|line| line.to_str().is_ok_and(|line| line.contains("__Host-astro_refresh=")))
    }
    #[cfg(not(feature = "server"))]
    true
}
