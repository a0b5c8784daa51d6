//! States as a word, a colour and a shape.

use crate::format;
use contract::{Status, booking::BookingStatus};
use dioxus::prelude::*;

/// A word with a state's colour.
#[component]
pub fn Pill(state: String, text: String) -> Element {
    rsx! {
        span { class: "pill", "data-state": state, {text} }
    }
}

/// The status of a launch; `detail` is put after the word, such as `7 days`.
#[component]
pub fn LaunchPill(status: Status, #[props(default)] detail: String) -> Element {
    let word = format::status(status);
    let text = if detail.is_empty() { word.to_owned() } else { format!("{word} {detail}") };
    rsx! {
        Pill { state: word.to_lowercase(), text }
    }
}

/// The status of a booking.
#[component]
pub fn BookingPill(status: BookingStatus) -> Element {
    let word = format::booking_status(status);
    rsx! {
        Pill { state: word.to_lowercase(), text: word }
    }
}
