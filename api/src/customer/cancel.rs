//! What a cancellation gave back, told from what was recorded. What it would give back is the launch's to quote.

use contract::{Basis, Quote, Seat, booking::QuoteAnswer};
use domain::{
    booking::Stage,
    id::BookingId,
    launch::{Event, Launch},
};

/// One sentence that says why this share is given back.
#[must_use]
pub(super) fn because(quote: &Quote) -> String {
    match &quote.basis {
        Basis::Unpaid => "Nothing was paid yet, so nothing is given back and the seats go free.".to_owned(),
        Basis::TimeLeft { days } if quote.percent == 0 => {
            format!("{} left before launch: too few for a refund, and the seat stays yours.", days_left(*days))
        }
        Basis::TimeLeft { days } => format!("{} left before launch, so {} % of the price is given back.", days_left(*days), quote.percent),
        Basis::Delayed { free_until } => {
            format!(
                "The launch was delayed after you booked, so everything is given back until {}.",
                free_until.strftime("%-d %B %Y, %H:%M UTC")
            )
        }
        Basis::Aborted => "The launch was aborted, so everything is given back.".to_owned(),
    }
}

fn days_left(days: i64) -> String {
    if days == 1 { "1 day is".to_owned() } else { format!("{days} days are") }
}

/// The quote with its sentence.
#[must_use]
pub(super) fn answer(quote: Quote) -> QuoteAnswer {
    QuoteAnswer { because: because(&quote), quote }
}

/// What cancelling `seat`, or all of the booking, came to; none when the events do not say.
#[must_use]
pub(super) fn done(launch: &Launch, booking: BookingId, seat: Option<Seat>, events: &[Event]) -> Option<QuoteAnswer> {
    let known = launch.manifest()?.bookings.get(&booking)?;
    events.iter().find_map(|event| {
        let (seats, percent, refund, basis, policy_version, frees_seats) = match event {
            Event::BookingCancelled { freed, percent, refund, basis, policy_version, .. } => {
                let seats =
                    if freed.is_empty() { known.seats.iter().copied().collect() } else { freed.iter().copied().collect::<Vec<_>>() };
                (seats, *percent, *refund, basis.clone(), *policy_version, !freed.is_empty())
            }
            Event::PassengerCancelled { seat, freed, percent, refund, basis, policy_version, .. } => {
                (vec![*seat], *percent, *refund, basis.clone(), *policy_version, *freed)
            }
            _ => return None,
        };
        let seats = seat.map_or(seats, |seat| vec![seat]);
        let unpaid = matches!(basis, Basis::Unpaid) || matches!(known.stage, Stage::Held { .. });
        let paid = if unpaid { contract::Money::ZERO } else { known.price_each.times(seats.len()) };
        Some(answer(Quote { seats, paid, percent, refund, basis, policy_version, frees_seats }))
    })
}
