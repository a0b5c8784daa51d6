//! One view: its version, making it anew beside the one in use, and going back to the one before.

use super::is_rebuilding;
use crate::{
    client,
    components::{Button, ButtonKind, Dialog, Notice, NoticeKind, Pill},
    desk::words,
    format,
};
use contract::operations::{AskRebuild, ProjectionStatus, RebuildProgress};
use dioxus::prelude::*;

/// What is asked before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Rebuild,
    RollBack,
}

/// A view with its actions.
#[component]
pub(super) fn ViewRow(view: ProjectionStatus, decides: bool, onchanged: Callback<()>) -> Element {
    let mut asked = use_signal(|| None::<Question>);
    let mut accept = use_signal(|| false);
    let mut busy = use_signal(|| false);
    let mut said = use_signal(|| None::<(NoticeKind, String)>);
    let name = view.view.clone();
    let title = words(name.split_once('.').map_or(name.as_str(), |(_, view)| view));
    let rebuilding = is_rebuilding(&view);
    let known = view.version > 0; // its database answered
    let act = use_callback({
        let name = name.clone();
        move |question: Question| {
            let name = name.clone();
            spawn(async move {
                busy.set(true);
                let answer = match question {
                    Question::Rebuild => client::rebuild_view(&name, &AskRebuild { accept_differences: accept() }).await.map(|()| None),
                    Question::RollBack => {
                        client::roll_back_view(&name).await.map(|now| Some(format!("Version {} is in use again.", now.version)))
                    }
                };
                busy.set(false);
                asked.set(None);
                accept.set(false);
                said.set(match answer {
                    Ok(words) => words.map(|words| (NoticeKind::Good, words)),
                    Err(refused) => Some((NoticeKind::Bad, refused.message)),
                });
                onchanged.call(());
            });
        }
    });
    let fault = view.rebuild.as_ref().filter(|_| !rebuilding).map(|rebuild| rebuild.fault.clone()).filter(|fault| !fault.is_empty());
    rsx! {
        li { class: "view-row", "data-view": "{name}",
            div { class: "view-what",
                b { "{title}" }
                if known {
                    span { class: "muted small num", "version {view.version}" }
                }
                if view.ahead {
                    Pill { state: "bad", text: "to be rebuilt" }
                }
                if view.parked > 0 {
                    Pill { state: "bad", text: format!("{} set aside", format::count(view.parked)) }
                }
            }
            if known {
                span { class: "muted small num",
                    if view.ahead {
                        "of another log"
                    } else {
                        "at {format::count(view.position)}"
                    }
                }
            }
            if decides && known {
                div { class: "view-do",
                    if let Some(previous) = view.previous {
                        Button {
                            id: "back-{name}",
                            disabled: rebuilding,
                            label: "Go back to version {previous} of {name}",
                            onclick: move |_| asked.set(Some(Question::RollBack)),
                            "Go back to {previous}"
                        }
                    }
                    Button {
                        id: "rebuild-{name}",
                        disabled: rebuilding,
                        label: "Rebuild {name}",
                        onclick: move |_| {
                            accept.set(view.ahead);
                            asked.set(Some(Question::Rebuild));
                        },
                        "Rebuild"
                    }
                }
            }
            if let Some(progress) = view.rebuild.clone().filter(|_| rebuilding) {
                Rebuilding { title: title.clone(), progress }
            }
            if let Some(fault) = fault {
                div { class: "view-said",
                    Notice { kind: NoticeKind::Bad, "The last rebuild changed nothing: {fault}." }
                }
            }
            if let Some((kind, words)) = said() {
                div { class: "view-said",
                    Notice { kind, "{words}" }
                }
            }
        }
        match asked() {
            Some(Question::Rebuild) => rsx! {
                Dialog { id: "ask-rebuild", title: "Rebuild {title}?", onclose: move |()| asked.set(None), back_to: "rebuild-{name}",
                    p { "The whole log is folded into version {view.version + 1}, beside the one in use, which goes on serving. Then every document of both is compared, and if they are equal the new one is used. The old one is kept to go back to." }
                    label { class: "check",
                        input {
                            r#type: "checkbox",
                            checked: accept(),
                            onchange: move |event| accept.set(event.checked()),
                        }
                        if view.ahead {
                            span { "Use it even if it differs: the one in use shows what this log does not hold" }
                        } else {
                            span { "Use it even if it differs: the program was changed on purpose" }
                        }
                    }
                    div { class: "dialog-actions",
                        Button { onclick: move |_| asked.set(None), "Leave it" }
                        Button { kind: ButtonKind::Primary, busy: busy(), onclick: move |_| act.call(Question::Rebuild), "Rebuild it" }
                    }
                }
            },
            Some(Question::RollBack) => rsx! {
                Dialog { id: "ask-back", title: "Go back to version {view.previous.unwrap_or_default()} of {title}?", onclose: move |()| asked.set(None), back_to: "back-{name}",
                    p { "It first catches up with the log and is then used at once instead of version {view.version}, which is kept." }
                    div { class: "dialog-actions",
                        Button { onclick: move |_| asked.set(None), "Stay" }
                        Button { kind: ButtonKind::Danger, busy: busy(), onclick: move |_| act.call(Question::RollBack), "Go back" }
                    }
                }
            },
            None => rsx! {},
        }
    }
}

/// How far a rebuild is: a bar, and the same in words.
#[component]
fn Rebuilding(title: String, progress: RebuildProgress) -> Element {
    let phase = words(&progress.phase);
    let left = progress.seconds_left.filter(|_| progress.phase == "reading").map(|seconds| {
        if seconds < 1 {
            ", nearly there".to_owned()
        } else {
            format!(", about {} left", format::duration(i64::try_from(seconds).unwrap_or(i64::MAX)))
        }
    });
    rsx! {
        div { class: "view-said rebuilding",
            progress { max: "{progress.total.max(1)}", value: "{progress.done.min(progress.total)}", "aria-label": "Rebuild of {title}" }
            p { class: "small", role: "status",
                "{phase} for version {progress.version}: "
                span { class: "num", "{format::count(progress.done)} of {format::count(progress.total)}" }
                " events"
                {left.unwrap_or_default()}
            }
        }
    }
}
