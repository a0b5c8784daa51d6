//! The page's title.

use crate::browser;
use dioxus::prelude::*;

/// Names the page: `<text> | Astro Bookings`.
#[component]
pub fn Title(text: ReadSignal<String>) -> Element {
    // On the server at once, for the head is written after the first render; in the browser when it has been shown.
    #[cfg(not(feature = "web"))]
    browser::set_title(&format!("{} | Astro Bookings", text.read()));
    use_effect(move || browser::set_title(&format!("{} | Astro Bookings", text.read())));
    rsx! {}
}
