//! Streams that are set aside because one of their events failed: why, trying again, and going on without the event.

use crate::{
    client,
    components::{Button, ButtonKind, Dialog, Notice, NoticeKind, Pill},
    desk::{Column, Row, Table},
    format,
};
use contract::operations::ParkedStream;
use dioxus::prelude::*;

/// The streams. Those who may not decide see how many there are.
#[component]
pub(super) fn Parked(streams: Vec<ParkedStream>, aside: u64, decides: bool, onchanged: Callback<()>) -> Element {
    let mut asked = use_signal(|| None::<ParkedStream>);
    let mut busy = use_signal(|| false);
    let mut said = use_signal(|| None::<(NoticeKind, String)>);
    let mut finish = move |answer: client::Answer<()>, words: &str| {
        busy.set(false);
        asked.set(None);
        said.set(Some(match answer {
            Ok(()) => (NoticeKind::Good, words.to_owned()),
            Err(refused) => (NoticeKind::Bad, refused.message),
        }));
        onchanged.call(());
    };
    let columns =
        vec![Column::text("Stream"), Column::text("View"), Column::number("Failed at"), Column::text("Why"), Column::text("What to do")];
    let row = |stream: &ParkedStream| {
        let button = button_of(stream);
        Row {
            key: format!("{}/{}/{}", stream.view, stream.stream_type, stream.stream_id),
            cells: vec![
                rsx! {
                    span { class: "data stream", "{stream.stream_type}/" wbr {} "{stream.stream_id}" }
                },
                rsx! { "{stream.view}" },
                rsx! { {format::count(stream.position)} },
                rsx! {
                    span { class: "clip", title: "{stream.why}", "{stream.why}" }
                },
                rsx! {
                    div { class: "form-actions tight",
                        if stream.retrying {
                            Pill { state: "scheduled", text: "Trying again" }
                        } else {
                            Button {
                                label: "Try {stream.stream_id} again in {stream.view}",
                                onclick: {
                                    let stream = stream.clone();
                                    move |_| {
                                        let stream = stream.clone();
                                        async move { finish(client::retry_parked(&stream).await, "It is tried again. If it fails once more it stays here.") }
                                    }
                                },
                                "Try again"
                            }
                            Button {
                                id: "{button}",
                                kind: ButtonKind::Danger,
                                label: "Skip the failed event of {stream.stream_id} in {stream.view}",
                                onclick: {
                                    let stream = stream.clone();
                                    move |_| asked.set(Some(stream.clone()))
                                },
                                "Skip"
                            }
                        }
                    }
                },
            ],
        }
    };
    let rows = streams.iter().map(row).collect::<Vec<_>>();
    let many = format::plural(aside, "stream is", "streams are");
    rsx! {
        section { class: "set-aside", id: "set-aside", "aria-labelledby": "set-aside-title",
            h2 { class: "visually-hidden", id: "set-aside-title", "Streams set aside" }
            Notice { kind: NoticeKind::Bad,
                b { "{many} set aside. " }
                "An event of each could not be folded, so what the view shows of it is old. All other streams go on. Mend the program, then try again."
            }
            if let Some((kind, words)) = said() {
                Notice { kind, "{words}" }
            }
            if decides {
                Table { caption: "Streams set aside", columns, rows, short: true }
            }
        }
        if let Some(stream) = asked() {
            Dialog { id: "ask-skip", title: "Skip the failed event?", onclose: move |()| asked.set(None), back_to: button_of(&stream),
                p {
                    "The event at position "
                    span { class: "num", {format::count(stream.position)} }
                    " of "
                    span { class: "data", "{stream.stream_type}/{stream.stream_id}" }
                    " is left out of "
                    b { "{stream.view}" }
                    ". The document stays as it was before it, and later events are folded on top, so it may show what never was. If one of those fails, the stream is set aside again."
                }
                p { class: "muted small", "The log and other views keep the event. A rebuild of this view meets it again and ends there until the program is mended." }
                div { class: "dialog-actions",
                    Button { onclick: move |_| asked.set(None), "Keep it set aside" }
                    Button {
                        kind: ButtonKind::Danger,
                        busy: busy(),
                        onclick: move |_| {
                            let stream = stream.clone();
                            async move {
                                busy.set(true);
                                finish(client::discard_parked(&stream).await, "The event is skipped; the stream goes on.");
                            }
                        },
                        "Skip the event"
                    }
                }
            }
        }
    }
}

/// The id of the button that asks about a stream.
fn button_of(stream: &ParkedStream) -> String {
    format!("skip-{}-{}", stream.view, stream.stream_id)
}
