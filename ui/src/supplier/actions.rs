//! What a supplier may do about a launch: another price, a later moment, giving it up, saying how it went. What it costs is
//! shown before it is done.

use crate::{
    browser, client,
    client::{Answer, use_intent},
    components::{Button, ButtonKind, Choice, Field, Loading, Notice, NoticeKind},
    desk::{exact, fields_of},
    format,
};
use contract::{
    AbortReason, Problem, Status,
    fleet::{Abort, Delay, Outcome, Reprice},
    launch::LaunchPage,
};
use dioxus::prelude::*;

/// The actions that the launch's state allows.
#[component]
pub fn Actions(launch: LaunchPage, onchanged: Callback<()>) -> Element {
    let mut done = use_signal(|| None::<String>);
    let card = &launch.card;
    let departed = card.departure.at <= browser::now();
    let open = matches!(card.status, Status::Scheduled | Status::Confirmed | Status::Delayed);
    let after = use_callback(move |words: String| {
        done.set(Some(words));
        onchanged.call(());
    });
    let nothing = match card.status {
        Status::Aborted => "The launch is aborted: every booking is cancelled and refunded in full.",
        Status::Launched => "The launch has flown. Nothing is left to decide.",
        Status::Failed => "The launch has failed. Nothing is left to decide.",
        _ => "",
    };
    rsx! {
        section { class: "card", id: "changes",
            div { class: "panel-head",
                h2 { "Changes" }
                if !open {
                    p { class: "muted", "{nothing}" }
                }
            }
            if let Some(words) = done() {
                div { class: "panel-body",
                    Notice { kind: NoticeKind::Good, id: "done", "{words}" }
                }
            }
            if open && !departed {
                RepriceForm { launch: launch.clone(), after }
                DelayForm { launch: launch.clone(), after }
                AbortForm { launch: launch.clone(), after }
            }
            if open && departed {
                OutcomeForm { launch: launch.clone(), after }
            }
        }
    }
}

/// Keeps what became of one command: busy, refused, or done with `words`.
fn settle<T>(answer: Answer<T>, mut busy: Signal<bool>, mut problem: Signal<Option<Problem>>, words: String, after: Callback<String>) {
    busy.set(false);
    match answer {
        Ok(_) => {
            problem.set(None);
            after.call(words);
        }
        Err(refused) => problem.set(Some(refused)),
    }
}

#[component]
fn Refused(problem: Signal<Option<Problem>>) -> Element {
    rsx! {
        if let Some(refused) = problem.read().as_ref() {
            Notice { kind: NoticeKind::Bad, "{refused.message}" }
        }
    }
}

#[component]
fn RepriceForm(launch: LaunchPage, after: Callback<String>) -> Element {
    let intent = use_intent();
    let mut price = use_signal(String::new);
    let mut busy = use_signal(|| false);
    let problem = use_signal(|| None::<Problem>);
    let slug = launch.card.slug.to_string();
    let errors = fields_of(problem.read().as_ref());
    rsx! {
        details { class: "act",
            summary { "Change the price" span { "{launch.card.price} now" } }
            form {
                class: "inside",
                onsubmit: move |event: FormEvent| {
                    event.prevent_default();
                    let slug = slug.clone();
                    async move {
                        busy.set(true);
                        let answer = client::reprice(intent, &slug, &Reprice { price: price() }).await;
                        settle(answer, busy, problem, "The price is changed. Seats already held or sold keep theirs.".into(), after);
                    }
                },
                Refused { problem }
                Field {
                    id: "price",
                    label: "New price of a seat, US dollars",
                    data: true,
                    inputmode: "decimal",
                    placeholder: "1,250,000",
                    value: price(),
                    error: errors.get("price").cloned(),
                    hint: "For seats not yet held; those held or sold keep their price.",
                    oninput: move |value| price.set(value),
                }
                div { class: "form-actions", Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Change the price" } }
            }
        }
    }
}

#[component]
fn DelayForm(launch: LaunchPage, after: Callback<String>) -> Element {
    let intent = use_intent();
    let local = format::local(&launch.card.departure);
    let mut departs = use_signal(move || local.strftime("%Y-%m-%dT%H:%M").to_string());
    let mut reason = use_signal(String::new);
    let mut busy = use_signal(|| false);
    let problem = use_signal(|| None::<Problem>);
    let slug = launch.card.slug.to_string();
    let errors = fields_of(problem.read().as_ref());
    rsx! {
        details { class: "act",
            summary { "Move to a later moment" }
            form {
                class: "inside",
                onsubmit: move |event: FormEvent| {
                    event.prevent_default();
                    let slug = slug.clone();
                    async move {
                        busy.set(true);
                        let answer = client::delay(intent, &slug, &Delay { departs_local: departs(), reason: reason() }).await;
                        settle(answer, busy, problem, "The launch is moved. Its customers are told and may cancel in full for a while.".into(), after);
                    }
                },
                Refused { problem }
                Field {
                    id: "departs_local",
                    label: "New date and time at {launch.card.spaceport_name}",
                    kind: "datetime-local",
                    data: true,
                    value: departs(),
                    error: errors.get("departs_local").cloned(),
                    hint: "In {launch.card.departure.zone}.",
                    oninput: move |value| departs.set(value),
                }
                Field {
                    id: "reason",
                    label: "Reason, as customers read it",
                    value: reason(),
                    maxlength: "200",
                    error: errors.get("reason").cloned(),
                    oninput: move |value| reason.set(value),
                }
                div { class: "form-actions", Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Move the launch" } }
            }
        }
    }
}

/// The reasons a supplier may give.
const REASONS: [(AbortReason, &str, &str); 3] = [
    (AbortReason::Weather, "weather", "Weather"),
    (AbortReason::Technical, "technical", "Technical"),
    (AbortReason::Economic, "economic", "Economic"),
];

#[component]
fn AbortForm(launch: LaunchPage, after: Callback<String>) -> Element {
    let intent = use_intent();
    let mut reason = use_signal(|| AbortReason::Technical);
    let mut busy = use_signal(|| false);
    let mut asked = use_signal(|| false);
    let problem = use_signal(|| None::<Problem>);
    let slug = use_signal(|| launch.card.slug.to_string());
    let mut quote = use_resource(move || async move { if asked() { Some(client::abort_quote(&slug()).await) } else { None } });
    let words = REASONS.iter().find(|(one, ..)| *one == reason()).map_or("technical", |(_, word, _)| word);
    rsx! {
        details {
            class: "act",
            ontoggle: move |_| asked.set(true),
            summary { "Abort the launch" }
            div { class: "inside",
                Refused { problem }
                match &*quote.read() {
                    Some(Some(Ok(quote))) => {
                        let refunds = exact(quote.refunds);
                        rsx! {
                            div { class: "cost",
                                dl { class: "pairs",
                                    dt { "Bookings cancelled" }
                                    dd { class: "num", "{quote.bookings}" }
                                    dt { "Refunded to customers" }
                                    dd { class: "num", "{refunds}" }
                                    dt { class: "total", "Charged to you" }
                                    dd { class: "num total", {exact(quote.fee)} }
                                }
                                p { "Every customer gets the whole price back and is told by e-mail. An abort cannot be taken back." }
                            }
                            Choice {
                                id: "abort-reason",
                                label: "Reason",
                                value: words,
                                options: REASONS.iter().map(|(_, word, shown)| ((*word).to_owned(), (*shown).to_owned())).collect::<Vec<_>>(),
                                onchange: move |value: String| {
                                    if let Some((one, ..)) = REASONS.iter().find(|(_, word, _)| *word == value) {
                                        reason.set(*one);
                                    }
                                },
                            }
                            div { class: "form-actions",
                                Button {
                                    kind: ButtonKind::Danger,
                                    busy: busy(),
                                    onclick: move |_| async move {
                                        busy.set(true);
                                        let answer = client::abort(intent, &slug(), &Abort { reason: reason() }).await;
                                        settle(answer, busy, problem, "The launch is aborted. Bookings are being cancelled and refunded.".into(), after);
                                    },
                                    "Abort and refund {refunds}"
                                }
                            }
                        }
                    }
                    Some(Some(Err(refused))) => rsx! {
                        Notice { kind: NoticeKind::Bad, "{refused.message}" }
                        Button { onclick: move |_| quote.restart(), "Try again" }
                    },
                    _ => rsx! { Loading { lines: 3 } },
                }
            }
        }
    }
}

#[component]
fn OutcomeForm(launch: LaunchPage, after: Callback<String>) -> Element {
    let intent = use_intent();
    let mut failed = use_signal(|| false);
    let mut reason = use_signal(String::new);
    let mut busy = use_signal(|| false);
    let problem = use_signal(|| None::<Problem>);
    let slug = launch.card.slug.to_string();
    let errors = fields_of(problem.read().as_ref());
    rsx! {
        details { class: "act", open: true,
            summary { "Say how it went" }
            form {
                class: "inside",
                onsubmit: move |event: FormEvent| {
                    event.prevent_default();
                    let slug = slug.clone();
                    async move {
                        busy.set(true);
                        let outcome = if failed() { Outcome::Failed { reason: reason() } } else { Outcome::Launched {} };
                        let answer = client::outcome(intent, &slug, &outcome).await;
                        settle(answer, busy, problem, "Written down. Its customers are told.".into(), after);
                    }
                },
                Refused { problem }
                Choice {
                    id: "outcome",
                    label: "Outcome",
                    value: if failed() { "failed" } else { "launched" },
                    options: vec![("launched".to_owned(), "It flew".to_owned()), ("failed".to_owned(), "It failed".to_owned())],
                    onchange: move |value: String| failed.set(value == "failed"),
                }
                if failed() {
                    Field {
                        id: "failure",
                        label: "One line about it",
                        value: reason(),
                        maxlength: "200",
                        error: errors.get("reason").cloned(),
                        oninput: move |value| reason.set(value),
                    }
                }
                div { class: "form-actions", Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Write it down" } }
            }
        }
    }
}
