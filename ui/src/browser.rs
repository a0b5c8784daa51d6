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

/// The cookie that holds the `Astro-Position` of the last command, so that a page loaded anew is not older, whoever renders it.
#[cfg(any(feature = "web", feature = "server"))]
const POSITION_COOKIE: &str = "astro-position";
/// How long that matters, in seconds: by then every view shows it, or an operator has paused it.
#[cfg(feature = "web")]
const POSITION_SECONDS: u32 = 120;

/// Keeps where the last command stands.
pub fn keep_position(position: &str) {
    #[cfg(feature = "web")]
    {
        use wasm_bindgen::JsCast as _;
        let document = web_sys::window().and_then(|window| window.document());
        if let Some(document) = document.and_then(|document| document.dyn_into::<web_sys::HtmlDocument>().ok()) {
            let _ = document.set_cookie(&format!("{POSITION_COOKIE}={position}; Path=/; Max-Age={POSITION_SECONDS}; SameSite=Lax"));
        }
    }
    #[cfg(not(feature = "web"))]
    let _ = position;
}

/// Where the last command stands, from the browser's cookies or, on the server, from those that came with the request.
#[must_use]
pub fn last_position() -> Option<String> {
    #[cfg(feature = "web")]
    {
        use wasm_bindgen::JsCast as _;
        let document = web_sys::window()?.document()?.dyn_into::<web_sys::HtmlDocument>().ok()?;
        position_in(&document.cookie().ok()?)
    }
    #[cfg(all(feature = "server", not(feature = "web")))]
    {
        let context = dioxus::fullstack::FullstackContext::current()?;
        let parts = context.parts_mut();
        parts.headers.get_all("cookie").iter().filter_map(|line| line.to_str().ok()).find_map(position_in)
    }
    #[cfg(not(any(feature = "web", feature = "server")))]
    None
}

/// The position in a line of cookies; nothing that has not its form, such as `launch/<id>@7`, for that would fail every read.
#[cfg(any(feature = "web", feature = "server"))]
fn position_in(cookies: &str) -> Option<String> {
    let value = cookies.split(';').find_map(|pair| pair.trim().split_once('=').filter(|(name, _)| *name == POSITION_COOKIE))?.1;
    let (stream, sequence) = value.rsplit_once('@')?;
    let (kind, id) = stream.split_once('/')?;
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (word(kind) && word(id) && sequence.parse::<u64>().is_ok()).then(|| value.to_owned())
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

/// The fragment of the address, such as the secret of a link, and takes it out of the address: it is not to be seen, kept or sent on.
#[must_use]
pub fn take_fragment() -> String {
    #[cfg(feature = "web")]
    {
        let Some(window) = web_sys::window() else { return String::new() };
        let location = window.location();
        let fragment = location.hash().unwrap_or_default().trim_start_matches('#').to_owned();
        if let (false, Ok(history), Ok(path)) = (fragment.is_empty(), window.history(), location.pathname()) {
            let state = history.state().unwrap_or_default();
            let _ = history.replace_state_with_url(&state, "", Some(&path));
        }
        fragment
    }
    #[cfg(not(feature = "web"))]
    String::new()
}

/// Where one wanted to go, kept over the way by a mail into another tab. An address of this site, no secret.
pub fn keep_next(next: &str) {
    #[cfg(feature = "web")]
    if let Some(Ok(Some(storage))) = web_sys::window().map(|window| window.local_storage()) {
        let _ = if next.is_empty() { storage.remove_item("next") } else { storage.set_item("next", next) };
    }
    #[cfg(not(feature = "web"))]
    let _ = next;
}

/// See [`keep_next`].
#[must_use]
pub fn kept_next() -> String {
    #[cfg(feature = "web")]
    {
        let storage = web_sys::window().and_then(|window| window.local_storage().ok()).flatten();
        storage.and_then(|storage| storage.get_item("next").ok()).flatten().unwrap_or_default()
    }
    #[cfg(not(feature = "web"))]
    String::new()
}

/// Puts a text where one can paste it from.
pub fn copy(text: &str) {
    #[cfg(feature = "web")]
    if let Some(window) = web_sys::window() {
        let _ = window.navigator().clipboard().write_text(text);
    }
    #[cfg(not(feature = "web"))]
    let _ = text;
}

/// Opens the browser's dialog for printing.
pub fn print() {
    #[cfg(feature = "web")]
    if let Some(window) = web_sys::window() {
        let _ = window.print();
    }
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

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_found_among_cookies_and_taken_only_in_its_form() {
        assert_eq!(position_in("a=b; astro-position=launch/7f0d-1@42").as_deref(), Some("launch/7f0d-1@42"));
        for bad in [
            "",
            "a=b",
            "astro-position=",
            "astro-position=launch/1",
            "astro-position=launch/1@x",
            "astro-position=/@1",
            "xastro-position=launch/1@2",
        ] {
            assert_eq!(position_in(bad), None, "{bad}");
        }
    }
}
