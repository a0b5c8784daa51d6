//! Paying: the card goes to the provider and is kept nowhere, not even by this page once it is left.

use super::book::find;
use crate::{
    browser,
    client::{self, field_errors, use_intent},
    components::{Button, ButtonKind, Field, Notice, NoticeKind},
    format,
};
use contract::{
    Code, Problem,
    booking::{BookingStatus, Pay, Trip},
};
use dioxus::prelude::*;

/// How long the page takes to show errors before the focus can go there, in milliseconds.
const SHOWN_AFTER_MS: u32 = 30;
/// While the provider has not answered, how often the booking is looked at.
const UNKNOWN_TRIES_MAX: u32 = 20;
/// Between those, in milliseconds.
const UNKNOWN_PAUSE_MS: u32 = 3_000;

/// The cards of the test provider, and what each does.
const TEST_CARDS: [(&str, &str); 6] = [
    ("4242 4242 4242 4242", "approves"),
    ("5555 5555 5555 4444", "approves, a second brand"),
    ("4000 0000 0000 0002", "declines"),
    ("4000 0000 0000 9995", "declines: not enough money"),
    ("4000 0000 0000 0341", "approves, but the answer is lost"),
    ("4000 0000 0000 0259", "approves and answers twice"),
];

#[derive(Debug, Clone, PartialEq, Default)]
struct Errors {
    number: Option<String>,
    expiry: Option<String>,
    cvc: Option<String>,
}

impl Errors {
    fn any(&self) -> bool {
        self.number.is_some() || self.expiry.is_some() || self.cvc.is_some()
    }
}

fn check(pay: &Pay) -> Errors {
    let digits = |text: &str| text.chars().filter(|c| !c.is_whitespace()).all(|c| c.is_ascii_digit());
    let count = |text: &str| text.chars().filter(char::is_ascii_digit).count();
    let month = pay.expiry.split_once('/').and_then(|(month, year)| Some((month.trim().parse::<u8>().ok()?, year.trim())));
    Errors {
        number: (!digits(&pay.card_number) || !(12..=19).contains(&count(&pay.card_number)))
            .then(|| "Write the card's number, 12 to 19 digits.".to_owned()),
        expiry: (!month.is_some_and(|(month, year)| (1..=12).contains(&month) && year.len() == 2 && digits(year)))
            .then(|| "Write month and year, such as 08/30.".to_owned()),
        cvc: (!digits(&pay.cvc) || !(3..=4).contains(&count(&pay.cvc))).then(|| "Write the 3 or 4 digits.".to_owned()),
    }
}

fn errors_of(problem: &Problem) -> Errors {
    let mut errors = Errors::default();
    for (field, why) in field_errors(problem) {
        match field.as_str() {
            "card_number" => errors.number = Some(why),
            "expiry" => errors.expiry = Some(why),
            "cvc" => errors.cvc = Some(why),
            _ => {}
        }
    }
    if problem.code == Code::BadCard && !errors.any() {
        errors.number = Some(problem.message.clone());
    }
    errors
}

/// Digits in groups of four.
fn grouped(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).take(19).collect();
    digits.chunks(4).map(|chunk| chunk.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// `08/30` while typing.
fn dated(before: &str, typed: &str) -> String {
    let digits: String = typed.chars().filter(char::is_ascii_digit).take(4).collect();
    match digits.len() {
        0 | 1 => digits,
        2 if before.len() > typed.len() => digits, // the stroke was just taken away
        _ => format!("{}/{}", &digits[..2], &digits[2..]),
    }
}

/// The form.
#[component]
pub(super) fn Payment(trip: Trip, onpaid: Callback<()>, onedit: Callback<()>) -> Element {
    let intent = use_intent();
    let mut pay = use_signal(|| Pay { card_number: String::new(), expiry: String::new(), cvc: String::new() });
    let mut errors = use_signal(Errors::default);
    let mut problem = use_signal(|| None::<Problem>);
    let mut busy = use_signal(|| false);
    let (launch, booking) = (trip.launch.slug.to_string(), trip.booking.id.to_string());
    let submit = move |event: FormEvent| {
        event.prevent_default();
        let (launch, booking) = (launch.clone(), booking.clone());
        async move {
            problem.set(None);
            errors.set(check(&pay.read()));
            if !errors.read().any() {
                busy.set(true);
                let ask = pay.read().clone();
                match client::pay(intent, &launch, &booking, &ask).await {
                    Ok(_) => onpaid.call(()),
                    Err(why) => {
                        errors.set(errors_of(&why));
                        let code = why.code;
                        problem.set((!errors.read().any()).then_some(why));
                        if matches!(code, Code::PaymentUnknown | Code::PaymentInFlight) {
                            await_outcome(&booking).await;
                            onpaid.call(());
                        } else if matches!(code, Code::HoldExpired | Code::BookingClosed) {
                            onpaid.call(());
                        }
                    }
                }
                busy.set(false);
            }
            if errors.read().any() {
                browser::sleep(SHOWN_AFTER_MS).await;
                browser::focus_first("[aria-invalid=true]");
            }
        }
    };
    let total = trip.booking.total;
    rsx! {
        section { class: "card padded stack",
            div { class: "row spread",
                h2 { "Passengers" }
                button { class: "plain small", r#type: "button", onclick: move |_| onedit.call(()), "Change" }
            }
            ul { class: "passes",
                for passenger in trip.booking.passengers.iter() {
                    li { key: "{passenger.seat}", class: "pass",
                        span { class: "pass-seat num", {passenger.seat.to_string()} }
                        span {
                            b { {passenger.name.clone()} }
                            span { class: "muted small", {passenger.email.clone()} }
                        }
                        if let Some(born) = passenger.born {
                            span { class: "num small muted", "born {format::day(born.into())}" }
                        }
                    }
                }
            }
        }
        form { class: "card padded stack", method: "post", novalidate: true, "aria-label": "Payment", onsubmit: submit,
            h2 { "Card" }
            if let Some(why) = problem() {
                Notice { kind: if matches!(why.code, Code::PaymentUnknown | Code::PaymentInFlight) { NoticeKind::Warn } else { NoticeKind::Bad },
                    {why.message}
                }
            }
            div { class: "fields",
                div { class: "wide",
                    Field {
                        id: "card_number",
                        label: "Number",
                        data: true,
                        value: pay.read().card_number.clone(),
                        error: errors.read().number.clone(),
                        autocomplete: "cc-number",
                        inputmode: "numeric",
                        placeholder: "0000 0000 0000 0000",
                        oninput: move |value: String| {
                            pay.write().card_number = grouped(&value);
                            errors.write().number = None;
                        },
                    }
                }
                Field {
                    id: "expiry",
                    label: "Valid until",
                    data: true,
                    value: pay.read().expiry.clone(),
                    error: errors.read().expiry.clone(),
                    autocomplete: "cc-exp",
                    inputmode: "numeric",
                    placeholder: "mm/yy",
                    oninput: move |value: String| {
                        let next = dated(&pay.peek().expiry, &value);
                        pay.write().expiry = next;
                        errors.write().expiry = None;
                    },
                }
                Field {
                    id: "cvc",
                    label: "Security code",
                    data: true,
                    value: pay.read().cvc.clone(),
                    error: errors.read().cvc.clone(),
                    autocomplete: "cc-csc",
                    inputmode: "numeric",
                    placeholder: "123",
                    maxlength: "4",
                    oninput: move |value: String| {
                        pay.write().cvc = value;
                        errors.write().cvc = None;
                    },
                }
            }
            div { class: "pay-end",
                div {
                    span { class: "small muted", "Charged to the card now" }
                    b { class: "pay-amount num", {exact(total)} }
                }
                Button { kind: ButtonKind::Primary, submit: true, busy: busy(), "Pay {total}" }
            }
            details { class: "hint",
                summary { "Payments here are tests: cards to try" }
                table { class: "cards",
                    tbody {
                        for (number , what) in TEST_CARDS {
                            tr { key: "{number}",
                                td {
                                    button {
                                        class: "plain num",
                                        r#type: "button",
                                        onclick: move |_| {
                                            pay.set(Pay { card_number: number.to_owned(), expiry: "12/34".to_owned(), cvc: "123".to_owned() });
                                            errors.set(Errors::default());
                                        },
                                        {number}
                                    }
                                }
                                td { class: "small muted", {what} }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// To the cent, always.
pub(super) fn exact(amount: contract::Money) -> String {
    let text = amount.to_string();
    if text.contains('.') { text } else { format!("{text}.00") }
}

/// Looks again until the booking is decided one way or the other, a bounded number of times.
async fn await_outcome(booking: &str) {
    for _ in 0..UNKNOWN_TRIES_MAX {
        browser::sleep(UNKNOWN_PAUSE_MS).await;
        if let Ok(trip) = find(booking.to_owned()).await
            && trip.booking.status != BookingStatus::Held
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_written_as_on_the_card() {
        assert_eq!(grouped("4242-424242424242"), "4242 4242 4242 4242");
        assert_eq!(dated("0", "08"), "08/");
        assert_eq!(dated("08/", "08"), "08");
        assert_eq!(dated("08/", "08/3"), "08/3");
    }

    #[test]
    fn what_cannot_be_a_card_is_told_before_anyone_is_asked() {
        let bad = Pay { card_number: "4242".to_owned(), expiry: "13/30".to_owned(), cvc: "x".to_owned() };
        let errors = check(&bad);
        assert!(errors.number.is_some() && errors.expiry.is_some() && errors.cvc.is_some());
        let good = Pay { card_number: "4242 4242 4242 4242".to_owned(), expiry: "08/30".to_owned(), cvc: "123".to_owned() };
        assert!(!check(&good).any());
    }

    #[test]
    fn what_is_charged_is_said_to_the_cent() {
        assert_eq!(exact(contract::Money::dollars(2_500_000)), "$2,500,000.00");
        assert_eq!(exact(contract::Money::cents(150)), "$1.50");
    }
}
