//! Changes made by others, as they happen: the browser listens to the launch and keeps listening after a break.

use crate::browser;
use contract::launch::LaunchPage;
use dioxus::prelude::*;

/// After the stream was closed for good, how long until it is opened anew, in milliseconds.
#[cfg(feature = "web")]
const REOPEN_AFTER_MS: u32 = 3_000;

/// Whether changes arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Line {
    /// Not yet, or not any more; it is being tried.
    #[default]
    Connecting,
    /// They do.
    #[cfg_attr(not(feature = "web"), allow(dead_code))]
    Live,
}

/// Listens to the launch; `onchange` gets the whole page after each change.
pub(super) fn use_live(slug: ReadSignal<String>, onchange: Callback<LaunchPage>) -> Signal<Line> {
    let line = use_signal(Line::default);
    // An effect's task starts after hydration, never on the server.
    let mut listening = use_signal(|| None::<dioxus::dioxus_core::Task>);
    use_effect(move || {
        let slug = slug.read().clone();
        if let Some(before) = listening.replace(Some(spawn(listen(slug, line, onchange)))) {
            before.cancel();
        }
    });
    line
}

#[cfg(feature = "web")]
async fn listen(slug: String, mut line: Signal<Line>, onchange: Callback<LaunchPage>) {
    use contract::launch::LaunchChange;
    use futures_util::StreamExt;
    use gloo_net::eventsource::futures::EventSource;
    loop {
        let address = format!("/api/customer/launches/{slug}/live");
        if let Ok(mut source) = EventSource::new(&address)
            && let Ok(mut changes) = source.subscribe("launch")
        {
            while let Some(Ok((_, message))) = changes.next().await {
                if *line.peek() != Line::Live {
                    line.set(Line::Live);
                }
                let change = message.data().as_string().and_then(|text| serde_json::from_str::<LaunchChange>(&text).ok());
                if let Some(change) = change {
                    onchange.call(change.launch);
                }
            }
        }
        line.set(Line::Connecting);
        browser::sleep(REOPEN_AFTER_MS).await;
    }
}

#[cfg(not(feature = "web"))]
async fn listen(_slug: String, _line: Signal<Line>, _onchange: Callback<LaunchPage>) {
    browser::sleep(0).await;
}
