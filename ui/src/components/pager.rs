//! The pages of a list, as links.

use crate::format;
use dioxus::prelude::*;

/// Links to the neighbouring pages; `href` makes the address of a page, `onpage` goes there without loading anew.
#[component]
pub fn Pager(page: u32, pages: u64, total: u64, noun: String, href: Callback<u32, String>, onpage: Callback<u32>) -> Element {
    if pages <= 1 {
        return rsx! {};
    }
    let step = |to: u32, word: &'static str, rel: &'static str, there: bool| {
        rsx! {
            if there {
                a {
                    class: "btn",
                    "data-kind": "quiet",
                    rel,
                    href: href.call(to),
                    onclick: move |event: MouseEvent| {
                        if event.modifiers().is_empty() {
                            event.prevent_default();
                            onpage.call(to);
                        }
                    },
                    {word}
                }
            } else {
                span { class: "btn", "data-kind": "quiet", "aria-disabled": "true", {word} }
            }
        }
    };
    rsx! {
        nav { class: "pager", "aria-label": "Pages",
            {step(page.saturating_sub(1).max(1), "Previous", "prev", page > 1)}
            span { class: "num small", "Page {page} of {format::count(pages)}, {format::count(total)} {noun}" }
            {step(page.saturating_add(1), "Next", "next", u64::from(page) < pages)}
        }
    }
}
