//! The account of one who is signed in, in the customer app.

use super::{Route, frame::Night, sign::MustSignIn};
use crate::{
    account::AccountPage,
    components::{Loading, Title},
    session::{Session, use_session},
};
use dioxus::prelude::*;

/// The page.
#[component]
pub(super) fn Account() -> Element {
    let session = use_session();
    let known = session.read();
    if known.me().is_none() && *known != Session::Unknown {
        return rsx! {
            MustSignIn { next: Route::Account {}.to_string(), why: "to see your account" }
        };
    }
    rsx! {
        Title { text: "Your account" }
        Night { div { class: "lead lead-small", h1 { "Your account" } } }
        main { class: "page after-night", id: "content",
            if known.me().is_some() {
                AccountPage {}
            } else {
                Loading { lines: 6 }
                noscript { p { class: "noscript", "Your account needs JavaScript." } }
            }
        }
    }
}
