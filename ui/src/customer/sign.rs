//! Signing in and asking for an account, and going back to where one was. Forms that hold secrets post: should they ever be sent by the
//! browser itself, nothing of them is in an address.

use super::{HOME, Route, frame::Night};
use crate::{
    account::{Enter, NewPassword, show_what_is_wrong, unfit},
    browser,
    client::{self, field_errors},
    components::{Button, ButtonKind, Field, Notice, NoticeKind, Title},
};
use contract::{
    Email, Line, Problem,
    account::{Me, Role},
};
use dioxus::prelude::*;

/// An address of this site, and of no other.
pub(super) fn own(next: &str) -> Option<String> {
    let inside = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.chars().any(char::is_control);
    inside.then(|| next.to_owned())
}

/// Where the one who just signed in wanted to be.
fn go_on(me: &Me, next: &str) {
    browser::keep_next("");
    let desk = match me.role {
        Role::Customer => None,
        Role::Supplier => Some("/supplier"),
        Role::Employee => Some("/employee"),
        Role::Operator | Role::Auditor => Some("/admin"),
    };
    match (own(next), desk) {
        (None, Some(desk)) => browser::go(desk),
        (next, _) => {
            let target = next.unwrap_or_else(|| HOME.to_owned());
            match target.parse::<Route>() {
                Ok(route) if !matches!(route, Route::NotFound { .. }) => {
                    navigator().replace(route);
                }
                _ => browser::go(&target),
            }
        }
    }
}

/// In place of a page that is for the signed-in.
#[component]
pub(super) fn MustSignIn(next: String, why: String) -> Element {
    rsx! {
        Title { text: "Sign in" }
        Night { div { class: "lead lead-small", h1 { "Please sign in" } } }
        main { class: "page after-night", id: "content",
            section { class: "card padded narrow stack",
                p { "Sign in {why}." }
                div { class: "row",
                    Link { class: "btn", "data-kind": "primary", to: Route::SignIn { next: next.clone() }, "Sign in" }
                    Link { class: "btn", "data-kind": "quiet", to: Route::SignUp { next }, "Open an account" }
                }
            }
        }
    }
}

/// Signing in.
#[component]
pub(super) fn SignIn(next: ReadSignal<String>) -> Element {
    rsx! {
        Title { text: "Sign in" }
        Night { div { class: "lead lead-small", h1 { "Sign in" } } }
        main { class: "page after-night sign", id: "content",
            Coming { next: next() }
            Enter { class: "card padded stack", onentered: move |me: Me| go_on(&me, &next.peek()),
                p { class: "small text",
                    Link { to: Route::Forgotten {}, "Forgot the password?" }
                }
                p { class: "small muted text",
                    "No account yet? "
                    Link { to: Route::SignUp { next: next() }, "Open one" }
                }
            }
        }
    }
}

#[component]
fn Coming(next: String) -> Element {
    let words = match next.parse::<Route>() {
        Ok(Route::Launch { seats, .. }) if !seats.is_empty() => {
            let seats: Vec<&str> = seats.split(',').collect();
            format!("Your choice, {}, is kept: you go back to it.", crate::format::and(&seats))
        }
        _ => String::new(),
    };
    rsx! {
        if !words.is_empty() {
            p { class: "small muted", {words} }
        }
    }
}

/// Asking for an account.
#[component]
pub(super) fn SignUp(next: ReadSignal<String>) -> Element {
    let mut name = use_signal(String::new);
    let mut email = use_signal(String::new);
    let mut password = use_signal(String::new);
    let mut errors = use_signal(|| [None::<String>, None, None]);
    let mut problem = use_signal(|| None::<Problem>);
    let mut asked = use_signal(|| false);
    let mut busy = use_signal(|| false);
    let submit = move |event: FormEvent| async move {
        event.prevent_default();
        problem.set(None);
        errors.set(check(&name.read(), &email.read(), &password.read()));
        if errors.read().iter().all(Option::is_none) {
            busy.set(true);
            let ask = contract::account::SignUp {
                name: name.read().trim().to_owned(),
                email: email.read().trim().to_owned(),
                password: password(),
            };
            match client::sign_up(&ask).await {
                Ok(()) => {
                    browser::keep_next(&own(&next.peek()).unwrap_or_default());
                    password.set(String::new());
                    asked.set(true);
                    browser::focus("asked");
                }
                Err(why) => {
                    let found = errors_of(&why);
                    problem.set(found.iter().all(Option::is_none).then_some(why));
                    errors.set(found);
                }
            }
            busy.set(false);
        }
        show_what_is_wrong().await;
    };
    rsx! {
        Title { text: "Open an account" }
        Night { div { class: "lead lead-small", h1 { if asked() { "Look for our mail" } else { "Open an account" } } } }
        main { class: "page after-night sign", id: "content",
            if asked() {
                section { class: "card padded stack narrow", id: "asked", tabindex: "-1",
                    p { "We have written to " b { "{email}" } ". Open the link in the mail to confirm the address; it works for a day." }
                    Coming { next: next() }
                    p { class: "small muted", "Nothing there after some minutes? Look among unwanted mail, or ask again." }
                    div { class: "row",
                        Button { onclick: move |_| asked.set(false), "Ask again" }
                        Link { class: "btn", "data-kind": "quiet", to: Route::SignIn { next: next() }, "Sign in" }
                    }
                }
            } else {
                form { class: "card padded stack", method: "post", novalidate: true, "aria-label": "Open an account", onsubmit: submit,
                    Coming { next: next() }
                    if let Some(why) = problem() {
                        Notice { kind: NoticeKind::Bad, {why.message} }
                    }
                    Field {
                        id: "name",
                        label: "Name",
                        value: name(),
                        error: errors.read()[0].clone(),
                        autocomplete: "name",
                        maxlength: "200",
                        oninput: move |value| {
                            name.set(value);
                            errors.write()[0] = None;
                        },
                    }
                    Field {
                        id: "email",
                        label: "E-mail",
                        kind: "email",
                        value: email(),
                        error: errors.read()[1].clone(),
                        hint: "Confirmations and changes of date go here",
                        autocomplete: "username",
                        maxlength: "254",
                        oninput: move |value| {
                            email.set(value);
                            errors.write()[1] = None;
                        },
                    }
                    NewPassword {
                        id: "password",
                        label: "Password",
                        value: password(),
                        error: errors.read()[2].clone(),
                        oninput: move |value| {
                            password.set(value);
                            errors.write()[2] = None;
                        },
                    }
                    Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Open the account" }
                    noscript { p { class: "noscript", "Opening an account needs JavaScript." } }
                    p { class: "small muted text",
                        "You have one? "
                        Link { to: Route::SignIn { next: next() }, "Sign in" }
                    }
                }
            }
        }
    }
}

fn check(name: &str, email: &str, password: &str) -> [Option<String>; 3] {
    [
        Line::new(name).is_err().then(|| "Write how we may call you.".to_owned()),
        Email::new(email).is_err().then(|| "Write an e-mail address, such as ada@example.org.".to_owned()),
        unfit(password, false),
    ]
}

fn errors_of(problem: &Problem) -> [Option<String>; 3] {
    let fields = field_errors(problem);
    let of = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, why)| format!("This {why}."));
    [of("name"), of("email"), of("password")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_back_to_this_site_only() {
        assert_eq!(own("/launches/x?seats=2C").as_deref(), Some("/launches/x?seats=2C"));
        for foreign in ["", "//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"] {
            assert_eq!(own(foreign), None, "{foreign}");
        }
    }
}
