//! What is shown while there is nothing to show: loading, empty, failed, stale.

use crate::components::Button;
use contract::Problem;
use dioxus::prelude::*;

/// Something is on its way: `lines` grey lines where it will be.
#[component]
pub fn Loading(#[props(default = 4)] lines: usize, #[props(default = "Loading".to_owned())] label: String) -> Element {
    rsx! {
        div { class: "skeleton", role: "status", "aria-label": label,
            for line in 0..lines {
                span { key: "{line}", class: "skeleton-line" }
            }
        }
    }
}

/// There is nothing here, and what to do about it (the children).
#[component]
pub fn Empty(title: String, children: Element) -> Element {
    rsx! {
        div { class: "empty",
            svg { class: "empty-picture", view_box: "0 0 96 64", "aria-hidden": "true",
                circle { cx: "48", cy: "32", r: "13" }
                ellipse { cx: "48", cy: "32", rx: "40", ry: "12", transform: "rotate(-18 48 32)" }
                circle { class: "empty-spot", cx: "85", cy: "17", r: "3" }
            }
            h2 { {title} }
            div { class: "muted", {children} }
        }
    }
}

/// It could not be loaded: what, why, and another try.
#[component]
pub fn Failed(what: String, problem: Problem, #[props(default)] onretry: Option<Callback<()>>) -> Element {
    rsx! {
        div { class: "failed", role: "alert",
            h2 { "{what} could not be shown" }
            p { {problem.message.clone()} }
            if let Some(onretry) = onretry {
                Button { onclick: move |_| onretry.call(()), "Try again" }
            }
        }
    }
}

/// What is shown is older than what was done last.
#[component]
pub fn Stale() -> Element {
    rsx! {
        p { class: "stale", role: "status", "This may be out of date: what was saved last is kept, but not shown yet. Load the page again in a moment." }
    }
}
