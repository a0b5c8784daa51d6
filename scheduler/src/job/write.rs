//! Says who is written to about an event, and what. Sending is left to the notifications.

use super::{NotYet, TOGETHER_MAX};
use crate::{
    Scheduler,
    letter::{Flight, Letter},
    notification::{Notifications, Recipient, Written},
};
use commands::audit::{self, At};
use domain::{
    AnyEvent, Decider,
    booking::Stage,
    id::{BookingId, CustomerId, LaunchId, SupplierId},
    launch::{AbortReason, CancelledBy, Event, Launch, Manifest},
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use nats::Envelope;
use sqlx::PgPool;
use std::collections::{BTreeMap, HashMap};

/// Queues the mails about the events at `positions`, all at once; says of each position whether they are.
pub(super) async fn write(scheduler: &Scheduler, positions: &[u64]) -> Vec<Result<(), NotYet>> {
    let happened = match scheduler.feed.at(positions).await {
        Ok(events) => events.into_iter().map(|event| (event.position, event)).collect::<HashMap<_, _>>(),
        Err(error) => return positions.iter().map(|_| Err(NotYet::because(&error))).collect(),
    };
    let written = positions.iter().map(async |position| match happened.get(position) {
        Some(envelope) => about(scheduler, envelope).await,
        None => Err(NotYet(format!("the log has no position {position}"))),
    });
    let written: Vec<Result<Vec<Written>, NotYet>> = stream::iter(written.collect::<Vec<_>>()).buffered(TOGETHER_MAX).collect().await;
    let mut letters = Vec::new();
    let outcomes: Vec<_> = written.into_iter().map(|written| written.map(|written| letters.extend(written))).collect();
    let queued = queue(scheduler, letters).await;
    outcomes.into_iter().map(|outcome| outcome.and_then(|()| queued.as_ref().copied().map_err(NotYet::because))).collect()
}

/// The letters about an event.
async fn about(scheduler: &Scheduler, envelope: &Envelope) -> Result<Vec<Written>, NotYet> {
    let happened = AnyEvent::read(&envelope.stream_type, &envelope.event_type, envelope.event_version, envelope.payload.get());
    let mut written = Vec::new();
    for event in happened.map_err(NotYet::because)? {
        let (AnyEvent::Launch(event), Ok(launch)) = (event, envelope.stream_id.parse::<LaunchId>()) else { continue };
        let letters = about_launch(scheduler, envelope, launch, *event).await?;
        written.extend(letters.into_iter().map(|(recipient, letter, at)| Written { cause: envelope.event_id, recipient, letter, at }));
    }
    Ok(written)
}

async fn about_launch(
    scheduler: &Scheduler,
    envelope: &Envelope,
    launch: LaunchId,
    event: Event,
) -> Result<Vec<(Recipient, Letter, Timestamp)>, NotYet> {
    let reason = match event {
        Event::BookingCancelled { by: CancelledBy::Abort, .. } => abort_reason(&scheduler.pool, launch).await.map_err(NotYet::because)?,
        _ => None,
    };
    let written = if matches!(event, Event::Delayed { .. }) {
        // As it was right after the event: who books later is not written to, however late this runs.
        let then = audit::replay(&scheduler.pool, Launch::NAME, &envelope.stream_id, At::Position(envelope.position)).await;
        let then: Launch = serde_json::from_value(then.map_err(NotYet::because)?.state).map_err(NotYet::because)?;
        then.manifest().map(|manifest| letters(launch, manifest, &event, reason))
    } else {
        super::see(scheduler, &launch, move |now| now.manifest().map(|manifest| letters(launch, manifest, &event, reason))).await?
    };
    Ok(written.unwrap_or_default())
}

/// Queues letters, but for those to suppliers who can be written to nowhere.
async fn queue(scheduler: &Scheduler, mut letters: Vec<Written>) -> Result<(), NotYet> {
    let mut reached: HashMap<SupplierId, bool> = HashMap::new();
    for letter in &letters {
        if let Recipient::Supplier(supplier) = letter.recipient
            && !reached.contains_key(&supplier)
        {
            let person = scheduler.addresses.supplier(supplier).await.map_err(NotYet::because)?;
            reached.insert(supplier, person.is_some());
        }
    }
    letters.retain(|letter| if let Recipient::Supplier(supplier) = letter.recipient { reached[&supplier] } else { true });
    Notifications::new(&scheduler.mongo, scheduler.vault.clone()).add(&letters).await.map_err(NotYet::because)
}

/// Pure: who is written to about `event`, and what.
fn letters(launch: LaunchId, manifest: &Manifest, event: &Event, reason: Option<AbortReason>) -> Vec<(Recipient, Letter, Timestamp)> {
    let flight = Flight::of(launch, &manifest.plan);
    let supplier = Recipient::Supplier(manifest.plan.supplier);
    let customer_of = |booking: &BookingId| manifest.bookings.get(booking).map(|known| known.customer);
    let seats_of =
        |booking: &BookingId| manifest.bookings.get(booking).map(|known| known.seats.iter().copied().collect()).unwrap_or_default();
    match event {
        Event::BookingConfirmed { booking, customer, seats, total, at } => {
            let sold = manifest.sold();
            let capacity = manifest.capacity();
            let count = u16::try_from(seats.len()).unwrap_or(u16::MAX);
            let to_customer = Letter::BookingConfirmed {
                flight: flight.clone(),
                booking: *booking,
                seats: seats.iter().copied().collect(),
                total: *total,
            };
            let to_supplier = Letter::SupplierBooked { flight, seats: count, total: *total, sold, capacity };
            vec![(Recipient::Customer(*customer), to_customer, *at), (supplier, to_supplier, *at)]
        }
        Event::BookingCancelled { booking, customer, by: CancelledBy::Customer, refund, percent, basis, at, .. } => {
            let letter = Letter::BookingCancelled {
                flight,
                booking: *booking,
                seats: seats_of(booking),
                refund: *refund,
                percent: *percent,
                basis: basis.clone(),
            };
            vec![(Recipient::Customer(*customer), letter, *at)]
        }
        Event::BookingCancelled { booking, customer, by: CancelledBy::Abort, refund, at, .. } => {
            let letter = Letter::LaunchAborted { flight, booking: *booking, reason, refund: *refund };
            vec![(Recipient::Customer(*customer), letter, *at)]
        }
        Event::PassengerCancelled { booking, customer, seat, refund, percent, basis, at, .. } => {
            let letter = Letter::PassengerCancelled {
                flight,
                booking: *booking,
                seat: *seat,
                refund: *refund,
                percent: *percent,
                basis: basis.clone(),
            };
            vec![(Recipient::Customer(*customer), letter, *at)]
        }
        Event::HoldExpired { booking, customer, seats, at } => {
            let letter = Letter::HoldExpired { flight, booking: *booking, seats: seats.iter().copied().collect() };
            vec![(Recipient::Customer(*customer), letter, *at)]
        }
        Event::RefundPaid { booking, amount, at, .. } => customer_of(booking)
            .map(|customer| (Recipient::Customer(customer), Letter::RefundPaid { flight, booking: *booking, amount: *amount }, *at))
            .into_iter()
            .collect(),
        Event::Delayed { was, reason, free_cancellation_until, at, .. } => {
            let mut concerned: BTreeMap<CustomerId, Vec<BookingId>> = BTreeMap::new();
            for (id, booking) in &manifest.bookings {
                if matches!(booking.stage, Stage::Held { .. } | Stage::Confirmed { .. }) {
                    concerned.entry(booking.customer).or_default().push(*id);
                }
            }
            let letter = |bookings| Letter::LaunchDelayed {
                flight: flight.clone(),
                bookings,
                was: *was,
                reason: reason.to_string(),
                free_until: *free_cancellation_until,
            };
            concerned.into_iter().map(|(customer, bookings)| (Recipient::Customer(customer), letter(bookings), *at)).collect()
        }
        Event::ViabilityWarned { sold, needed, aborts_at, at, .. } => {
            vec![(supplier, Letter::ViabilityWarned { flight, sold: *sold, needed: *needed, aborts_at: *aborts_at }, *at)]
        }
        Event::Scheduled { .. }
        | Event::Repriced { .. }
        | Event::Confirmed { .. }
        | Event::Aborted { .. }
        | Event::Launched { .. }
        | Event::Failed { .. }
        | Event::SeatsHeld { .. }
        | Event::PassengersNamed { .. }
        | Event::PaymentInitiated { .. }
        | Event::PaymentCaptured { .. }
        | Event::PaymentDeclined { .. }
        | Event::RefundRequested { .. }
        | Event::RefundFailed { .. } => vec![],
    }
}

/// Why the launch was aborted; the state does not keep it.
async fn abort_reason(pool: &PgPool, launch: LaunchId) -> Result<Option<AbortReason>, sqlx::Error> {
    let launch = launch.to_string();
    let aborted: Option<(String, i32, String)> = sqlx::query_as(
        "SELECT event_type, event_version, payload::text FROM recorded WHERE stream_type = $1 AND stream_id = $2 AND event_type = 'aborted' \
         LIMIT 1",
    )
    .bind(Launch::NAME)
    .bind(&launch)
    .fetch_optional(pool)
    .await?;
    let Some((event_type, event_version, payload)) = aborted else { return Ok(None) };
    let happened = AnyEvent::read(Launch::NAME, &event_type, event_version.try_into().unwrap_or_default(), &payload).unwrap_or_default();
    Ok(happened.into_iter().find_map(|event| match event {
        AnyEvent::Launch(event) => {
            if let Event::Aborted { reason, .. } = *event {
                Some(reason)
            } else {
                None
            }
        }
        _ => None,
    }))
}
