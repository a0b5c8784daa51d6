//! The frame of a desk: night at the side, the way around it, who is signed in; the page's own work beside it.

use super::{
    Icon, Shape,
    door::{Door, role_word},
};
use crate::{
    client,
    components::{Loading, ThemeToggle},
    session::{Session, use_session},
};
use contract::account::{Me, Role};
use dioxus::prelude::*;

/// One place of a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NavItem {
    /// As shown.
    pub label: &'static str,
    /// Its address.
    pub to: &'static str,
    /// Beside the word.
    pub shape: Shape,
    /// Who has business there; empty for everyone, signed in or not.
    pub roles: &'static [Role],
}

/// The frame. `open` pages are shown to visitors too; all others need one of `roles`.
#[component]
pub fn Shell(
    desk: &'static str,
    promise: &'static str,
    home: &'static str,
    roles: &'static [Role],
    nav: &'static [NavItem],
    here: String,
    #[props(default)] open: bool,
    children: Element,
) -> Element {
    let session = use_session();
    let session = session.read();
    let me = session.me().filter(|me| roles.contains(&me.role)).cloned();
    match (&*session, &me) {
        (_, Some(_)) => {}
        _ if open => {}
        (Session::Unknown, _) => {
            return rsx! {
                div { class: "desk",
                    header { class: "side", Mark { desk, home } }
                    main { class: "work", Loading { lines: 8 } }
                }
            };
        }
        (other, _) => {
            return rsx! {
                Door { desk, promise, wrong: other.me().cloned() }
            };
        }
    }
    let path = here.split(['?', '#']).next().unwrap_or_default().to_owned();
    let current =
        |item: &NavItem| path == item.to || (item.to != home && path.strip_prefix(item.to).is_some_and(|rest| rest.starts_with('/')));
    let shown = |item: &&NavItem| item.roles.is_empty() || me.as_ref().is_some_and(|me| item.roles.contains(&me.role));
    rsx! {
        div { class: "desk",
            a { class: "desk-skip", href: "#work", "Skip to the work" }
            header { class: "side",
                Mark { desk, home }
                nav { class: "side-nav", "aria-label": "Main",
                    for item in nav.iter().filter(shown) {
                        Link { key: "{item.to}", to: item.to,
                            Icon { shape: item.shape }
                            // On the link itself the router keeps this attribute, and takes it away where the address has filters.
                            span { "aria-current": if current(item) { "page" }, "{item.label}" }
                        }
                    }
                }
                Who { me, home }
            }
            main { class: "work", id: "work", tabindex: "-1", {children} }
        }
    }
}

/// The mark, with the desk's name under it.
#[component]
pub(super) fn Mark(desk: String, #[props(default)] home: String) -> Element {
    rsx! {
        a { class: "side-mark", href: if home.is_empty() { "/".to_owned() } else { home },
            svg { view_box: "0 0 32 32", fill: "none", stroke: "currentColor", stroke_width: "2", stroke_linecap: "round", "aria-hidden": "true",
                circle { cx: "16", cy: "17", r: "7" }
                path { d: "M3 25C14 29 27 20 29 6" }
                circle { cx: "29", cy: "6", r: "1.6", fill: "currentColor" }
            }
            b { "Astro Bookings" }
            span { "{desk} desk" }
        }
    }
}

#[component]
fn Who(me: Option<Me>, home: String) -> Element {
    let mut session = use_session();
    let mut failed = use_signal(|| false);
    rsx! {
        div { class: "side-who",
            if let Some(me) = &me {
                p {
                    b { "{me.name}" }
                    span { {role_word(me.role)} }
                }
            }
            div { class: "side-tools",
                if me.is_some() {
                    Link { to: "{home}/account", "Your account" }
                    button {
                        r#type: "button",
                        onclick: move |_| async move {
                            match client::sign_out().await {
                                Ok(()) => session.set(Session::Visitor),
                                Err(_) => failed.set(true),
                            }
                        },
                        if failed() { "Sign out: try again" } else { "Sign out" }
                    }
                } else {
                    a { href: home, "Sign in" }
                }
                ThemeToggle {}
            }
        }
    }
}
