//! What is around every page: the bar at its top, the foot, and the page that is not there.

use super::{BoardAddress, HOME, Route, loaded::say_status};
use crate::{
    browser, client,
    components::{Loading, ThemeToggle, Title},
    session::{Session, use_session},
};
use contract::{Code, account::Role};
use dioxus::prelude::*;

/// All pages of the app.
#[component]
pub(super) fn Frame() -> Element {
    rsx! {
        a { class: "skip", href: "#content", "Skip to the content" }
        SuspenseBoundary {
            fallback: |_| rsx! {
                Night {}
                main { class: "page", id: "content", Loading {} }
            },
            Outlet::<Route> {}
        }
        Foot {}
    }
}

/// The top of a page: the bar, and under it what the page says first.
#[component]
pub(super) fn Night(children: Element) -> Element {
    rsx! {
        header { class: "night",
            div { class: "page",
                Bar {}
                {children}
            }
        }
    }
}

#[component]
fn Mark() -> Element {
    rsx! {
        Link { class: "mark", to: HOME,
            svg { width: "26", height: "26", view_box: "0 0 26 26", "aria-hidden": "true",
                circle { cx: "13", cy: "13", r: "5", fill: "none", stroke: "currentColor", stroke_width: "2" }
                ellipse { class: "mark-orbit", cx: "13", cy: "13", rx: "12", ry: "5", fill: "none", stroke_width: "2", transform: "rotate(-28 13 13)" }
            }
            "Astro Bookings"
        }
    }
}

#[component]
fn Bar() -> Element {
    let session = use_session();
    let links = rsx! {
        Link { to: HOME, "Launches" }
        Link { to: Route::HowItWorks {}, "How it works" }
        Link { to: "/trips", "My trips" }
    };
    rsx! {
        div { class: "bar",
            Mark {}
            nav { class: "bar-links", "aria-label": "Main", {links.clone()} }
            div { class: "bar-end",
                ThemeToggle {}
                match session.read().me() {
                    Some(me) => rsx! {
                        Who { name: me.name.clone(), role: me.role }
                    },
                    None => rsx! {
                        Link { class: "btn bar-sign", to: Route::SignIn { next: here() }, "Sign in" }
                    },
                }
                details { class: "bar-menu",
                    summary { "aria-label": "Menu",
                        svg { width: "22", height: "22", view_box: "0 0 22 22", "aria-hidden": "true",
                            path { d: "M3 7h16M3 15h16", stroke: "currentColor", stroke_width: "2", stroke_linecap: "round" }
                        }
                    }
                    nav { "aria-label": "Menu", {links} }
                }
            }
        }
    }
}

/// The address of the page one is on, to come back to after signing in.
fn here() -> String {
    match router().current::<Route>() {
        Route::SignIn { next } | Route::SignUp { next } => next,
        Route::Confirm {} | Route::Forgotten {} | Route::Reset {} => String::new(),
        Route::Board { address } if address == BoardAddress::default() => String::new(),
        other => other.to_string(),
    }
}

#[component]
fn Who(name: String, role: Role) -> Element {
    let mut session = use_session();
    let desk = match role {
        Role::Customer => None,
        Role::Supplier => Some(("/supplier", "Supplier desk")),
        Role::Employee => Some(("/employee", "Employee desk")),
        Role::Operator | Role::Auditor => Some(("/admin", "Admin desk")),
    };
    rsx! {
        details { class: "who",
            summary { class: "btn", "aria-label": "{name}, your account",
                {name.split_whitespace().next().unwrap_or("You").to_owned()}
            }
            div { class: "who-menu card",
                Link { to: "/trips", "My trips" }
                Link { to: Route::Account {}, "Your account" }
                if let Some((address, words)) = desk {
                    a { href: address, {words} }
                }
                button {
                    r#type: "button",
                    onclick: move |_| async move {
                        if client::sign_out().await.is_ok() {
                            session.set(Session::Visitor);
                            browser::go("/"); // a new page: nothing of the session stays in memory
                        }
                    },
                    "Sign out"
                }
            }
        }
    }
}

#[component]
fn Foot() -> Element {
    rsx! {
        footer { class: "foot",
            div { class: "page foot-in",
                p { class: "small muted", "Astro Bookings. A demonstration: launches and payments are not real." }
                nav { class: "small", "aria-label": "More",
                    Link { to: Route::HowItWorks {}, "How it works" }
                    a { href: "/supplier", "For suppliers" }
                    a { href: "/employee", "Employees" }
                    a { href: "/admin", "Operations" }
                }
            }
        }
    }
}

/// There is no such page.
#[component]
pub(super) fn NotFound(path: Vec<String>) -> Element {
    use_hook(|| say_status(Code::NotFound));
    rsx! {
        Title { text: "Not found" }
        Night {
            div { class: "lead",
                p { class: "eyebrow", "404" }
                h1 { "Nothing orbits here" }
                p { "There is no page at " span { class: "num", "/{path.join(\"/\")}" } "." }
            }
        }
        main { class: "page after-night text", id: "content",
            p {
                "Go to the "
                Link { to: HOME, "launches with seats" }
                " or to "
                Link { to: "/trips", "your trips" }
                "."
            }
        }
    }
}
