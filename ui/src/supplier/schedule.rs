//! Putting a launch on sale. The form helps; the rules are the service's, and their refusals stand beside the fields.

use crate::{
    browser,
    client::{self, use_intent},
    components::{Button, ButtonKind, Choice, Field, Notice, NoticeKind, Stale},
    desk::{MiniCabin, PageHead, draw, exact, fields_of},
    format,
};
use contract::{
    Code, Destination, Money, Problem,
    fleet::{Rocket, ScheduleLaunch, Spaceport},
};
use dioxus::prelude::*;
use std::collections::BTreeMap;

/// The page.
#[component]
pub fn Schedule() -> Element {
    let facts = use_resource(|| async {
        let rockets = client::fresh(client::rockets, |rockets| rockets.stale);
        let spaceports = client::fresh(client::spaceports, |spaceports| spaceports.stale);
        let (rockets, spaceports) = futures_util::future::join(rockets, spaceports).await;
        let (mut rockets, spaceports) = (rockets?, spaceports?);
        rockets.items.retain(|rocket| !rocket.retired);
        Ok((rockets, spaceports))
    });
    rsx! {
        PageHead { title: "Schedule a launch", desk: "Supplier" }
        {draw(facts, "The rockets and spaceports", |(rockets, spaceports)| {
            let stale = rockets.stale || spaceports.stale;
            if rockets.items.is_empty() {
                return rsx! {
                    if stale {
                        Stale {}
                    }
                    div { class: "card",
                        crate::components::Empty { title: "A rocket first",
                            p { "A launch needs one of your rockets in service." }
                            Link { class: "btn", "data-kind": "primary", to: "/supplier/rockets", "Add a rocket" }
                        }
                    }
                };
            }
            rsx! {
                if stale {
                    Stale {}
                }
                ScheduleForm { rockets: rockets.items.clone(), spaceports: spaceports.items.clone() }
            }
        })}
    }
}

/// Beside which field a refusal of the rules belongs.
fn field_of(code: Code) -> Option<&'static str> {
    match code {
        Code::TooSoon | Code::TurnaroundTooShort => Some("departs_local"),
        Code::OutOfRange => Some("destination"),
        Code::RocketRetired => Some("rocket"),
        Code::PriceOutOfRange => Some("price"),
        Code::MinimumOutOfRange => Some("minimum_seats"),
        _ => None,
    }
}

#[component]
fn ScheduleForm(rockets: Vec<Rocket>, spaceports: Vec<Spaceport>) -> Element {
    let navigator = use_navigator();
    let intent = use_intent();
    let rockets = use_signal(|| rockets);
    let spaceports = use_signal(|| spaceports);
    let mut rocket = use_signal(|| 0_usize);
    let mut spaceport = use_signal(|| 0_usize);
    let mut destination = use_signal(|| Destination::Suborbital);
    let mut departs = use_signal(String::new);
    let mut price = use_signal(String::new);
    let mut minimum = use_signal(String::new);
    let mut mission = use_signal(String::new);
    let mut busy = use_signal(|| false);
    let mut problem = use_signal(|| None::<Problem>);
    let mut typed_wrong = use_signal(BTreeMap::<String, String>::new);

    let mut errors = fields_of(problem.read().as_ref());
    errors.extend(typed_wrong());
    if let Some(refused) = problem.read().as_ref()
        && let Some(field) = field_of(refused.code)
    {
        errors.insert(field.to_owned(), refused.message.clone());
    }
    let chosen = rockets.read()[rocket()].clone();
    let there = spaceports.read().get(spaceport()).cloned();
    let reachable: Vec<Destination> = Destination::ALL.into_iter().filter(|to| *to <= chosen.range).collect();
    let goes = if destination() <= chosen.range { destination() } else { chosen.range };
    let full = price().parse::<Money>().ok().map(|price| price.times(usize::from(chosen.capacity)));

    let send = move |event: FormEvent| {
        event.prevent_default();
        async move {
            let mut wrong = BTreeMap::new();
            if departs().is_empty() {
                wrong.insert("departs_local".to_owned(), "Choose a date and a time.".to_owned());
            }
            if let Err(why) = price().parse::<Money>() {
                wrong.insert("price".to_owned(), format!("This is not an amount: {why}."));
            }
            let seats = minimum().trim().parse::<u16>();
            if seats.is_err() {
                wrong.insert("minimum_seats".to_owned(), "A whole number of seats, such as 4.".to_owned());
            }
            let there = spaceports.read().get(spaceport()).map(|there| there.id);
            if there.is_none() {
                wrong.insert("spaceport".to_owned(), "Choose a spaceport.".to_owned());
            }
            let first = FIELDS.into_iter().find(|field| wrong.contains_key(*field));
            typed_wrong.set(wrong);
            problem.set(None);
            let (Some(there), Ok(seats), None) = (there, seats, first) else {
                return browser::focus(first.unwrap_or("price"));
            };
            let chosen = rockets.read()[rocket()].clone();
            let ask = ScheduleLaunch {
                rocket: chosen.id,
                spaceport: there,
                destination: if destination() <= chosen.range { destination() } else { chosen.range },
                departs_local: departs(),
                price: price(),
                minimum_seats: seats,
                mission: Some(mission().trim().to_owned()).filter(|mission| !mission.is_empty()),
            };
            busy.set(true);
            let answer = client::schedule_launch(intent, &ask).await;
            busy.set(false);
            match answer {
                Ok(scheduled) => {
                    navigator.push(format!("/supplier/launches/{}", scheduled.slug));
                }
                Err(refused) => {
                    let named = client::field_errors(&refused);
                    let beside =
                        field_of(refused.code).or_else(|| FIELDS.into_iter().find(|field| named.iter().any(|(name, _)| name == field)));
                    problem.set(Some(refused));
                    browser::focus(beside.unwrap_or("refused"));
                }
            }
        }
    };

    rsx! {
        div { class: "two",
            section { class: "card",
                div { class: "panel-head",
                    h2 { "What, from where, when" }
                }
                form { class: "form panel-body", novalidate: true, onsubmit: send,
                    if let Some(refused) = problem.read().as_ref() {
                        Notice { kind: NoticeKind::Bad, id: "refused", "{refused.message}" }
                    }
                    div { class: "pair",
                        Choice {
                            id: "rocket",
                            label: "Rocket",
                            value: rocket().to_string(),
                            options: rockets.read().iter().enumerate().map(|(index, one)| (index.to_string(), format!("{}, {} seats", one.name, one.capacity))).collect::<Vec<_>>(),
                            error: errors.get("rocket").cloned(),
                            hint: "Reaches {chosen.range.title()}.",
                            onchange: move |value: String| rocket.set(value.parse().unwrap_or(0)),
                        }
                        Choice {
                            id: "destination",
                            label: "Destination",
                            value: goes.as_str(),
                            options: reachable.iter().map(|to| (to.as_str().to_owned(), to.title().to_owned())).collect::<Vec<_>>(),
                            error: errors.get("destination").cloned(),
                            onchange: move |value: String| {
                                if let Some(to) = Destination::ALL.into_iter().find(|to| to.as_str() == value) {
                                    destination.set(to);
                                }
                            },
                        }
                    }
                    div { class: "pair",
                        Choice {
                            id: "spaceport",
                            label: "Spaceport",
                            value: spaceport().to_string(),
                            options: spaceports.read().iter().enumerate().map(|(index, one)| (index.to_string(), one.name.clone())).collect::<Vec<_>>(),
                            error: errors.get("spaceport").cloned(),
                            hint: there.as_ref().map(|there| there.location.clone()),
                            onchange: move |value: String| spaceport.set(value.parse().unwrap_or(0)),
                        }
                        Field {
                            id: "departs_local",
                            label: "Date and time there",
                            kind: "datetime-local",
                            data: true,
                            value: departs(),
                            error: errors.get("departs_local").cloned(),
                            hint: there.as_ref().map(|there| format!("In {}, the spaceport's own time.", there.zone)),
                            oninput: move |value| departs.set(value),
                        }
                    }
                    div { class: "pair",
                        Field {
                            id: "price",
                            label: "Price of a seat, US dollars",
                            data: true,
                            inputmode: "decimal",
                            placeholder: "1,250,000",
                            value: price(),
                            error: errors.get("price").cloned(),
                            oninput: move |value| price.set(value),
                        }
                        Field {
                            id: "minimum_seats",
                            label: "Confirmed from how many seats",
                            data: true,
                            inputmode: "numeric",
                            placeholder: "{(chosen.capacity / 3).max(1)}",
                            value: minimum(),
                            error: errors.get("minimum_seats").cloned(),
                            hint: "1 to {chosen.capacity}.",
                            oninput: move |value| minimum.set(value),
                        }
                    }
                    Field {
                        id: "mission",
                        label: "Name of the mission, if it has one",
                        value: mission(),
                        maxlength: "200",
                        error: errors.get("mission").cloned(),
                        oninput: move |value| mission.set(value),
                    }
                    div { class: "form-actions",
                        Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Put it on sale" }
                        span { class: "muted small", "It is on the board at once." }
                    }
                }
            }
            section { class: "card",
                div { class: "panel-head",
                    h2 { "{chosen.name}" }
                    span { class: "aside", {format::plural(u64::from(chosen.capacity), "seat", "seats")} }
                }
                div { class: "panel-body",
                    dl { class: "pairs",
                        dt { "Every seat sold" }
                        dd { class: "num", {full.map_or_else(|| "price first".to_owned(), exact)} }
                    }
                }
                MiniCabin { cabin: chosen.cabin.clone(), taken: vec![] }
            }
        }
    }
}

/// The fields, in the order they are looked at.
const FIELDS: [&str; 7] = ["rocket", "destination", "spaceport", "departs_local", "price", "minimum_seats", "mission"];
