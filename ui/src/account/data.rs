//! A customer's own data: taking it out, and having it erased.

use super::show_what_is_wrong;
use crate::{
    browser,
    client::{self, field_errors},
    components::{Button, ButtonKind, Dialog, Field, Notice, NoticeKind},
};
use contract::{Code, Problem};
use dioxus::prelude::*;

/// What one types to have everything erased.
const WORD: &str = "erase";

/// The section.
#[component]
pub(super) fn Data() -> Element {
    let mut asking = use_signal(|| false);
    rsx! {
        p { "Everything we keep about you: account, bookings, passengers, payments, refunds, mails, sign-ins." }
        div { class: "row",
            a { class: "btn", "data-kind": "quiet", href: "/api/customer/export?format=html", download: "", "Download to read (HTML)" }
            a { class: "btn", "data-kind": "quiet", href: "/api/customer/export?format=json", download: "", "Download for programs (JSON)" }
        }
        p { "You can have it erased for good. What must stay are amounts and dates, without your name." }
        div { class: "row",
            Button { id: "erase", kind: ButtonKind::Danger, onclick: move |_| asking.set(true), "Erase my account" }
        }
        if asking() {
            Erase { onclose: move |()| asking.set(false) }
        }
    }
}

#[component]
fn Erase(onclose: Callback<()>) -> Element {
    let mut password = use_signal(String::new);
    let mut word = use_signal(String::new);
    let mut errors = use_signal(|| (None::<String>, None::<String>));
    let mut problem = use_signal(|| None::<Problem>);
    let mut busy = use_signal(|| false);
    let submit = move |event: FormEvent| async move {
        event.prevent_default();
        problem.set(None);
        let wrong_word = (!word.read().trim().eq_ignore_ascii_case(WORD)).then(|| format!("Write {WORD} to go on."));
        errors.set((password.read().is_empty().then(|| "Write your password.".to_owned()), wrong_word));
        if errors.read().0.is_none() && errors.read().1.is_none() {
            busy.set(true);
            match client::erase_me(&password()).await {
                Ok(()) => browser::go("/"), // a new page: nothing of the person stays in memory
                Err(why) => {
                    let fields = field_errors(&why);
                    let of = fields.iter().find(|(field, _)| field == "password").map(|(_, why)| format!("This {why}."));
                    problem.set(of.is_none().then_some(why));
                    errors.set((of, None));
                }
            }
            busy.set(false);
        }
        show_what_is_wrong().await;
    };
    rsx! {
        Dialog { id: "erasing", title: "Erase your account?", onclose, back_to: "erase",
            form { class: "stack-tight", method: "post", novalidate: true, "aria-label": "Erase the account", onsubmit: submit,
                p { "Your name, address, passengers and mails become unreadable for everyone, us included. This cannot be taken back." }
                if let Some(why) = problem() {
                    Notice { kind: NoticeKind::Bad,
                        {why.message.clone()}
                        if why.code == Code::OpenBookings {
                            " "
                            a { href: "/trips", "See your trips" }
                        }
                    }
                }
                Field {
                    id: "erase-password",
                    label: "Your password",
                    kind: "password",
                    value: password(),
                    error: errors.read().0.clone(),
                    autocomplete: "current-password",
                    oninput: move |value| password.set(value),
                }
                Field {
                    id: "erase-word",
                    label: "Write \"{WORD}\"",
                    value: word(),
                    error: errors.read().1.clone(),
                    autocomplete: "off",
                    oninput: move |value| word.set(value),
                }
                div { class: "dialog-actions",
                    Button { onclick: move |_| onclose.call(()), "Keep my account" }
                    Button { kind: ButtonKind::Danger, submit: true, busy: busy(), "Erase for good" }
                }
            }
        }
    }
}
