//! Signing in and opening an account, and going back to where one was. Forms that hold secrets post: should they ever be sent by the
//! browser itself, nothing of them is in an address.

use super::{HOME, Route, frame::Night};
use crate::{
    browser,
    client::{self, field_errors},
    components::{Button, ButtonKind, Field, Notice, NoticeKind, Title},
    session::{Session, use_session},
};
use contract::{
    Code, Email, Line, Problem,
    account::{Me, Role},
};
use dioxus::prelude::*;

/// The shortest password, in characters.
const PASSWORD_CHARACTERS_MIN: usize = 12;
/// The longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 1_024;
/// How long the page takes to show errors before the focus can go there, in milliseconds.
const SHOWN_AFTER_MS: u32 = 30;

/// An address of this site, and of no other.
fn own(next: &str) -> Option<String> {
    let inside = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.chars().any(char::is_control);
    inside.then(|| next.to_owned())
}

/// Where the one who just signed in wanted to be.
fn go_on(me: &Me, next: &str) {
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
    let mut session = use_session();
    let mut email = use_signal(String::new);
    let mut password = use_signal(String::new);
    let mut errors = use_signal(|| (None::<String>, None::<String>));
    let mut problem = use_signal(|| None::<Problem>);
    let mut busy = use_signal(|| false);
    let submit = move |event: FormEvent| async move {
        event.prevent_default();
        problem.set(None);
        let wrong_email = Email::new(&email.read()).is_err().then(|| "Write your e-mail address.".to_owned());
        let wrong_password = password.read().is_empty().then(|| "Write your password.".to_owned());
        errors.set((wrong_email, wrong_password));
        if errors.read().0.is_none() && errors.read().1.is_none() {
            busy.set(true);
            let ask = contract::account::SignIn { email: email.read().trim().to_owned(), password: password(), code: None };
            match client::sign_in(&ask).await {
                Ok(me) => {
                    session.set(Session::SignedIn(me.clone()));
                    go_on(&me, &next.peek());
                }
                Err(why) => problem.set(Some(why)),
            }
            busy.set(false);
        }
        browser::sleep(SHOWN_AFTER_MS).await;
        browser::focus_first("[aria-invalid=true], .notice[data-kind=bad]");
    };
    rsx! {
        Title { text: "Sign in" }
        Night { div { class: "lead lead-small", h1 { "Sign in" } } }
        main { class: "page after-night sign", id: "content",
            form { class: "card padded stack", method: "post", novalidate: true, "aria-label": "Sign in", onsubmit: submit,
                Coming { next: next() }
                if let Some(why) = problem() {
                    Notice { kind: NoticeKind::Bad, {why.message} }
                }
                Field {
                    id: "email",
                    label: "E-mail",
                    kind: "email",
                    value: email(),
                    error: errors.read().0.clone(),
                    autocomplete: "username",
                    oninput: move |value| {
                        email.set(value);
                        errors.write().0 = None;
                    },
                }
                Field {
                    id: "password",
                    label: "Password",
                    kind: "password",
                    value: password(),
                    error: errors.read().1.clone(),
                    autocomplete: "current-password",
                    oninput: move |value| {
                        password.set(value);
                        errors.write().1 = None;
                    },
                }
                Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Sign in" }
                noscript { p { class: "noscript", "Signing in needs JavaScript." } }
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

/// Opening an account.
#[component]
pub(super) fn SignUp(next: ReadSignal<String>) -> Element {
    let mut session = use_session();
    let mut name = use_signal(String::new);
    let mut email = use_signal(String::new);
    let mut password = use_signal(String::new);
    let mut errors = use_signal(|| [None::<String>, None, None]);
    let mut problem = use_signal(|| None::<Problem>);
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
                Ok(me) => {
                    session.set(Session::SignedIn(me.clone()));
                    go_on(&me, &next.peek());
                }
                Err(why) => {
                    let found = errors_of(&why);
                    problem.set(found.iter().all(Option::is_none).then_some(why));
                    errors.set(found);
                }
            }
            busy.set(false);
        }
        browser::sleep(SHOWN_AFTER_MS).await;
        browser::focus_first("[aria-invalid=true], .notice[data-kind=bad]");
    };
    rsx! {
        Title { text: "Open an account" }
        Night { div { class: "lead lead-small", h1 { "Open an account" } } }
        main { class: "page after-night sign", id: "content",
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
                Field {
                    id: "password",
                    label: "Password",
                    kind: "password",
                    value: password(),
                    error: errors.read()[2].clone(),
                    hint: "At least 12 characters. A few words are better than signs",
                    autocomplete: "new-password",
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

fn check(name: &str, email: &str, password: &str) -> [Option<String>; 3] {
    let password = if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        Some(format!("Use at least {PASSWORD_CHARACTERS_MIN} characters."))
    } else if password.len() > PASSWORD_BYTES_MAX {
        Some(format!("Use at most {PASSWORD_BYTES_MAX} bytes."))
    } else {
        None
    };
    [
        Line::new(name).is_err().then(|| "Write how we may call you.".to_owned()),
        Email::new(email).is_err().then(|| "Write an e-mail address, such as ada@example.org.".to_owned()),
        password,
    ]
}

fn errors_of(problem: &Problem) -> [Option<String>; 3] {
    let fields = field_errors(problem);
    let of = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, why)| why.clone());
    let email = of("email").or_else(|| (problem.code == Code::EmailTaken).then(|| problem.message.clone()));
    [of("name"), email, of("password")]
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

    #[test]
    fn a_short_password_is_told_before_anyone_is_asked() {
        assert!(check("Ada", "ada@example.org", "elevenchars")[2].is_some());
        assert_eq!(check("Ada", "ada@example.org", "twelve chars"), [None, None, None]);
    }
}
