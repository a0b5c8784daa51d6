//! What only a browser can do: its clock, zone, storage, focus, waiting. On the server each answers as a page that has not
//! started yet. Nothing here speaks HTTP.

use jiff::Timestamp;

/// Now, by the clock of the machine that renders.
#[must_use]
pub fn now() -> Timestamp {
    #[cfg(feature = "web")]
    let milliseconds = js_sys::Date::now() as i64;
    #[cfg(not(feature = "web"))]
    let milliseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

/// The viewer's own offset at `at`, minutes east of UTC; unknown on the server.
#[must_use]
pub fn viewer_offset_minutes(at: Timestamp) -> Option<i32> {
    #[cfg(feature = "web")]
    {
        let date = js_sys::Date::new(&(at.as_millisecond() as f64).into());
        Some(-(date.get_timezone_offset() as i32))
    }
    #[cfg(not(feature = "web"))]
    {
        let _ = at;
        None
    }
}

/// Waits.
pub async fn sleep(milliseconds: u32) {
    #[cfg(feature = "web")]
    gloo_timers::future::TimeoutFuture::new(milliseconds).await;
    #[cfg(not(feature = "web"))]
    {
        let _ = milliseconds;
        std::future::pending::<()>().await; // a page rendered on the server is over before anything could be waited for
    }
}

/// Says on the document (`<html data-ready="true">`) that the page answers to clicks now: what the server rendered is taken over.
pub fn mark_ready() {
    #[cfg(feature = "web")]
    if let Some(root) = web_sys::window().and_then(|window| window.document()).and_then(|document| document.document_element()) {
        let _ = root.set_attribute("data-ready", "true");
    }
}

/// Moves the focus to the element with this id, where there is one.
pub fn focus(id: &str) {
    #[cfg(feature = "web")]
    {
        use wasm_bindgen::JsCast as _;
        let element = web_sys::window().and_then(|window| window.document()).and_then(|document| document.get_element_by_id(id));
        if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = element.focus();
        }
    }
    #[cfg(not(feature = "web"))]
    let _ = id;
}

/// Moves the focus to the first element that `selector` finds, where there is one.
pub fn focus_first(selector: &str) {
    #[cfg(feature = "web")]
    {
        use wasm_bindgen::JsCast as _;
        let element = web_sys::window()
            .and_then(|window| window.document())
            .and_then(|document| document.query_selector(selector).ok().flatten())
            .and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
        if let Some(element) = element {
            let _ = element.focus();
        }
    }
    #[cfg(not(feature = "web"))]
    let _ = selector;
}

/// The page's title, as the browser shows it.
pub fn set_title(title: &str) {
    #[cfg(feature = "web")]
    if let Some(document) = web_sys::window().and_then(|window| window.document()) {
        document.set_title(title); // not dioxus' own way: that one evaluates JavaScript, which the policy forbids
    }
    #[cfg(not(feature = "web"))]
    dioxus::document::document().set_title(title.to_owned());
}

/// The theme chosen by hand: `light`, `dark`, or nothing for the system's.
#[must_use]
pub fn theme() -> Option<String> {
    #[cfg(feature = "web")]
    {
        web_sys::window()?.local_storage().ok()??.get_item("theme").ok()?
    }
    #[cfg(not(feature = "web"))]
    None
}

/// Chooses a theme and remembers it.
pub fn set_theme(theme: Option<&str>) {
    #[cfg(feature = "web")]
    {
        let Some(window) = web_sys::window() else { return };
        if let Ok(Some(storage)) = window.local_storage() {
            let _ = match theme {
                Some(theme) => storage.set_item("theme", theme),
                None => storage.remove_item("theme"),
            };
        }
        if let Some(root) = window.document().and_then(|document| document.document_element()) {
            let _ = match theme {
                Some(theme) => root.set_attribute("data-theme", theme),
                None => root.remove_attribute("data-theme"),
            };
        }
    }
    #[cfg(not(feature = "web"))]
    let _ = theme;
}

/// Leaves for another address, loading it anew.
pub fn go(address: &str) {
    #[cfg(feature = "web")]
    if let Some(window) = web_sys::window() {
        let _ = window.location().set_href(address);
    }
    #[cfg(not(feature = "web"))]
    let _ = address;
}
