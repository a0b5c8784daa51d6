//! How full something is, drawn.

use dioxus::prelude::*;

/// The share of `total` that is `taken`; `low` marks that little is left. `label` is what it says to those who do not see it.
#[component]
pub fn Meter(taken: u64, total: u64, label: String, #[props(default)] low: bool) -> Element {
    let percent = if total == 0 { 0 } else { (taken.min(total) * 100).div_ceil(total) };
    rsx! {
        svg { class: "meter", role: "img", "aria-label": label, view_box: "0 0 100 6", "preserveAspectRatio": "none",
            rect { class: "meter-fill", "data-low": if low { "true" } else { "false" }, width: "{percent}", height: "6" }
        }
    }
}
