//! The trail: who did what from where. Sign-ins, denials, limits, changes of roles, exports and erasures.

use super::{
    is,
    logs::{IdFilter, MinuteFilter, minute},
};
use crate::{
    client,
    components::{Choice, Empty},
    desk::{Column, Detail, PageHead, Pages, Row, Sieve, Sift, Table, draw, keyed},
    format,
};
use contract::{
    account::Role,
    security::{SecurityEvent, SecurityKind, SecurityQuery},
};
use dioxus::prelude::*;

const BASE: &str = "/admin/security";

/// The page.
#[component]
pub fn Security(sift: ReadSignal<Sift>) -> Element {
    if !(is(Role::Operator) || is(Role::Auditor)) {
        return rsx! {
            super::NotForYou { title: "Security events", who: "operators and auditors" }
        };
    }
    rsx! {
        Events { sift }
    }
}

/// A kind in words: `sign_in_failed` is "Sign in failed".
fn in_words(kind: &str) -> String {
    let words = kind.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// How much a kind calls for attention, as levels of the log do.
fn level(kind: &str) -> &'static str {
    match kind {
        "refresh_reused" | "foreign_origin" | "sign_in_throttled" => "error",
        "sign_in_failed" | "password_check_failed" | "second_factor_failed" | "denied" | "limited" | "recovery_code_used" => "warn",
        _ => "info",
    }
}

#[component]
fn Events(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        SecurityQuery {
            kind: sift.kind.clone(),
            account: sift.account.parse().ok(),
            from: minute(&sift.from),
            to: minute(&sift.to),
            page: sift.page(),
        }
    });
    let list = use_resource(move || {
        let query = query();
        async move { client::security_events(&query).await }
    });
    let navigator = use_navigator();
    let now = sift.read().clone();
    let mut kinds: Vec<(String, String)> =
        SecurityKind::ALL.iter().map(|kind| (kind.as_str().to_owned(), in_words(kind.as_str()))).collect();
    kinds.sort();
    kinds.insert(0, (String::new(), "Everything".to_owned()));
    rsx! {
        PageHead { title: "Security events", desk: "Admin" }
        Sieve { base: BASE, sift: now.clone(),
            Choice {
                id: "kind",
                label: "What happened",
                value: now.kind.clone(),
                options: kinds,
                onchange: {
                    let now = now.clone();
                    move |kind| { navigator.push(Sift { kind, ..now.on_page(1) }.under(BASE)); }
                },
            }
            IdFilter { id: "account", label: "Account", value: now.account.clone(), onchange: { let now = now.clone(); move |account| { navigator.replace(Sift { account, ..now.on_page(1) }.under(BASE)); } } }
            MinuteFilter { id: "from", label: "From (UTC)", value: now.from.clone(), onchange: { let now = now.clone(); move |from| { navigator.replace(Sift { from, ..now.on_page(1) }.under(BASE)); } } }
            MinuteFilter { id: "to", label: "Before (UTC)", value: now.to.clone(), onchange: { let now = now.clone(); move |to| { navigator.replace(Sift { to, ..now.on_page(1) }.under(BASE)); } } }
        }
        div { class: "beside", "data-open": if !now.open.is_empty() { "true" },
            {draw(list, "The trail", |page| {
                if page.items.is_empty() {
                    return rsx! {
                        div { class: "card",
                            Empty { title: "Nothing matches",
                                if now.narrows() { "Take a filter away to see more." } else { "Sign-ins, denials and changes of accounts show here." }
                            }
                        }
                    };
                }
                let columns = vec![Column::data("Time (UTC)"), Column::text("What").lead(), Column::data("Account"), Column::data("From").later()];
                let keyed = keyed(&page.items, |event| event.at);
                let rows = keyed.iter().map(|(key, event)| row(key.clone(), event)).collect::<Vec<_>>();
                let open = keyed.iter().find(|(key, _)| *key == now.open).map(|(_, event)| (*event).clone());
                rsx! {
                    Table { caption: "Security events, newest first", columns, rows, base: BASE, sift: now.clone(),
                        Pages { base: BASE, sift: now.clone(), total: page.total, per_page: page.per_page, noun: "events" }
                    }
                    if let Some(event) = open {
                        EventDetail { key: "{now.open}", event, sift: now.clone() }
                    }
                }
            })}
        }
    }
}

fn row(key: String, event: &SecurityEvent) -> Row {
    let at = format::civil(event.at, 0);
    // Enough to tell accounts of one list apart; the whole id is beside it.
    let account = event.account.map_or_else(|| "not known".to_owned(), |account| format!("{:.8}…", account.to_string()));
    Row {
        key,
        cells: vec![
            rsx! { "{format::moment(at)}:{at.second():02}" },
            rsx! {
                span { class: "level", "data-level": level(&event.kind), {in_words(&event.kind)} }
                if event.times > 1 {
                    span { class: "num", " {format::count(event.times)} times" }
                }
            },
            rsx! { "{account}" },
            rsx! { "{event.address}" },
        ],
    }
}

#[component]
fn EventDetail(event: SecurityEvent, sift: Sift) -> Element {
    let account = event.account.map(|account| account.to_string());
    let actor = event.actor.map(|actor| actor.to_string());
    let lines = account.clone().map(|account| Sift { account, ..Sift::default() }.under("/admin/logs"));
    rsx! {
        Detail { title: in_words(&event.kind), subtitle: "{event.at}", base: BASE, sift,
            dl { class: "pairs",
                if let Some(account) = account {
                    dt { "Account" }
                    dd { class: "num", "{account}" }
                }
                if let Some(actor) = actor {
                    dt { "Done by" }
                    dd { class: "num", "{actor}" }
                }
                if !event.address.is_empty() {
                    dt { "From" }
                    dd { class: "num", "{event.address}" }
                }
                if !event.reason.is_empty() {
                    dt { "Reason" }
                    dd { "{event.reason}" }
                }
                if event.times > 1 {
                    dt { "Within a minute" }
                    dd { class: "num", "{format::count(event.times)} times" }
                }
            }
            if let Some(to) = lines.filter(|_| is(Role::Operator)) {
                p { Link { to, "Log lines of this account" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_in_words() {
        assert_eq!(in_words("sign_in_failed"), "Sign in failed");
        assert_eq!((level("denied"), level("signed_in"), level("refresh_reused")), ("warn", "info", "error"));
    }
}
