//! The door of a desk: signing in, and a clear word to those whose role is another.

use super::shell::Mark;
use crate::{
    account::Enter,
    client,
    components::{Button, Notice, NoticeKind, ThemeToggle, Title},
    session::{Session, use_session},
};
use contract::account::{Me, Role};
use dioxus::prelude::*;

/// The role as people say it.
pub(super) const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Supplier => "supplier",
        Role::Employee => "employee",
        Role::Operator => "operator",
        Role::Auditor => "auditor",
    }
}

/// Where people of a role work.
const fn home(role: Role) -> &'static str {
    match role {
        Role::Customer => "/",
        Role::Supplier => "/supplier",
        Role::Employee => "/employee",
        Role::Operator | Role::Auditor => "/admin",
    }
}

/// Signing in at this desk; `wrong` is who is signed in with a role that has no seat here.
#[component]
pub fn Door(desk: String, promise: String, #[props(default)] wrong: Option<Me>) -> Element {
    rsx! {
        Title { text: "Sign in | {desk}" }
        div { class: "door",
            header { class: "door-night",
                Mark { desk: desk.clone() }
                svg { view_box: "0 0 400 400", fill: "none", stroke: "currentColor", "aria-hidden": "true",
                    circle { cx: "200", cy: "460", r: "190", stroke_width: "1.5", opacity: ".5" }
                    circle { cx: "200", cy: "460", r: "250", stroke_width: "1", opacity: ".35", stroke_dasharray: "2 8" }
                    circle { cx: "200", cy: "460", r: "330", stroke_width: "1", opacity: ".25", stroke_dasharray: "2 10" }
                    path { d: "M150 276C178 150 240 78 340 44", stroke_width: "2" }
                    circle { cx: "340", cy: "44", r: "5", fill: "currentColor" }
                    circle { cx: "150", cy: "276", r: "4", fill: "currentColor" }
                }
                h2 { "{promise}" }
                p { "Every number here is read from the log of what happened, and says of which position it speaks." }
            }
            main { class: "door-form",
                div {
                    match wrong {
                        Some(me) => rsx! { WrongDoor { desk, me } },
                        None => rsx! { SignInForm { desk } },
                    }
                    div { class: "form-actions", ThemeToggle {} }
                }
            }
        }
    }
}

#[component]
fn WrongDoor(desk: String, me: Me) -> Element {
    let mut session = use_session();
    let mut busy = use_signal(|| false);
    rsx! {
        h1 { "This desk is not yours" }
        Notice { kind: NoticeKind::Warn,
            "You are signed in as {me.name}, a {role_word(me.role)}. The {desk.to_lowercase()} desk is for other people."
        }
        div { class: "form-actions",
            a { class: "btn", "data-kind": "primary", href: home(me.role), "Go to your own pages" }
            Button {
                busy: busy(),
                onclick: move |_| async move {
                    busy.set(true);
                    if client::sign_out().await.is_ok() {
                        session.set(Session::Visitor);
                    }
                    busy.set(false);
                },
                "Sign in as someone else"
            }
        }
    }
}

#[component]
fn SignInForm(desk: String) -> Element {
    rsx! {
        h1 { "Sign in to the {desk.to_lowercase()} desk" }
        Enter { class: "form", onentered: |_| {},
            div { class: "form-actions small",
                a { href: "/forgotten", "Forgot the password?" }
                a { href: "/", "To the launches" }
            }
        }
    }
}
