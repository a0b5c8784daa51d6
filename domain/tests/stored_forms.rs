//! The stored form of every event, pinned: what is in the log must stay readable for ever.
//! `UPDATE_GOLDEN=1` writes files that are missing; an existing one is never overwritten: add a variant, do not edit one.
#![allow(clippy::unwrap_used)]

use domain::{
    Actor, AnyEvent, Decider, Money, Named,
    booking::{Basis, Card},
    customer,
    id::{AccountId, BookingId, CustomerId, LaunchId, PaymentId, RefundId, RocketId, SpaceportId, SupplierId},
    launch::{self, AbortReason, CancelledBy, RefundReason, Status},
    passenger::{Email, Passenger, SealedPassenger},
    policy::{self, Numbers, Policies},
    rocket::{self, Destination},
    sealed::{Blind, Sealed},
    seat::{Cabin, Seat},
    slug::{self, Slug},
    spaceport, supplier,
    text::Line,
};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};
use uuid::Uuid;

const AT: Timestamp = Timestamp::constant(1_767_225_600, 0);
const LATER: Timestamp = Timestamp::constant(1_844_683_200, 0);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}
fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}
fn seat(label: &str) -> Seat {
    label.parse().unwrap()
}
fn seats() -> BTreeSet<Seat> {
    BTreeSet::from([seat("1A"), seat("10B")])
}
fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n)
}

fn suppliers() -> Vec<supplier::Event> {
    use supplier::{Event, Profile};
    let profile = Profile {
        legal_name: line("Starway Launch Services LLC"),
        display_name: line("Starway"),
        description: Some(line("Orbital launches since 1994")),
        contact: Some(Email::new("desk@starway.example").unwrap()),
        country: line("US"),
    };
    let bare = Profile { description: None, contact: None, ..profile.clone() };
    let samples = vec![Event::Registered { profile, at: AT }, Event::Updated { profile: bare, at: AT }];
    for event in &samples {
        match event {
            Event::Registered { .. } | Event::Updated { .. } => {}
        }
    }
    samples
}

fn spaceports() -> Vec<spaceport::Event> {
    let place = spaceport::Place {
        name: line("Cape Canaveral"),
        location: line("Florida, United States"),
        zone: line("America/New_York"),
        latitude: 28.5,
        longitude: -80.5,
    };
    let samples = vec![spaceport::Event::Added { place, at: AT }];
    for event in &samples {
        match event {
            spaceport::Event::Added { .. } => {}
        }
    }
    samples
}

fn rockets() -> Vec<rocket::Event> {
    use rocket::{Build, Event};
    let cabin = Cabin::new(6, 4, BTreeSet::from([seat("6A"), seat("6D")])).unwrap();
    let build = Build { name: line("Atlas V 551"), model: Some(line("551")), range: Destination::LowEarth, cabin };
    let bare = Build { model: None, cabin: Cabin::new(2, 2, BTreeSet::new()).unwrap(), ..build.clone() };
    let samples = vec![
        Event::Added { supplier: SupplierId(id(1)), build, at: AT },
        Event::Updated { build: bare, at: AT },
        Event::Retired { at: AT },
    ];
    for event in &samples {
        match event {
            Event::Added { .. } | Event::Updated { .. } | Event::Retired { .. } => {}
        }
    }
    samples
}

fn slugs() -> Vec<slug::Event> {
    let samples = vec![slug::Event::Claimed { launch: LaunchId(id(2)) }];
    for event in &samples {
        match event {
            slug::Event::Claimed { .. } => {}
        }
    }
    samples
}

fn customers() -> Vec<customer::Event> {
    use customer::Event;
    let booking = BookingId(id(3));
    let samples = vec![
        Event::Registered { at: AT },
        Event::TripRecorded { booking, at: AT },
        Event::TripDropped { booking, at: AT },
        Event::PromotedToVip { at: AT },
        Event::VipEnded { at: AT },
        Event::Erased { at: AT },
    ];
    for event in &samples {
        match event {
            Event::Registered { .. }
            | Event::TripRecorded { .. }
            | Event::TripDropped { .. }
            | Event::PromotedToVip { .. }
            | Event::VipEnded { .. }
            | Event::Erased { .. } => {}
        }
    }
    samples
}

/// One sample for each policy, in the order of [`policy::Name::ALL`].
fn policies() -> Vec<policy::Event> {
    let Policies { seat_limit, passenger_age, hold, cancellation, viability, fee, abort_fee, invoice_terms, scheduling } =
        Policies::default();
    let numbers = [
        Numbers::SeatLimit(seat_limit.numbers),
        Numbers::PassengerAge(passenger_age.numbers),
        Numbers::Hold(hold.numbers),
        Numbers::Cancellation(cancellation.numbers),
        Numbers::Viability(viability.numbers),
        Numbers::Fee(fee.numbers),
        Numbers::AbortFee(abort_fee.numbers),
        Numbers::InvoiceTerms(invoice_terms.numbers),
        Numbers::Scheduling(scheduling.numbers),
    ];
    numbers.into_iter().map(|numbers| policy::Event::Published { version: 1, numbers, at: AT }).collect()
}

fn plan() -> launch::Plan {
    launch::Plan {
        slug: "atlas-v-551-cape-canaveral-low-earth-2028-06-15".parse().unwrap(),
        supplier: SupplierId(id(1)),
        supplier_name: line("Starway"),
        rocket: RocketId(id(4)),
        rocket_name: line("Atlas V 551"),
        range: Destination::Station,
        cabin: Cabin::new(6, 4, BTreeSet::from([seat("6A"), seat("6D")])).unwrap(),
        spaceport: SpaceportId(id(5)),
        spaceport_name: line("Cape Canaveral"),
        zone: line("America/New_York"),
        latitude: 28.5,
        longitude: -80.5,
        destination: Destination::LowEarth,
        departs_at: LATER,
        price: Money::dollars(1_250_000),
        minimum_seats: 5,
        mission: Some(line("Horizon 7")),
    }
}

#[allow(clippy::too_many_lines)] // one sample for each kind of event
fn launches() -> Vec<launch::Event> {
    use launch::Event;
    let (booking, customer, payment, refund) = (BookingId(id(3)), CustomerId(id(6)), PaymentId(id(7)), RefundId(id(8)));
    let amount = Money::dollars(1_250_000);
    let passenger = SealedPassenger { sealed: Sealed::from_text("x1:AAAA".into()), finds: vec![Blind::from_text("00ff".into())] };
    let samples = vec![
        Event::Scheduled { plan: Box::new(plan()), viability_reviews: vec![AT, LATER], policy_version: 2, at: AT },
        Event::Repriced { price: amount, was: Money::dollars(1_000_000), at: AT },
        Event::Delayed {
            departs_at: LATER,
            was: AT,
            reason: line("High winds"),
            free_cancellation_until: LATER,
            viability_reviews: vec![AT],
            policy_version: 0,
            at: AT,
        },
        Event::Confirmed { sold: 5, at: AT },
        Event::ViabilityWarned { sold: 2, needed: 5, aborts_at: LATER, policy_version: 0, at: AT },
        Event::Aborted { reason: AbortReason::Viability, fee: Money::dollars(1_000), policy_version: 0, at: AT },
        Event::Launched { at: AT },
        Event::Failed { reason: line("Engine fire"), at: AT },
        Event::SeatsHeld {
            booking,
            customer,
            seats: seats(),
            price_each: amount,
            expires_at: AT,
            release_at: LATER,
            seat_limit_version: 0,
            hold_version: 3,
            cancellation: Policies::default().cancellation,
            at: AT,
        },
        Event::HoldExpired { booking, customer, seats: seats(), at: AT },
        Event::PassengersNamed { booking, passengers: BTreeMap::from([(seat("1A"), passenger)]), policy_version: 0, at: AT },
        Event::PaymentInitiated { booking, payment, amount, card: Card { brand: "visa".into(), last4: "4242".into() }, at: AT },
        Event::PaymentCaptured { booking, payment, amount, reference: "ch_1".into(), at: AT },
        Event::PaymentDeclined { booking, payment, reason: "insufficient_funds".into(), at: AT },
        Event::BookingConfirmed { booking, customer, seats: seats(), total: amount, at: AT },
        Event::BookingCancelled {
            booking,
            customer,
            by: CancelledBy::Customer,
            freed: seats(),
            percent: 90,
            refund: amount,
            basis: Basis::TimeLeft { days: 400 },
            policy_version: 0,
            at: AT,
        },
        Event::PassengerCancelled {
            booking,
            customer,
            seat: seat("1A"),
            freed: true,
            percent: 100,
            refund: amount,
            basis: Basis::Delayed { free_until: LATER },
            policy_version: 0,
            at: AT,
        },
        Event::RefundRequested { booking, refund, payment, amount, reason: RefundReason::TooLate, at: AT },
        Event::RefundPaid { booking, refund, amount, reference: "re_1".into(), at: AT },
        Event::RefundFailed { booking, refund, reason: "unreachable".into(), at: AT },
    ];
    for event in &samples {
        // No catch-all: a new variant does not compile until it has a sample above.
        match event {
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
            | Event::PassengersNamed { .. }
            | Event::PaymentInitiated { .. }
            | Event::PaymentCaptured { .. }
            | Event::PaymentDeclined { .. }
            | Event::BookingConfirmed { .. }
            | Event::BookingCancelled { .. }
            | Event::PassengerCancelled { .. }
            | Event::RefundRequested { .. }
            | Event::RefundPaid { .. }
            | Event::RefundFailed { .. } => {}
        }
    }
    samples
}

/// Compares with the file of that name; returns it.
fn pinned(name: &str, form: &impl serde::Serialize) -> String {
    let path = folder().join(name);
    if !path.exists() && std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, serde_json::to_string_pretty(form).unwrap() + "\n").unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; a new form is written by UPDATE_GOLDEN=1 cargo test -p domain", path.display());
    });
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(serde_json::to_value(form).unwrap(), stored, "{name} is stored already and must stay as it is");
    name.to_owned()
}

/// Pins each event, reads it back from the stored text, and as the readers of the whole log read it.
fn pin<D: Decider>(samples: &[D::Event], suffix: impl Fn(&D::Event) -> String, any: impl Fn(D::Event) -> AnyEvent) -> Vec<String> {
    let mut names = Vec::new();
    for event in samples {
        let name = format!("{}.{}{}.v{}.json", D::NAME, event.name(), suffix(event), event.version());
        names.push(pinned(&name, event));
        let text = fs::read_to_string(folder().join(&name)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["type"], event.name(), "{name}");
        assert_eq!(serde_json::from_str::<D::Event>(&text).unwrap(), *event, "{name}");
        let read = AnyEvent::read(D::NAME, event.name(), event.version(), &text).unwrap();
        assert_eq!(read, [any(event.clone())], "{name}");
    }
    names
}

#[test]
fn every_event_keeps_its_stored_form() {
    let plain = String::new;
    let of_policy = |policy::Event::Published { numbers, .. }: &policy::Event| format!("-{}", numbers.name());
    let names: BTreeSet<String> = [
        pin::<supplier::Supplier>(&suppliers(), |_| plain(), AnyEvent::Supplier),
        pin::<spaceport::Spaceport>(&spaceports(), |_| plain(), AnyEvent::Spaceport),
        pin::<rocket::Rocket>(&rockets(), |_| plain(), AnyEvent::Rocket),
        pin::<slug::SlugClaim>(&slugs(), |_| plain(), AnyEvent::Slug),
        pin::<launch::Launch>(&launches(), |_| plain(), |event| AnyEvent::Launch(Box::new(event))),
        pin::<customer::Customer>(&customers(), |_| plain(), AnyEvent::Customer),
        pin::<policy::Policy>(&policies(), of_policy, AnyEvent::Policy),
        vec!["refusals.json".to_owned(), "names.json".to_owned()],
    ]
    .concat()
    .into_iter()
    .collect();
    // What is here beyond that was written once; the next test reads it.
    assert!(names.is_subset(&files()), "not pinned: {:?}", names.difference(&files()));
}

fn files() -> BTreeSet<String> {
    fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Stream type, event type and version, as the name of a golden file says them: `launch.aborted.v1.json`, `policy.published-fee.v1.json`.
fn form_of(file: &str) -> (&str, &str, u32) {
    let mut parts = file.split('.');
    let (stream_type, event_type, version) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let event_type = event_type.split_once('-').map_or(event_type, |(event_type, _)| event_type);
    (stream_type, event_type, version.strip_prefix('v').unwrap().parse().unwrap())
}

/// What of these stored texts, by the names of their golden files, cannot be read; and which versions were lost on the way.
fn forgotten(stored: &BTreeMap<String, String>) -> Vec<String> {
    let mut forgotten = Vec::new();
    let mut versions: BTreeMap<(&str, &str), BTreeSet<u32>> = BTreeMap::new();
    for (name, text) in stored {
        let (stream_type, event_type, version) = form_of(name);
        versions.entry((stream_type, event_type)).or_default().insert(version);
        if let Err(error) = AnyEvent::read(stream_type, event_type, version, text) {
            forgotten.push(format!("{name}: {error}"));
        }
    }
    for ((stream_type, event_type), versions) in versions {
        let lost = (1..=versions.last().copied().unwrap_or_default()).filter(|version| !versions.contains(version));
        forgotten.extend(lost.map(|version| format!("{stream_type}.{event_type}.v{version}.json is gone")));
    }
    forgotten
}

fn every_stored_event() -> BTreeMap<String, String> {
    let events = files().into_iter().filter(|name| name != "refusals.json" && name != "names.json");
    events.map(|name| (name.clone(), fs::read_to_string(folder().join(name)).unwrap())).collect()
}

/// Golden files of old forms stay here for ever: their steps are tested by them.
#[test]
fn every_form_ever_written_is_still_read() {
    assert_eq!(forgotten(&every_stored_event()), Vec::<String>::new());
    let forms: BTreeSet<(&str, &str, u32)> = [
        old_forms::<supplier::Supplier>(),
        old_forms::<spaceport::Spaceport>(),
        old_forms::<rocket::Rocket>(),
        old_forms::<slug::SlugClaim>(),
        old_forms::<launch::Launch>(),
        old_forms::<customer::Customer>(),
        old_forms::<policy::Policy>(),
    ]
    .concat()
    .into_iter()
    .collect();
    let files = files();
    let pinned: BTreeSet<_> = files.iter().filter(|name| name.matches('.').count() == 3).map(|name| form_of(name)).collect();
    assert!(forms.is_subset(&pinned), "steps without a golden file: {:?}", forms.difference(&pinned));
}

fn old_forms<D: Decider>() -> Vec<(&'static str, &'static str, u32)> {
    D::OLD_FORMS.iter().map(|step| (D::NAME, step.form().0, step.form().1)).collect()
}

#[test]
fn a_form_that_disappears_is_noticed() {
    let mut stored = every_stored_event();
    // As if the program had written these once, and lost the step or the file since.
    stored.insert("launch.docked.v1.json".into(), r#"{"type":"docked"}"#.into());
    stored.insert("slug.claimed.v3.json".into(), stored["slug.claimed.v1.json"].clone());
    assert_eq!(
        forgotten(&stored),
        [
            "launch.docked.v1.json: unreadable launch event",
            "slug.claimed.v3.json: no way to read slug event claimed of version 3",
            "slug.claimed.v2.json is gone",
        ]
    );
}

/// What older programs wrote is still there for every event a decider can read; an event of another stream is not.
#[test]
fn an_event_is_read_only_from_its_own_stream() {
    let text = serde_json::to_string(&launch::Event::Launched { at: AT }).unwrap();
    assert!(AnyEvent::read("launch", "launched", 1, &text).is_ok());
    let error = AnyEvent::read("rocket", "launched", 1, &text).unwrap_err();
    assert_eq!(error.to_string(), "unreadable rocket event");
    let error = AnyEvent::read("submarine", "launched", 1, &text).unwrap_err();
    assert_eq!(error.to_string(), "unknown stream type submarine");
    assert!(AnyEvent::read("launch", "docked", 1, r#"{"type":"docked","at":"2026-01-01T00:00:00Z"}"#).is_err());
    assert!(AnyEvent::read("launch", "aborted", 1, &text).is_err(), "stored under another name");
}

/// Refusals are stored with the command's id, to be given again; the API maps them by these tags.
#[test]
fn every_refusal_keeps_its_stored_form() {
    use launch::Refusal as R;
    let refusals = vec![
        R::AlreadyScheduled,
        R::UnknownLaunch,
        R::TooSoon { lead_days: 1, earliest: LATER },
        R::OutOfRange { range: Destination::LowEarth, destination: Destination::Mars },
        R::RocketRetired,
        R::TurnaroundTooShort { other: LATER, turnaround_days: 5 },
        R::PriceOutOfRange { max: Money::MAX },
        R::MinimumOutOfRange { capacity: 20 },
        R::NotLater { departs_at: LATER },
        R::NotOpen { status: Status::Aborted },
        R::Departed,
        R::NotDeparted,
        R::NotConfirmed { minimum: 3 },
        R::NoSeats,
        R::NoSuchSeat { seat: seat("7A") },
        R::SeatsTaken { seats: seats() },
        R::SeatLimitReached { limit: 4, already: 3 },
        R::BookingIdUsed,
        R::UnknownBooking,
        R::HoldExpired { expired_at: AT },
        R::HoldNotOver { release_at: LATER },
        R::PassengersDoNotMatch { seats: seats() },
        R::AgeOutOfRange { seat: seat("1A"), age: 17, from: 18, to: 70 },
        R::PassengersMissing,
        R::PaymentInFlight,
        R::BookingClosed { stage: "expired".into() },
        R::UnknownPayment,
        R::PaymentDeclined,
        R::AlreadyCancelled,
        R::TooLateToCancel,
        R::QuoteChanged { refund: Money::dollars(1) },
        R::NoPassenger { seat: seat("1A") },
        R::NotAborted,
        R::UnknownRefund,
    ];
    for refusal in &refusals {
        // No catch-all: a new refusal does not compile until it has a sample above.
        match refusal {
            R::AlreadyScheduled
            | R::UnknownLaunch
            | R::TooSoon { .. }
            | R::OutOfRange { .. }
            | R::RocketRetired
            | R::TurnaroundTooShort { .. }
            | R::PriceOutOfRange { .. }
            | R::MinimumOutOfRange { .. }
            | R::NotLater { .. }
            | R::NotOpen { .. }
            | R::Departed
            | R::NotDeparted
            | R::NotConfirmed { .. }
            | R::NoSeats
            | R::NoSuchSeat { .. }
            | R::SeatsTaken { .. }
            | R::SeatLimitReached { .. }
            | R::BookingIdUsed
            | R::UnknownBooking
            | R::HoldExpired { .. }
            | R::HoldNotOver { .. }
            | R::PassengersDoNotMatch { .. }
            | R::AgeOutOfRange { .. }
            | R::PassengersMissing
            | R::PaymentInFlight
            | R::BookingClosed { .. }
            | R::UnknownPayment
            | R::PaymentDeclined
            | R::AlreadyCancelled
            | R::TooLateToCancel
            | R::QuoteChanged { .. }
            | R::NoPassenger { .. }
            | R::NotAborted
            | R::UnknownRefund => {}
        }
        let text = serde_json::to_string(refusal).unwrap();
        assert_eq!(serde_json::from_str::<R>(&text).unwrap(), *refusal);
    }
    let stored = serde_json::json!({
        "launch": refusals,
        "customer": [customer::Refusal::Unknown],
        "policy": [
            policy::Refusal::OtherPolicy { given: policy::Name::Hold },
            policy::Refusal::Unworkable { why: "the youngest age is above the oldest".into() },
        ],
        "rocket": [rocket::Refusal::AlreadyAdded, rocket::Refusal::Unknown, rocket::Refusal::Retired],
        "slug": [slug::Refusal::Taken { by: LaunchId(id(2)) }],
        "spaceport": [spaceport::Refusal::AlreadyAdded, spaceport::Refusal::NotOnEarth],
        "supplier": [supplier::Refusal::AlreadyRegistered, supplier::Refusal::Unknown],
    });
    pinned("refusals.json", &stored);
}

/// The words that are stored beside events, or in them, and that readers compare.
#[test]
fn every_stored_name_stays() {
    let account = AccountId(id(9));
    let actors = [
        Actor::Customer(CustomerId(id(6))),
        Actor::Supplier(SupplierId(id(1)), account),
        Actor::Employee(account),
        Actor::Operator(account),
        Actor::Scheduler,
        Actor::Import,
        Actor::System,
    ];
    let streams = [
        supplier::Supplier::NAME,
        spaceport::Spaceport::NAME,
        rocket::Rocket::NAME,
        slug::SlugClaim::NAME,
        launch::Launch::NAME,
        customer::Customer::NAME,
        policy::Policy::NAME,
    ];
    let names = serde_json::json!({
        "streams": streams,
        "policies": policy::Name::ALL,
        "policy_streams": policy::Name::ALL.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "timers": [launch::EXPIRE_HOLD, launch::REVIEW_VIABILITY],
        "actors": actors,
        "destinations": Destination::ALL,
        "statuses": [Status::Scheduled, Status::Confirmed, Status::Delayed, Status::Aborted, Status::Launched, Status::Failed],
        "abort_reasons": [AbortReason::Weather, AbortReason::Technical, AbortReason::Economic, AbortReason::Viability],
        "cancelled_by": [CancelledBy::Customer, CancelledBy::Abort],
        "refund_reasons": [RefundReason::Cancelled, RefundReason::Aborted, RefundReason::TooLate, RefundReason::PaidTwice],
        "bases": [Basis::Unpaid, Basis::TimeLeft { days: 90 }, Basis::Delayed { free_until: LATER }, Basis::Aborted],
    });
    pinned("names.json", &names);
    for actor in actors {
        assert_eq!(actor.to_string().parse(), Ok(actor));
    }
    for text in ["", "customer", "customer:x", "supplier:", "scheduler:", "scheduler:1", "root", "import "] {
        assert!(text.parse::<Actor>().is_err(), "{text:?} is not an actor");
    }
}

/// A policy's stream is named as its numbers are.
#[test]
fn a_policys_numbers_say_which_policy_they_are_of() {
    let names: Vec<policy::Name> = policies().iter().map(|policy::Event::Published { numbers, .. }| numbers.name()).collect();
    assert_eq!(names, policy::Name::ALL);
    for (event, name) in policies().iter().zip(names) {
        let policy::Event::Published { numbers, .. } = event;
        let stored = serde_json::to_value(numbers).unwrap();
        assert_eq!(stored.as_object().unwrap().keys().next().unwrap(), &name.to_string());
        let mut put = Policies::default();
        put.put(7, numbers);
        assert_ne!(put, Policies::default(), "{name} was not put in force");
    }
}

/// Ids that follow from others must be the same in ten years.
#[test]
fn derived_ids_stay() {
    assert_eq!(RefundId::derived(id(7), "not kept").to_string(), "27e93d22-d0eb-5a54-a860-6640c8af996e");
    assert_eq!(LaunchId::derived(id(7), "not kept").0, RefundId::derived(id(7), "not kept").0);
    assert_eq!("x".parse::<Slug>().unwrap().as_str(), "x");
}

/// Pins what the samples of a decider add up to, after each of them, under its `STATE_VERSION`: snapshots hold that.
fn pin_state<D: Decider + PartialEq>(samples: &[D::Event]) -> String {
    let mut state = D::default();
    let mut states = vec![serde_json::to_value(&state).unwrap()];
    for event in samples {
        state = state.evolve(event);
        let stored = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<D>(&stored).unwrap(), state, "a snapshot reads back");
        states.push(serde_json::to_value(&state).unwrap());
    }
    let name = format!("{}.v{}.json", D::NAME, D::STATE_VERSION);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden_states").join(&name);
    if !path.exists() && std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&states).unwrap() + "\n").unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 writes it", path.display()));
    let pinned: Vec<Value> = serde_json::from_str(&stored).unwrap();
    assert_eq!(states, pinned, "the same events add up to another state of {}: raise its STATE_VERSION", D::NAME);
    name
}

#[test]
fn a_state_that_changes_raises_its_version() {
    let names = BTreeSet::from([
        pin_state::<supplier::Supplier>(&suppliers()),
        pin_state::<spaceport::Spaceport>(&spaceports()),
        pin_state::<rocket::Rocket>(&rockets()),
        pin_state::<slug::SlugClaim>(&slugs()),
        pin_state::<launch::Launch>(&a_launch_from_start_to_end()),
        pin_state::<customer::Customer>(&customers()),
        pin_state::<policy::Policy>(&policies()),
    ]);
    let folder = fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden_states")).unwrap();
    let files: BTreeSet<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, names, "states of versions that are no longer in use");
}

/// The samples in an order in which they can have happened: the launch ends last.
fn a_launch_from_start_to_end() -> Vec<launch::Event> {
    let (mut open, mut ends) = (Vec::new(), Vec::new());
    for event in launches() {
        match event {
            launch::Event::Aborted { .. } | launch::Event::Launched { .. } | launch::Event::Failed { .. } => ends.push(event),
            _ => open.push(event),
        }
    }
    [open, ends].concat()
}

/// Passengers of before there was a vault are marked, and only the vault is to read them.
#[test]
fn passengers_named_in_the_open_are_kept_as_they_were() {
    let text = fs::read_to_string(folder().join("launch.passengers_named.v1.json")).unwrap();
    let [AnyEvent::Launch(event)] = &AnyEvent::read("launch", "passengers_named", 1, &text).unwrap()[..] else { panic!("one event") };
    let launch::Event::PassengersNamed { passengers, .. } = &**event else { panic!("{event:?}") };
    let passenger: Passenger = passengers[&seat("1A")].sealed.plainly().unwrap();
    assert_eq!((passenger.name.as_str(), passenger.born.to_string().as_str()), ("Ada Example", "1990-05-01"));
    assert!(!format!("{event:?}").contains("Ada"));
}
