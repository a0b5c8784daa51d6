//! Where one is signed in, and ending that.

use crate::{
    client,
    components::{Button, ButtonKind, Failed, Loading, Notice, NoticeKind},
    format,
};
use dioxus::prelude::*;

/// The list of one's own sessions.
#[component]
pub(super) fn Sessions() -> Element {
    let mut list = use_resource(client::sessions);
    let mut problem = use_signal(|| None::<String>);
    let mut busy = use_signal(|| false);
    let mut finish = move |answer: client::Answer<()>| {
        busy.set(false);
        problem.set(answer.err().map(|why| why.message));
        list.restart();
    };
    rsx! {
        if let Some(why) = problem() {
            Notice { kind: NoticeKind::Bad, {why} }
        }
        match &*list.read() {
            None => rsx! {
                Loading { lines: 3 }
            },
            Some(Err(why)) => rsx! {
                Failed { what: "Your sessions", problem: why.clone(), onretry: move |()| list.restart() }
            },
            Some(Ok(rows)) => rsx! {
                ul { class: "sessions",
                    for row in rows.clone() {
                        li { key: "{row.id}",
                            div {
                                b { "{row.device}" }
                                if row.current {
                                    span { class: "small", " this one" }
                                }
                                p { class: "small muted",
                                    if !row.address.is_empty() {
                                        span { class: "num", "{row.address}" }
                                        ", "
                                    }
                                    "since {format::utc(row.started_at)}, used {format::utc(row.seen_at)}"
                                }
                            }
                            if !row.current {
                                Button {
                                    label: "End the session of {row.device}",
                                    busy: busy(),
                                    onclick: move |_| async move {
                                        busy.set(true);
                                        finish(client::end_session(row.id).await);
                                    },
                                    "End"
                                }
                            }
                        }
                    }
                }
                if rows.len() > 1 {
                    div { class: "row",
                        Button {
                            kind: ButtonKind::Danger,
                            busy: busy(),
                            onclick: move |_| async move {
                                busy.set(true);
                                finish(client::end_other_sessions().await);
                            },
                            "End all others"
                        }
                    }
                }
            },
        }
    }
}
