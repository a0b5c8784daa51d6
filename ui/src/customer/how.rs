//! How a booking goes, in short.

use super::{HOME, frame::Night};
use crate::components::Title;
use dioxus::prelude::*;

const STEPS: [(&str, &str); 4] = [
    (
        "Choose a launch",
        "Every launch shows its price, its date by the spaceport's clock, how many seats are left and how sure it is. A launch is confirmed once its minimum of seats is sold.",
    ),
    (
        "Choose your seats",
        "Up to four on a launch. When you keep them they are yours alone for a quarter of an hour; others see them as held.",
    ),
    (
        "Name who flies and pay",
        "Who sits where, then one payment. If it arrives, the seats are sold to you; if it is too late and they are gone, all of it goes back by itself.",
    ),
    (
        "Fly, or change your mind",
        "You see what cancelling gives back before you decide, to the cent. If the date moves you may cancel for free for a while; if the launch is aborted you get everything back.",
    ),
];

const STATES: [(&str, &str, &str); 6] = [
    ("scheduled", "Scheduled", "On sale; the minimum of seats is not sold yet."),
    ("confirmed", "Confirmed", "On sale; enough seats are sold, it will fly."),
    ("delayed", "Delayed", "On sale; it moved to a later date."),
    ("aborted", "Aborted", "It will not fly; everyone is refunded in full."),
    ("launched", "Launched", "It flew."),
    ("failed", "Failed", "It was lost."),
];

/// The page.
#[component]
pub(super) fn HowItWorks() -> Element {
    rsx! {
        Title { text: "How it works" }
        Night {
            div { class: "lead lead-small",
                h1 { "How it works" }
                p { "From the board to orbit in four steps." }
            }
        }
        main { class: "page after-night stack", id: "content",
            ol { class: "how",
                for (index , (title , words)) in STEPS.into_iter().enumerate() {
                    li { key: "{index}", class: "card padded",
                        span { class: "how-number num", "aria-hidden": "true", "{index + 1}" }
                        h2 { {title} }
                        p { class: "muted", {words} }
                    }
                }
            }
            section { class: "card padded",
                h2 { class: "section-title", "What the states of a launch mean" }
                dl { class: "states",
                    for (state , word , words) in STATES {
                        dt { key: "{state}", span { class: "pill", "data-state": state, {word} } }
                        dd { class: "muted", {words} }
                    }
                }
            }
            p { Link { class: "btn", "data-kind": "primary", to: HOME, "See launches with seats" } }
        }
    }
}
