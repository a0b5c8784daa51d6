//! What has happened, as a line of steps.

use dioxus::prelude::*;

/// One step of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// A short heading.
    pub title: String,
    /// When, as written.
    pub when: String,
    /// One sentence, or nothing.
    pub text: String,
    /// Colours the dot: `good`, `warn`, `bad` or nothing.
    pub tone: &'static str,
}

/// The steps, in the order given.
#[component]
pub fn Timeline(steps: Vec<Moment>) -> Element {
    rsx! {
        ol { class: "line",
            for (index , step) in steps.into_iter().enumerate() {
                li { key: "{index}", "data-tone": step.tone,
                    b { {step.title} }
                    " "
                    span { class: "muted small num", {step.when} }
                    if !step.text.is_empty() {
                        p { class: "muted small", {step.text} }
                    }
                }
            }
        }
    }
}
