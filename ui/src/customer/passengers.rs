//! Who sits where: a card for each seat, errors beside the fields.

use crate::{
    browser,
    client::{self, field_errors, use_intent},
    components::{Button, ButtonKind, Field, Notice, NoticeKind},
    format,
    session::use_session,
};
use contract::{
    Code, Email, Line, Phone, Problem,
    booking::{NamePassengers, PassengerForm, Trip},
};
use dioxus::prelude::*;
use std::collections::BTreeMap;

/// How long the page takes to show errors before the focus can go there, in milliseconds.
const SHOWN_AFTER_MS: u32 = 30;

type Errors = BTreeMap<String, String>;

/// What is wrong with a form before anyone is asked, by `seat.field`.
fn check(forms: &[PassengerForm]) -> Errors {
    let mut errors = Errors::new();
    for form in forms {
        let mut wrong = |field: &str, why: &str| {
            errors.insert(format!("{}.{field}", form.seat), why.to_owned());
        };
        if Line::new(&form.name).is_err() {
            wrong("name", "Write the name as in the passport.");
        }
        if Email::new(&form.email).is_err() {
            wrong("email", "Write an e-mail address, such as ada@example.org.");
        }
        if Phone::new(&form.phone).is_err() {
            wrong("phone", "Write a number with its country, such as +44 20 7946 0000.");
        }
        if form.born.parse::<jiff::civil::Date>().is_err() {
            wrong("born", "Choose the day of birth.");
        }
    }
    errors
}

/// What the service found wrong, by `seat.field`.
fn errors_of(problem: &Problem) -> Errors {
    let mut errors: Errors =
        field_errors(problem).into_iter().filter_map(|(field, why)| Some((field.strip_prefix("passengers.")?.to_owned(), why))).collect();
    if problem.code == Code::AgeOutOfRange
        && let Some(seat) = problem.details.get("seat").and_then(serde_json::Value::as_str)
    {
        errors.insert(format!("{seat}.born"), problem.message.clone());
    }
    errors
}

/// The form.
#[component]
pub(super) fn Passengers(trip: Trip, onnamed: Callback<()>) -> Element {
    let session = use_session();
    let intent = use_intent();
    let mut forms = use_signal(|| {
        let named = |seat: &contract::Seat| trip.booking.passengers.iter().find(|passenger| passenger.seat == *seat).cloned();
        let form = |seat: &contract::Seat| match named(seat) {
            Some(known) => PassengerForm {
                seat: seat.to_string(),
                name: known.name,
                email: known.email,
                phone: known.phone,
                born: known.born.map(|day| day.to_string()).unwrap_or_default(),
            },
            None => PassengerForm { seat: seat.to_string(), ..PassengerForm::default() },
        };
        trip.booking.seats.iter().map(form).collect::<Vec<_>>()
    });
    let mut errors = use_signal(Errors::new);
    let mut problem = use_signal(|| None::<Problem>);
    let mut busy = use_signal(|| false);
    let (launch, booking) = (trip.launch.slug.to_string(), trip.booking.id.to_string());
    let submit = move |event: FormEvent| {
        event.prevent_default();
        let (launch, booking) = (launch.clone(), booking.clone());
        async move {
            problem.set(None);
            errors.set(check(&forms.read()));
            if errors.read().is_empty() {
                busy.set(true);
                let passengers = forms.read().clone();
                match client::name_passengers(intent, &launch, &booking, &NamePassengers { passengers }).await {
                    Ok(()) => onnamed.call(()),
                    Err(why) => {
                        errors.set(errors_of(&why));
                        problem.set(Some(why));
                    }
                }
                busy.set(false);
            }
            if !errors.read().is_empty() {
                browser::sleep(SHOWN_AFTER_MS).await;
                browser::focus_first("[aria-invalid=true]");
            }
        }
    };
    let number = forms.read().len();
    let wrong = errors.read().len();
    rsx! {
        form { class: "stack", method: "post", novalidate: true, "aria-label": "Passengers", onsubmit: submit,
            if wrong > 0 {
                Notice { kind: NoticeKind::Bad, {format::plural(wrong as u64, "field needs", "fields need")} " your attention." }
            } else if let Some(why) = problem() {
                Notice { kind: NoticeKind::Bad, {why.message} }
            }
            for at in 0..number {
                PassengerCard {
                    key: "{at}",
                    form: forms.read()[at].clone(),
                    errors: errors.read().clone(),
                    first: at == 0,
                    onuse: Callback::new(move |()| {
                        if let Some(me) = session.peek().me() {
                            let mut forms = forms.write();
                            forms[at].name.clone_from(&me.name);
                            forms[at].email.clone_from(&me.email);
                        }
                    }),
                    onform: Callback::new(move |form: PassengerForm| {
                        let seat = form.seat.clone();
                        let before = forms.read()[at].clone();
                        forms.write()[at] = form.clone();
                        for (field, old, new) in [("name", before.name, form.name), ("email", before.email, form.email), ("phone", before.phone, form.phone), ("born", before.born, form.born)] {
                            if old != new {
                                errors.write().remove(&format!("{seat}.{field}"));
                            }
                        }
                    }),
                }
            }
            div { class: "row form-end",
                Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Go to payment" }
                p { class: "small muted", "Nothing is charged yet. Details are used for this flight only." }
            }
        }
    }
}

#[component]
fn PassengerCard(form: PassengerForm, errors: Errors, first: bool, onuse: Callback<()>, onform: Callback<PassengerForm>) -> Element {
    let seat = form.seat.clone();
    let error = |field: &str| errors.get(&format!("{seat}.{field}")).cloned();
    let set = |change: fn(&mut PassengerForm, String)| {
        let form = form.clone();
        Callback::new(move |value: String| {
            let mut form = form.clone();
            change(&mut form, value);
            onform.call(form);
        })
    };
    let section = |field: &str| format!("section-{} {field}", seat.to_lowercase());
    rsx! {
        fieldset { class: "card padded passenger",
            legend { class: "visually-hidden", "Passenger in seat {seat}" }
            div { class: "passenger-head",
                span { class: "pass-seat num", "aria-hidden": "true", {seat.clone()} }
                h2 { "aria-hidden": "true", "Seat {seat}" }
                if first {
                    button { class: "plain small", r#type: "button", onclick: move |_| onuse.call(()), "Use my details" }
                }
            }
            div { class: "fields",
                Field {
                    id: "name-{seat}",
                    label: "Name, as in the passport",
                    value: form.name.clone(),
                    error: error("name"),
                    autocomplete: section("name"),
                    maxlength: "200",
                    oninput: set(|form, value| form.name = value),
                }
                Field {
                    id: "born-{seat}",
                    label: "Day of birth",
                    kind: "date",
                    data: true,
                    value: form.born.clone(),
                    error: error("born"),
                    autocomplete: section("bday"),
                    oninput: set(|form, value| form.born = value),
                }
                Field {
                    id: "email-{seat}",
                    label: "E-mail",
                    kind: "email",
                    value: form.email.clone(),
                    error: error("email"),
                    autocomplete: section("email"),
                    maxlength: "254",
                    oninput: set(|form, value| form.email = value),
                }
                Field {
                    id: "phone-{seat}",
                    label: "Telephone",
                    kind: "tel",
                    data: true,
                    value: form.phone.clone(),
                    error: error("phone"),
                    hint: "With the country, such as +1 321 867 5000",
                    autocomplete: section("tel"),
                    oninput: set(|form, value| form.phone = value),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_empty_form_names_every_field() {
        let form = PassengerForm { seat: "2C".to_owned(), ..PassengerForm::default() };
        assert_eq!(check(&[form]).into_keys().collect::<Vec<_>>(), ["2C.born", "2C.email", "2C.name", "2C.phone"]);
    }

    #[test]
    fn what_the_service_refuses_stands_beside_its_field() {
        let fields = Problem {
            code: Code::BadRequest,
            message: String::new(),
            details: json!({ "fields": { "passengers.2C.email": "must be an address" } }),
        };
        assert_eq!(errors_of(&fields).get("2C.email").map(String::as_str), Some("must be an address"));
        let age = Problem { code: Code::AgeOutOfRange, message: "Too young.".to_owned(), details: json!({ "seat": "2D", "age": 9 }) };
        assert_eq!(errors_of(&age).get("2D.born").map(String::as_str), Some("Too young."));
    }
}
