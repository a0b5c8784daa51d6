//! The log as auditors read it: any stream's events with what they say, its state as of any position, and a check of the
//! whole chain.

use super::is;
use crate::{
    browser,
    client::{self, Answer, ListQuery},
    components::{Button, ButtonKind, Empty, Failed, Field, Loading, Notice, NoticeKind, Stale},
    desk::{Icon, PageHead, Pages, Search, Shape, Sieve, Sift, draw, words},
    format,
};
use contract::{
    Code,
    account::Role,
    operations::{StreamEvent, StreamHit, StreamState, Verification},
};
use dioxus::prelude::*;

const BASE: &str = "/admin/history";
const PER_PAGE: u32 = 50;

/// The page.
#[component]
pub fn History(sift: ReadSignal<Sift>) -> Element {
    if !is(Role::Auditor) {
        return rsx! {
            super::NotForYou { title: "Event history", who: "auditors" }
        };
    }
    let now = sift.read().clone();
    let chosen = !now.stream.is_empty() && !now.id.is_empty();
    rsx! {
        PageHead { title: "Event history", desk: "Admin", note: "every fact, in the order it happened" }
        Verify {}
        Sieve { base: BASE, sift: now.clone(),
            Search { base: BASE, sift: Sift { stream: String::new(), id: String::new(), at: String::new(), ..now.clone() }, label: "Find a stream", placeholder: "Rocket, mission, slug, or an id" }
        }
        if chosen {
            Stream { key: "{now.stream}/{now.id}", sift }
        } else {
            Hits { sift }
        }
    }
}

/// The button that checks the chain, and what it found.
#[component]
fn Verify() -> Element {
    let mut busy = use_signal(|| false);
    let mut found = use_signal(|| None::<Answer<Verification>>);
    let (tone, shape) = match &*found.read() {
        Some(Ok(Verification { first_bad: None, .. })) => ("good", Shape::Check),
        Some(_) => ("bad", Shape::Alarm),
        None => ("", Shape::Chain),
    };
    rsx! {
        section { class: "card chain", id: "verify", "aria-live": "polite",
            span { class: "badge", "data-tone": tone, Icon { shape } }
            div {
                match &*found.read() {
                    None => rsx! {
                        b { "The log is a chain" }
                        p { "Each event carries the hash of the one before. Checking reads every event and computes every hash again." }
                    },
                    Some(Ok(found)) => match &found.first_bad {
                        None => rsx! {
                            b { "The chain holds" }
                            p {
                                "{format::count(found.checked)} events checked up to position {format::count(found.head)} in {format::count(found.took_ms)} ms: dense, unaltered, in order."
                            }
                            p { class: "hash", "head {found.head_hash}" }
                        },
                        Some(bad) => rsx! {
                            b { "The chain is broken at position {format::count(bad.position)}" }
                            p { "{bad.why}" }
                        },
                    },
                    Some(Err(problem)) => rsx! {
                        b { "The log could not be checked" }
                        p { "{problem.message}" }
                    },
                }
            }
            Button {
                kind: ButtonKind::Primary,
                busy: busy(),
                onclick: move |_| async move {
                    busy.set(true);
                    let answer = client::verify().await;
                    found.set(Some(answer));
                    busy.set(false);
                },
                if busy() { "Verifying" } else { "Verify the log" }
            }
        }
    }
}

#[component]
fn Hits(sift: ReadSignal<Sift>) -> Element {
    let search = use_memo(move || sift.read().search.clone());
    let hits = use_resource(move || {
        let search = search();
        async move { client::streams(&search).await }
    });
    draw(hits, "The streams", |hits| {
        if hits.items.is_empty() {
            return rsx! {
                if hits.stale {
                    Stale {}
                }
                div { class: "card",
                    Empty { title: if search.read().is_empty() { "Which stream?" } else { "No stream found" },
                        if search.read().is_empty() { "Search for a launch by its rocket, mission or slug, or paste any id." } else { "Try fewer words, or paste an id." }
                    }
                }
            };
        }
        rsx! {
            if hits.stale {
                Stale {}
            }
            section { class: "card",
                ul { class: "events",
                    for hit in hits.items.iter().cloned() {
                        Hit { key: "{hit.stream_type}/{hit.stream_id}", hit, search: search() }
                    }
                }
            }
        }
    })
}

#[component]
fn Hit(hit: StreamHit, search: String) -> Element {
    let to = Sift { stream: hit.stream_type.clone(), id: hit.stream_id.clone(), search, ..Sift::default() }.under(BASE);
    rsx! {
        li {
            Link { class: "hit", to,
                span { class: "eyebrow", "{hit.stream_type}" }
                b { "{hit.title}" }
                span { class: "hash", "{hit.stream_id}" }
            }
        }
    }
}

#[component]
fn Stream(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        (sift.stream.clone(), sift.id.clone(), ListQuery { page: sift.page(), per_page: PER_PAGE, ..ListQuery::default() })
    });
    let events = use_resource(move || {
        let (stream, id, query) = query();
        async move { client::stream_events(&stream, &id, &query).await }
    });
    let now = sift.read().clone();
    let back = Sift { search: now.search.clone(), ..Sift::default() }.under(BASE);
    rsx! {
        Link { class: "back", to: back, Icon { shape: Shape::Back } "Other streams" }
        p { class: "lede",
            span { class: "eyebrow", "{now.stream}" }
            " "
            span { class: "num", "{now.id}" }
        }
        div { class: "two", "data-top": "true",
            {draw(events, "The events", |page| {
                if page.items.is_empty() {
                    return rsx! {
                        div { class: "card", Empty { title: "No events", "This stream has none. Check the id." } }
                    };
                }
                rsx! {
                    section { class: "card list",
                        if page.stale {
                            Stale {}
                        }
                        ol { class: "events",
                            for event in page.items.iter().cloned() {
                                EventLine { key: "{event.position}", event, sift: now.clone() }
                            }
                        }
                        Pages { base: BASE, sift: now.clone(), total: page.total, per_page: page.per_page, noun: "events", position: page.position }
                    }
                }
            })}
            StateAsOf { sift }
        }
    }
}

#[component]
fn EventLine(event: StreamEvent, sift: Sift) -> Element {
    let payload = serde_json::to_string_pretty(&event.payload).unwrap_or_default();
    let at = format::civil(event.recorded_at, 0);
    let state = Sift { at: event.position.to_string(), ..sift }.under(BASE);
    rsx! {
        li {
            details {
                summary {
                    span { class: "num muted", {format::count(event.position)} }
                    span { class: "type",
                        {words(&event.event_type)}
                        small { "by {event.actor}" }
                    }
                    span { class: "num muted when", "{format::moment(at)}:{at.second():02} UTC" }
                }
                div { class: "inside",
                    pre { class: "raw", tabindex: "0", "{payload}" }
                    dl { class: "pairs",
                        dt { "In the stream" }
                        dd { class: "num", "{event.sequence}" }
                        dt { "Event" }
                        dd { class: "num", "{event.event_id}" }
                        dt { "Command" }
                        dd { class: "num", "{event.command_id}" }
                        dt { "Conversation" }
                        dd { class: "num", "{event.correlation_id}" }
                        if let Some(cause) = event.causation_id {
                            dt { "Caused by event" }
                            dd { class: "num", "{cause}" }
                        }
                        dt { "Hash" }
                        dd { class: "hash", "{event.hash}" }
                    }
                    Link { class: "btn", "data-kind": "quiet", to: state, "State after this event" }
                }
            }
        }
    }
}

/// The stream's state as of a position or a moment; now, when neither is given.
#[component]
fn StateAsOf(sift: ReadSignal<Sift>) -> Element {
    let navigator = use_navigator();
    let asked = use_memo(move || {
        let sift = sift.read();
        (sift.stream.clone(), sift.id.clone(), sift.at.clone())
    });
    let mut typed = use_signal(move || sift.peek().at.clone());
    let mut last = use_signal(move || sift.peek().at.clone());
    if *last.peek() != sift.read().at {
        last.set(sift.read().at.clone());
        typed.set(sift.read().at.clone());
    }
    let state = use_resource(move || {
        let (stream, id, at) = asked();
        async move {
            if at.is_empty() {
                return client::stream_state_at_time(&stream, &id, &browser::now().to_string()).await;
            }
            match at.replace(',', "").parse::<u64>() {
                Ok(position) => client::stream_state_at_position(&stream, &id, position).await,
                Err(_) => client::stream_state_at_time(&stream, &id, &at).await,
            }
        }
    });
    rsx! {
        section { class: "card",
            div { class: "panel-head",
                h2 { "State as of" }
                span { class: "aside", if asked.read().2.is_empty() { "now" } else { "{asked.read().2}" } }
            }
            form {
                class: "panel-body form",
                onsubmit: move |event: FormEvent| {
                    event.prevent_default();
                    let at = typed().trim().to_owned();
                    navigator.push(Sift { at, ..sift.read().clone() }.under(BASE));
                },
                Field {
                    id: "at",
                    label: "Position, or a time",
                    data: true,
                    placeholder: "1204882 or 2027-06-03T12:00:00Z",
                    value: typed(),
                    oninput: move |value| typed.set(value),
                }
                div { class: "form-actions",
                    Button { submit: true, "Show" }
                }
            }
            div { class: "panel-body",
                match &*state.read() {
                    None => rsx! { Loading { lines: 5 } },
                    Some(Err(problem)) if problem.code == Code::NotFound => rsx! {
                        Notice { kind: NoticeKind::Info, "Nothing had happened to it by then." }
                    },
                    Some(Err(problem)) => rsx! { Failed { what: "The state", problem: problem.clone() } },
                    Some(Ok(state)) => rsx! { StateJson { state: state.clone() } },
                }
            }
        }
    }
}

#[component]
fn StateJson(state: StreamState) -> Element {
    let json = serde_json::to_string_pretty(&state.state).unwrap_or_default();
    rsx! {
        p { class: "muted small",
            "{format::plural(state.sequence, \"event\", \"events\")} applied, up to position "
            span { class: "num", {format::count(state.position)} }
        }
        pre { class: "raw tall", tabindex: "0", "{json}" }
    }
}
