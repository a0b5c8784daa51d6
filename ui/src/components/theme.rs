//! The choice between the system's theme, light and dark. It is kept in this browser only.

use crate::browser;
use dioxus::prelude::*;

/// A button that goes round: system, light, dark.
#[component]
pub fn ThemeToggle() -> Element {
    let mut theme = use_signal(|| None::<String>);
    use_effect(move || theme.set(browser::theme()));
    let (word, next) = match theme.read().as_deref() {
        Some("light") => ("Light", Some("dark")),
        Some("dark") => ("Dark", None),
        _ => ("System", Some("light")),
    };
    rsx! {
        button {
            class: "theme",
            r#type: "button",
            "data-state": word.to_lowercase(),
            "aria-label": "Theme: {word}. Change it",
            title: "Theme: {word}",
            onclick: move |_| {
                browser::set_theme(next);
                theme.set(next.map(str::to_owned));
            },
            svg { view_box: "0 0 20 20", width: "18", height: "18", "aria-hidden": "true",
                circle { cx: "10", cy: "10", r: "7", fill: "none", stroke: "currentColor", stroke_width: "1.6" }
                match word {
                    "Light" => rsx! { circle { cx: "10", cy: "10", r: "2.6", fill: "currentColor" } },
                    "Dark" => rsx! { path { d: "M10 3a7 7 0 1 1-6.6 9.3A7.6 7.6 0 0 0 10 3z", fill: "currentColor" } },
                    _ => rsx! { path { d: "M10 3a7 7 0 0 1 0 14z", fill: "currentColor" } },
                }
            }
        }
    }
}
