//! A question that is answered before anything else: a modal dialog.

use crate::browser;
use dioxus::prelude::*;

/// A modal dialog. Escape and the backdrop close it; the focus goes into it when it opens, and back to `back_to` (an id)
/// when it closes.
#[component]
pub fn Dialog(id: String, title: String, onclose: Callback<()>, #[props(default)] back_to: String, children: Element) -> Element {
    let panel = format!("{id}-panel");
    use_effect({
        let panel = panel.clone();
        move || browser::focus(&panel)
    });
    use_drop(move || browser::focus(&back_to));
    rsx! {
        div {
            class: "veil",
            onclick: move |_| onclose.call(()),
            onkeydown: move |event| {
                if event.key() == Key::Escape {
                    onclose.call(());
                }
            },
            div {
                class: "dialog card",
                id: "{panel}",
                role: "dialog",
                tabindex: "-1",
                "aria-modal": "true",
                "aria-labelledby": "{id}-title",
                onclick: move |event| event.stop_propagation(),
                h2 { id: "{id}-title", {title} }
                {children}
                span { tabindex: "0", onfocus: move |_| browser::focus(&panel), "aria-hidden": "true" }
            }
        }
    }
}
