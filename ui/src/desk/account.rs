//! The account of one who is signed in, at a desk.

use super::PageHead;
use crate::account::AccountPage;
use dioxus::prelude::*;

/// The page.
#[component]
pub fn Account(desk: String) -> Element {
    rsx! {
        PageHead { title: "Your account", desk }
        AccountPage {}
    }
}
