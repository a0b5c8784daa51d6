//! What links in mails lead to: confirming an address, setting another password. The secret is in the fragment, which no server is sent; it
//! is taken out of the address at once, and used only when one says so, for programs that look into mails open links too.

use super::{Route, frame::Night, sign::own};
use crate::{
    account::{NewPassword, show_what_is_wrong, unfit},
    browser,
    client::{self, field_errors},
    components::{Button, ButtonKind, Field, Notice, NoticeKind, Title},
};
use contract::{Email, Problem, account::ResetPassword};
use dioxus::prelude::*;

/// The secret of the link one came by; none before the page has started in the browser.
fn use_link() -> Signal<Option<String>> {
    let mut link = use_signal(|| None::<String>);
    use_effect(move || link.set(Some(browser::take_fragment())));
    link
}

#[component]
fn NoLink(children: Element) -> Element {
    rsx! {
        section { class: "card padded stack narrow",
            Notice { kind: NoticeKind::Warn, "This page needs the whole link of the mail. Open it again from there, or ask for another one." }
            div { class: "row", {children} }
        }
    }
}

/// Confirming an address.
#[component]
pub(super) fn Confirm() -> Element {
    let link = use_link();
    let mut problem = use_signal(|| None::<Problem>);
    let mut done = use_signal(|| false);
    let mut busy = use_signal(|| false);
    let next = use_memo(move || if done() { own(&browser::kept_next()).unwrap_or_default() } else { String::new() });
    let missing = link.read().as_ref().is_some_and(String::is_empty);
    rsx! {
        Title { text: "Confirm the address" }
        Night { div { class: "lead lead-small", h1 { if done() { "Your account is open" } else { "Confirm your address" } } } }
        main { class: "page after-night sign", id: "content",
            if missing && !done() {
                NoLink { Link { class: "btn", "data-kind": "quiet", to: Route::SignUp { next: String::new() }, "Open an account" } }
            } else if done() {
                section { class: "card padded stack narrow", id: "confirmed", tabindex: "-1",
                    p { "Thank you, the address is confirmed. You go on where you were." }
                    div { class: "row",
                        Link { class: "btn", "data-kind": "primary", to: Route::SignIn { next: next() }, "Sign in and go on" }
                    }
                }
            } else {
                section { class: "card padded stack narrow",
                    if let Some(why) = problem() {
                        Notice { kind: NoticeKind::Bad, {why.message} }
                    }
                    p { "One click, and the address is confirmed." }
                    div { class: "row",
                        Button {
                            kind: ButtonKind::Primary,
                            busy: busy() || link.read().is_none(),
                            onclick: move |_| async move {
                                busy.set(true);
                                problem.set(None);
                                match client::confirm(link().unwrap_or_default()).await {
                                    Ok(()) => {
                                        done.set(true);
                                        browser::focus("confirmed");
                                    }
                                    Err(why) => problem.set(Some(why)),
                                }
                                busy.set(false);
                                show_what_is_wrong().await;
                            },
                            "Confirm the address"
                        }
                        if problem.read().is_some() {
                            Link { class: "btn", "data-kind": "quiet", to: Route::SignUp { next: String::new() }, "Ask for another link" }
                        }
                    }
                    noscript { p { class: "noscript", "Confirming needs JavaScript." } }
                }
            }
        }
    }
}

/// Asking for a link to set another password.
#[component]
pub(super) fn Forgotten() -> Element {
    let mut email = use_signal(String::new);
    let mut error = use_signal(|| None::<String>);
    let mut problem = use_signal(|| None::<Problem>);
    let mut asked = use_signal(|| false);
    let mut busy = use_signal(|| false);
    let submit = move |event: FormEvent| async move {
        event.prevent_default();
        problem.set(None);
        error.set(Email::new(&email.read()).is_err().then(|| "Write your e-mail address.".to_owned()));
        if error.read().is_none() {
            busy.set(true);
            match client::forgotten(email.read().trim().to_owned()).await {
                Ok(()) => asked.set(true),
                Err(why) => problem.set(Some(why)),
            }
            busy.set(false);
        }
        show_what_is_wrong().await;
    };
    rsx! {
        Title { text: "Forgot the password" }
        Night { div { class: "lead lead-small", h1 { if asked() { "Look for our mail" } else { "Forgot the password?" } } } }
        main { class: "page after-night sign", id: "content",
            if asked() {
                section { class: "card padded stack narrow",
                    Notice { kind: NoticeKind::Good, "If there is an account with this address, a mail with a link is on its way. It works for 15 minutes." }
                    div { class: "row", Button { onclick: move |_| asked.set(false), "Ask again" } }
                }
            } else {
                form { class: "card padded stack", method: "post", novalidate: true, "aria-label": "Forgot the password", onsubmit: submit,
                    if let Some(why) = problem() {
                        Notice { kind: NoticeKind::Bad, {why.message} }
                    }
                    p { "We send you a link with which you set another one." }
                    Field {
                        id: "email",
                        label: "E-mail",
                        kind: "email",
                        value: email(),
                        error: error(),
                        autocomplete: "username",
                        oninput: move |value| {
                            email.set(value);
                            error.set(None);
                        },
                    }
                    Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Send the link" }
                    noscript { p { class: "noscript", "This needs JavaScript." } }
                }
            }
        }
    }
}

/// Setting a password by a link, after forgetting it or being invited.
#[component]
pub(super) fn Reset() -> Element {
    let link = use_link();
    let mut password = use_signal(String::new);
    let mut error = use_signal(|| None::<String>);
    let mut problem = use_signal(|| None::<Problem>);
    let mut done = use_signal(|| false);
    let mut busy = use_signal(|| false);
    let submit = move |event: FormEvent| async move {
        event.prevent_default();
        problem.set(None);
        error.set(unfit(&password.read(), false));
        if error.read().is_none() {
            busy.set(true);
            match client::reset_password(&ResetPassword { token: link().unwrap_or_default(), password: password() }).await {
                Ok(()) => {
                    password.set(String::new());
                    done.set(true);
                }
                Err(why) => {
                    let fields = field_errors(&why);
                    error.set(fields.iter().find(|(field, _)| field == "password").map(|(_, why)| format!("This {why}.")));
                    problem.set(error.read().is_none().then_some(why));
                }
            }
            busy.set(false);
        }
        show_what_is_wrong().await;
    };
    let missing = link.read().as_ref().is_some_and(String::is_empty);
    rsx! {
        Title { text: "Choose a password" }
        Night { div { class: "lead lead-small", h1 { "Choose a password" } } }
        main { class: "page after-night sign", id: "content",
            if done() {
                section { class: "card padded stack narrow",
                    Notice { kind: NoticeKind::Good, "The password is set. Sign in with it." }
                    div { class: "row",
                        Link { class: "btn", "data-kind": "primary", to: Route::SignIn { next: String::new() }, "Sign in" }
                    }
                }
            } else if missing {
                NoLink { Link { class: "btn", "data-kind": "quiet", to: Route::Forgotten {}, "Ask for a link" } }
            } else {
                form { class: "card padded stack", method: "post", novalidate: true, "aria-label": "Choose a password", onsubmit: submit,
                    if let Some(why) = problem() {
                        Notice { kind: NoticeKind::Bad, {why.message} }
                        div { class: "row", Link { class: "btn", "data-kind": "quiet", to: Route::Forgotten {}, "Ask for another link" } }
                    }
                    NewPassword {
                        id: "password",
                        label: "New password",
                        value: password(),
                        staff: None,
                        error: error(),
                        oninput: move |value| {
                            password.set(value);
                            error.set(None);
                        },
                    }
                    Button { kind: ButtonKind::Primary, submit: true, busy: busy() || link.read().is_none(), "Set the password" }
                    noscript { p { class: "noscript", "This needs JavaScript." } }
                }
            }
        }
    }
}
