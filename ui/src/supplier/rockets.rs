//! Own rockets: which are in service, bringing one in, taking one out.

use crate::{
    browser,
    client::{self, use_intent},
    components::{Button, ButtonKind, Choice, Empty, Field, Notice, NoticeKind, Pill, Stale},
    desk::{Column, MiniCabin, PageHead, Row, Table, draw, fields_of},
    format,
};
use contract::{
    Cabin, Destination, Problem, Seat,
    fleet::{AddRocket, Rocket},
};
use dioxus::prelude::*;
use std::collections::BTreeMap;

/// Asked this often until a change shows, each try waiting for the view by itself.
const SHOWN_TRIES_MAX: u32 = 5;
/// Between those, in milliseconds.
const SHOWN_PAUSE_MS: u32 = 300;

/// The page.
#[component]
pub fn Rockets() -> Element {
    let mut done = use_signal(|| None::<(String, Rocket)>);
    let rockets = use_resource(move || async move {
        let wanted = done();
        let mut rockets = client::rockets().await?;
        for _ in 0..SHOWN_TRIES_MAX {
            let shown = wanted
                .as_ref()
                .is_none_or(|(_, rocket)| rockets.items.iter().any(|one| one.id == rocket.id && one.retired == rocket.retired));
            if shown {
                break;
            }
            browser::sleep(SHOWN_PAUSE_MS).await;
            rockets = client::rockets().await?;
        }
        Ok(rockets)
    });
    let changed = use_callback(move |what: (String, Rocket)| done.set(Some(what)));
    rsx! {
        PageHead { title: "Rockets", desk: "Supplier" }
        if let Some((words, _)) = done() {
            Notice { kind: NoticeKind::Good, "{words}" }
        }
        div { class: "two", "data-top": "true",
            {draw(rockets, "The rockets", |rockets| rsx! { Fleet { rockets: rockets.items.clone(), stale: rockets.stale, changed } })}
            AddForm { changed }
        }
    }
}

#[component]
fn Fleet(rockets: Vec<Rocket>, stale: bool, changed: Callback<(String, Rocket)>) -> Element {
    if rockets.is_empty() {
        return rsx! {
            if stale {
                Stale {}
            }
            div { class: "card", Empty { title: "No rockets yet", "Add the first one; launches are scheduled with it." } }
        };
    }
    let columns = vec![Column::text("Rocket"), Column::text("State").lead(), Column::number("Seats"), Column::text("Service")];
    let rows = rockets
        .into_iter()
        .map(|rocket| Row {
            key: rocket.id.to_string(),
            cells: vec![
                rsx! {
                    b { "{rocket.name}" }
                    small { "reaches {rocket.range.title()}" }
                },
                rsx! {
                    if rocket.retired {
                        Pill { state: "expired", text: "Retired" }
                    } else {
                        Pill { state: "confirmed", text: "In service" }
                    }
                },
                rsx! {
                    "{rocket.capacity}"
                    small { "{rocket.cabin.rows()} x {rocket.cabin.seats_per_row()}" }
                },
                rsx! {
                    if !rocket.retired {
                        Retire { rocket: rocket.clone(), changed }
                    }
                },
            ],
        })
        .collect::<Vec<_>>();
    rsx! {
        div {
            if stale {
                Stale {}
            }
            Table { caption: "Own rockets", columns, rows, short: true }
        }
    }
}

#[component]
fn Retire(rocket: Rocket, changed: Callback<(String, Rocket)>) -> Element {
    let intent = use_intent();
    let mut sure = use_signal(|| false);
    let mut busy = use_signal(|| false);
    let mut problem = use_signal(|| None::<Problem>);
    let rocket = use_signal(|| rocket);
    rsx! {
        if let Some(refused) = problem.read().as_ref() {
            Notice { kind: NoticeKind::Bad, "{refused.message}" }
        }
        if sure() {
            div { class: "form-actions tight",
                Button {
                    kind: ButtonKind::Danger,
                    busy: busy(),
                    onclick: move |_| async move {
                        busy.set(true);
                        let one = rocket();
                        let answer = client::retire_rocket(intent, &one.id.to_string()).await;
                        busy.set(false);
                        match answer {
                            Ok(()) => changed.call((format!("{} is retired. Launches already scheduled with it stay.", one.name), Rocket { retired: true, ..one })),
                            Err(refused) => problem.set(Some(refused)),
                        }
                    },
                    "Retire for good"
                }
                Button { onclick: move |_| sure.set(false), "Keep" }
            }
        } else {
            Button { label: "Retire {rocket.read().name}", onclick: move |_| sure.set(true), "Retire" }
        }
    }
}

#[component]
fn AddForm(changed: Callback<(String, Rocket)>) -> Element {
    let intent = use_intent();
    let mut name = use_signal(String::new);
    let mut range = use_signal(|| Destination::LowEarth);
    let mut rows = use_signal(|| "6".to_owned());
    let mut across = use_signal(|| "4".to_owned());
    let mut blocked = use_signal(String::new);
    let mut busy = use_signal(|| false);
    let mut problem = use_signal(|| None::<Problem>);
    let mut typed_wrong = use_signal(BTreeMap::<String, String>::new);
    let mut errors = fields_of(problem.read().as_ref());
    errors.extend(typed_wrong());
    let seats = move || {
        blocked()
            .split([',', ' '])
            .filter(|seat| !seat.is_empty())
            .map(|seat| seat.to_uppercase().parse::<Seat>())
            .collect::<Result<Vec<_>, _>>()
    };
    let preview = match (rows().parse::<u8>(), across().parse::<u8>(), seats()) {
        (Ok(rows), Ok(across), Ok(blocked)) => Cabin::new(rows, across, blocked.into_iter().collect()).ok(),
        _ => None,
    };
    let send = move |event: FormEvent| {
        event.prevent_default();
        async move {
            let mut wrong = BTreeMap::new();
            if name().trim().is_empty() {
                wrong.insert("name".to_owned(), "A rocket needs a name.".to_owned());
            }
            let (rows, across, seats) = (rows().trim().parse::<u8>(), across().trim().parse::<u8>(), seats());
            if rows.is_err() {
                wrong.insert("rows".to_owned(), format!("1 to {} rows.", Cabin::ROWS_MAX));
            }
            if across.is_err() {
                wrong.insert("seats_per_row".to_owned(), format!("1 to {} seats.", Cabin::SEATS_PER_ROW_MAX));
            }
            if seats.is_err() {
                wrong.insert("blocked".to_owned(), "Seats such as 1A, 6D.".to_owned());
            }
            let first = FIELDS.into_iter().find(|field| wrong.contains_key(*field));
            typed_wrong.set(wrong);
            problem.set(None);
            let (Ok(rows), Ok(seats_per_row), Ok(blocked), None) = (rows, across, seats, first) else {
                return browser::focus(first.unwrap_or("name"));
            };
            busy.set(true);
            let answer = client::add_rocket(intent, &AddRocket { name: name(), range: range(), rows, seats_per_row, blocked }).await;
            busy.set(false);
            match answer {
                Ok(rocket) => {
                    name.set(String::new());
                    changed.call((
                        format!("{} is in service with {}.", rocket.name, format::plural(u64::from(rocket.capacity), "seat", "seats")),
                        rocket,
                    ));
                }
                Err(refused) => {
                    problem.set(Some(refused));
                    browser::focus("name");
                }
            }
        }
    };
    rsx! {
        section { class: "card",
            div { class: "panel-head",
                h2 { "Add a rocket" }
            }
            form { class: "form panel-body", novalidate: true, onsubmit: send,
                if let Some(refused) = problem.read().as_ref() {
                    Notice { kind: NoticeKind::Bad, "{refused.message}" }
                }
                Field {
                    id: "name",
                    label: "Name",
                    value: name(),
                    maxlength: "200",
                    error: errors.get("name").cloned(),
                    oninput: move |value| name.set(value),
                }
                Choice {
                    id: "range",
                    label: "Farthest destination",
                    value: range().as_str(),
                    options: Destination::ALL.iter().map(|to| (to.as_str().to_owned(), to.title().to_owned())).collect::<Vec<_>>(),
                    onchange: move |value: String| {
                        if let Some(to) = Destination::ALL.into_iter().find(|to| to.as_str() == value) {
                            range.set(to);
                        }
                    },
                }
                div { class: "pair",
                    Field {
                        id: "rows",
                        label: "Rows",
                        data: true,
                        inputmode: "numeric",
                        value: rows(),
                        error: errors.get("rows").cloned(),
                        oninput: move |value| rows.set(value),
                    }
                    Field {
                        id: "seats_per_row",
                        label: "Seats in a row",
                        data: true,
                        inputmode: "numeric",
                        value: across(),
                        error: errors.get("seats_per_row").cloned(),
                        oninput: move |value| across.set(value),
                    }
                }
                Field {
                    id: "blocked",
                    label: "Seats nobody may have",
                    data: true,
                    placeholder: "1A, 6D",
                    value: blocked(),
                    error: errors.get("blocked").cloned(),
                    oninput: move |value| blocked.set(value),
                }
                div { class: "form-actions",
                    Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Bring it into service" }
                }
            }
            if let Some(cabin) = preview {
                MiniCabin { cabin, taken: vec![] }
            }
        }
    }
}

/// The fields, in the order they are looked at.
const FIELDS: [&str; 4] = ["name", "rows", "seats_per_row", "blocked"];
