//! The launches view: what the board and the page of a launch show. Whose the seats are is left to the bookings.

use crate::{
    Column, Recorded, Unfit, View,
    departure::{departure, spoken, spoken_day},
    words::tokens,
};
use contract::{
    AbortReason, Status,
    launch::{Happening, LaunchCard, LaunchPage, TakenSeat},
};
use domain::{
    AnyEvent, Decider,
    launch::{Event, Launch, Plan},
    seat::Seat,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    str::FromStr,
};

/// How many things that happened a launch shows; the first and the latest stay.
const HISTORY_MAX: usize = 100;

/// A launch as kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Form")]
pub struct LaunchDocument {
    /// The page, but for the seats that are taken.
    pub page: LaunchPage,
    taken: Taken,
    /// The position of each thing in the page's history.
    pub marks: Vec<u64>,
}

/// A launch as it may have been kept: seats were within the page before.
#[derive(Deserialize)]
struct Form {
    page: LaunchPage,
    taken: Option<Taken>,
    marks: Vec<u64>,
}

impl From<Form> for LaunchDocument {
    fn from(Form { mut page, taken, marks }: Form) -> Self {
        let before = std::mem::take(&mut page.taken).into_iter().map(|taken| (taken.seat, taken.held));
        Self { page, taken: taken.unwrap_or_else(|| Taken(before.collect())), marks }
    }
}

/// Seats that are not free, and whether they are only held. One text in the store, with a star for held: `1A 1B* 2C`. A document for each made
/// a launch of 500 taken seats five times as costly to write.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Taken(BTreeMap<Seat, bool>);

impl From<Taken> for String {
    fn from(Taken(seats): Taken) -> Self {
        let mut text = Self::new();
        for (seat, held) in seats {
            let between = if text.is_empty() { "" } else { " " };
            let star = if held { "*" } else { "" };
            // Writing to a text cannot fail.
            let _ = write!(text, "{between}{seat}{star}");
        }
        text
    }
}

impl TryFrom<String> for Taken {
    type Error = <Seat as FromStr>::Err;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let seat = |word: &str| {
            let held = word.strip_suffix('*');
            Ok((held.unwrap_or(word).parse()?, held.is_some()))
        };
        Ok(Self(text.split_ascii_whitespace().map(seat).collect::<Result<_, _>>()?))
    }
}

impl LaunchDocument {
    /// The page.
    #[must_use]
    pub fn into_page(self) -> LaunchPage {
        let taken = self.taken.0.into_iter().map(|(seat, held)| TakenSeat { seat, held }).collect();
        LaunchPage { taken, ..self.page }
    }
}

fn launch_event(event: &Recorded) -> Option<&Event> {
    match &event.event {
        AnyEvent::Launch(launch) => Some(launch),
        _ => None,
    }
}

impl View for LaunchDocument {
    const NAME: &'static str = "launches";
    const STREAM: &'static str = Launch::NAME;

    fn key(event: &Recorded) -> Option<String> {
        let shown = match launch_event(event)? {
            Event::Scheduled { .. }
            | Event::Repriced { .. }
            | Event::Delayed { .. }
            | Event::Confirmed { .. }
            | Event::ViabilityWarned { .. }
            | Event::Aborted { .. }
            | Event::Launched { .. }
            | Event::Failed { .. }
            | Event::SeatsHeld { .. }
            | Event::HoldExpired { .. }
            | Event::BookingConfirmed { .. } => true,
            Event::BookingCancelled { freed, .. } => !freed.is_empty(),
            Event::PassengerCancelled { freed, .. } => *freed,
            Event::PassengersNamed { .. }
            | Event::PaymentInitiated { .. }
            | Event::PaymentCaptured { .. }
            | Event::PaymentDeclined { .. }
            | Event::RefundRequested { .. }
            | Event::RefundPaid { .. }
            | Event::RefundFailed { .. } => false,
        };
        shown.then(|| event.stream_id().to_owned())
    }

    fn project(view: Option<Self>, event: &Recorded) -> Result<Self, Unfit> {
        let happened = launch_event(event).ok_or(Unfit("not an event of a launch"))?;
        let mut view = match (view, happened) {
            (None, Event::Scheduled { plan, .. }) => {
                let id = event.stream_id().parse().map_err(|_| Unfit("the stream id of a launch is a UUID"))?;
                Self { page: scheduled(id, plan), taken: Taken::default(), marks: Vec::new() }
            }
            (None, _) => return Err(Unfit("the launch is not scheduled")),
            (Some(_), Event::Scheduled { .. }) => return Err(Unfit("the launch is already scheduled")),
            (Some(view), _) => view,
        };
        view.change(happened);
        if let Some(happening) = happening(&view.page.card, happened) {
            view.page.history.push(Happening { event: event.envelope.event_type.clone(), ..happening });
            view.marks.push(event.position());
            if view.page.history.len() > HISTORY_MAX {
                view.page.history.remove(1);
                view.marks.remove(1);
            }
        }
        view.page.position = event.position();
        Ok(view)
    }

    fn columns(&self) -> Vec<(&'static str, Column)> {
        let card = &self.page.card;
        vec![
            ("slug", card.slug.as_str().into()),
            ("supplier", Column::Text(card.supplier.to_string())),
            ("rocket", Column::Text(card.rocket.to_string())),
            ("status", Column::Text(card.status.to_string())),
            ("destination", card.destination.as_str().into()),
            ("departs_at", card.departure.at.into()),
            ("price", card.price.into()),
            ("seats_left", card.left().into()),
            ("sold", card.sold.into()),
            ("capacity", card.capacity.into()),
            ("tokens", Column::Words(launch_tokens(card))),
        ]
    }
}

fn launch_tokens(card: &LaunchCard) -> Vec<String> {
    tokens([
        card.rocket_name.as_str(),
        &card.supplier_name,
        &card.spaceport_name,
        card.destination.title(),
        card.mission.as_deref().unwrap_or_default(),
        card.slug.as_str(),
    ])
}

fn count(seats: usize) -> u16 {
    u16::try_from(seats).unwrap_or(u16::MAX)
}

fn scheduled(id: contract::LaunchId, plan: &Plan) -> LaunchPage {
    LaunchPage {
        card: LaunchCard {
            id,
            slug: plan.slug.clone(),
            mission: plan.mission.as_ref().map(ToString::to_string),
            supplier: plan.supplier,
            supplier_name: plan.supplier_name.to_string(),
            rocket: plan.rocket,
            rocket_name: plan.rocket_name.to_string(),
            spaceport: plan.spaceport,
            spaceport_name: plan.spaceport_name.to_string(),
            latitude: plan.latitude,
            longitude: plan.longitude,
            destination: plan.destination,
            departure: departure(plan.departs_at, plan.zone.as_str()),
            delayed_from: None,
            price: plan.price,
            status: Status::Scheduled,
            capacity: count(plan.cabin.capacity()),
            sold: 0,
            held: 0,
            minimum_seats: plan.minimum_seats,
        },
        cabin: plan.cabin.clone(),
        taken: Vec::new(),
        history: Vec::new(),
        free_cancellation_until: None,
        offer: None,
        position: 0,
        stale: false,
    }
}

impl LaunchDocument {
    fn change(&mut self, event: &Event) {
        let card = &mut self.page.card;
        match event {
            Event::Repriced { price, .. } => card.price = *price,
            Event::Delayed { departs_at, was, free_cancellation_until, .. } => {
                card.departure = departure(*departs_at, &card.departure.zone);
                card.delayed_from = Some(*was);
                card.status = Status::Delayed;
                self.page.free_cancellation_until = Some(*free_cancellation_until);
            }
            Event::Confirmed { .. } => card.status = Status::Confirmed,
            Event::Aborted { .. } => card.status = Status::Aborted,
            Event::Launched { .. } => card.status = Status::Launched,
            Event::Failed { .. } => card.status = Status::Failed,
            Event::SeatsHeld { seats, .. } => self.take(seats, true),
            Event::BookingConfirmed { seats, .. } => self.take(seats, false),
            Event::HoldExpired { seats, .. } => self.free(seats),
            Event::BookingCancelled { freed, .. } => self.free(freed),
            Event::PassengerCancelled { seat, freed: true, .. } => self.free(&BTreeSet::from([*seat])),
            Event::Scheduled { .. }
            | Event::ViabilityWarned { .. }
            | Event::PassengerCancelled { .. }
            | Event::PassengersNamed { .. }
            | Event::PaymentInitiated { .. }
            | Event::PaymentCaptured { .. }
            | Event::PaymentDeclined { .. }
            | Event::RefundRequested { .. }
            | Event::RefundPaid { .. }
            | Event::RefundFailed { .. } => {}
        }
    }

    fn take(&mut self, seats: &BTreeSet<Seat>, held: bool) {
        self.taken.0.extend(seats.iter().map(|seat| (*seat, held)));
        self.tally();
    }
    fn free(&mut self, seats: &BTreeSet<Seat>) {
        self.taken.0.retain(|seat, _| !seats.contains(seat));
        self.tally();
    }
    fn tally(&mut self) {
        let held = self.taken.0.values().filter(|held| **held).count();
        self.page.card.held = count(held);
        self.page.card.sold = count(self.taken.0.len() - held);
    }
}

/// What the page says about the event, with the launch as it is after it.
fn happening(card: &LaunchCard, event: &Event) -> Option<Happening> {
    let zone = card.departure.zone.as_str();
    let (at, title, text) = match event {
        Event::Scheduled { plan, at, .. } => {
            let until = spoken(plan.departs_at, zone);
            (at, "On sale", format!("{} seats to {} at {} each, departing {until}.", card.capacity, card.destination.title(), plan.price))
        }
        Event::Repriced { price, was, at } => {
            let how = if price < was { "lowered" } else { "raised" };
            let text = format!("The price of a seat was {how} from {was} to {price}. Seats already held or sold keep their price.");
            (at, "New price", text)
        }
        Event::Delayed { departs_at, was, reason, free_cancellation_until, at, .. } => {
            let (from, to, until) = (spoken(*was, zone), spoken(*departs_at, zone), spoken_day(*free_cancellation_until, zone));
            let reason = sentence(reason.as_str());
            (
                at,
                "Date moved",
                format!("Moved from {from} to {to}. {reason} Bookings made before may be cancelled for a full refund until {until}."),
            )
        }
        Event::Confirmed { sold, at } => {
            (at, "Confirmed", format!("{} sold; the launch needs {}, so it flies as planned.", seats(*sold), card.minimum_seats))
        }
        Event::ViabilityWarned { sold, needed, aborts_at, at, .. } => {
            let by = spoken_day(*aborts_at, zone);
            (
                at,
                "Too few seats sold",
                format!(
                    "{} sold so far. Unless {needed} are sold by {by}, the launch will be aborted and everyone refunded in full.",
                    seats(*sold)
                ),
            )
        }
        Event::Aborted { reason, at, .. } => (at, "Aborted", format!("{} Every booking is cancelled and refunded in full.", why(*reason))),
        Event::Launched { at } => {
            (at, "Launched", format!("Lifted off to {} with {} on board.", card.destination.title(), passengers(card.sold)))
        }
        Event::Failed { reason, at } => (at, "Failed", sentence(reason.as_str())),
        Event::SeatsHeld { .. }
        | Event::HoldExpired { .. }
        | Event::PassengersNamed { .. }
        | Event::PaymentInitiated { .. }
        | Event::PaymentCaptured { .. }
        | Event::PaymentDeclined { .. }
        | Event::BookingConfirmed { .. }
        | Event::BookingCancelled { .. }
        | Event::PassengerCancelled { .. }
        | Event::RefundRequested { .. }
        | Event::RefundPaid { .. }
        | Event::RefundFailed { .. } => return None,
    };
    Some(Happening { at: *at, event: String::new(), title: title.to_owned(), text })
}

fn why(reason: AbortReason) -> &'static str {
    match reason {
        AbortReason::Weather => "The weather does not allow the launch.",
        AbortReason::Technical => "A technical fault was found.",
        AbortReason::Economic => "The launch does not pay.",
        AbortReason::Viability => "Too few seats were sold.",
    }
}

fn seats(n: u16) -> String {
    if n == 1 { "1 seat".to_owned() } else { format!("{n} seats") }
}
fn passengers(n: u16) -> String {
    if n == 1 { "1 passenger".to_owned() } else { format!("{n} passengers") }
}

/// Typed by people, shown as a sentence of its own.
fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
